"""Add the time of a link's last hit."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
compatibility = "additive"


def upgrade() -> None:
    """Add the column, empty: a constant-time change of the catalogue."""
    op.add_column("links", sa.Column("last_hit_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop the column and its times."""
    op.drop_column("links", "last_hit_at")
