"""Create the table of links."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
compatibility = "additive"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("hits", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("hits >= 0", name=op.f("ck_links_hits_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("code", name=op.f("uq_links_code")),
    )


def downgrade() -> None:
    """Drop the table and all links."""
    op.drop_table("links")
