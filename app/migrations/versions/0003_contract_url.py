"""Contract: `url` goes; the code has used `target` alone since 0002."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
compatibility = "breaking"
oldest_code = "0002"

# A copy of 0002's, for the way back: a revision never changes because another one did.
SYNC_FUNCTION = """
CREATE OR REPLACE FUNCTION links_sync_target() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.target IS DISTINCT FROM OLD.target THEN
        NEW.url := NEW.target;
    ELSIF TG_OP = 'UPDATE' AND NEW.url IS DISTINCT FROM OLD.url THEN
        NEW.target := NEW.url;
    ELSE
        NEW.target := coalesce(NEW.target, NEW.url);
        NEW.url := coalesce(NEW.url, NEW.target);
    END IF;
    RETURN NEW;
END $$
"""
SYNC_TRIGGER = """
CREATE OR REPLACE TRIGGER links_sync_target BEFORE INSERT OR UPDATE ON links
FOR EACH ROW EXECUTE FUNCTION links_sync_target()
"""


def upgrade() -> None:
    """Require `target`, then drop the trigger and `url`.

    The check is added unvalidated and validated on its own, so that the scan of the table does not lock out readers and writers;
    SET NOT NULL then believes the check instead of scanning again.
    """
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE links DROP CONSTRAINT IF EXISTS ck_links_target_set")
        op.execute("ALTER TABLE links ADD CONSTRAINT ck_links_target_set CHECK (target IS NOT NULL) NOT VALID")
        op.execute("ALTER TABLE links VALIDATE CONSTRAINT ck_links_target_set")
    op.alter_column("links", "target", nullable=False)
    op.execute("ALTER TABLE links DROP CONSTRAINT ck_links_target_set")
    op.execute("DROP TRIGGER links_sync_target ON links")
    op.execute("DROP FUNCTION links_sync_target()")
    op.drop_column("links", "url")


def downgrade() -> None:
    """Bring `url` back, filled from `target`, and the trigger of 0002."""
    op.add_column("links", sa.Column("url", sa.Text))
    op.execute("UPDATE links SET url = target")
    op.alter_column("links", "url", nullable=False)
    op.alter_column("links", "target", nullable=True)
    op.execute(SYNC_FUNCTION)
    op.execute(SYNC_TRIGGER)
