"""${message}."""

from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
# "additive": every earlier code works on. "breaking": it does not, or only from the revision `oldest_code = "…"` on.
compatibility = "breaking"


def upgrade() -> None:
    """Apply the revision."""
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade() -> None:
    """Undo the revision."""
    ${downgrades if downgrades else "raise NotImplementedError"}
