"""Expand: `target` is the new name of `url`; both exist and a trigger keeps them equal.

Code that writes `url` and code that writes `target` work side by side until 0003 removes the old name.
Every step can be repeated: the filling is committed in batches, so a run that was interrupted starts again in the middle.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
compatibility = "additive"

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
# In batches, each committed: one statement over a large table would hold the lock of every row until its end.
FILL = """
DO $$
DECLARE
    batch CONSTANT bigint := 5000;
    start bigint := 0;
    finish bigint := coalesce((SELECT max(id) FROM links), 0);
BEGIN
    WHILE start < finish LOOP
        UPDATE links SET target = url WHERE id > start AND id <= start + batch AND target IS NULL;
        COMMIT;
        start := start + batch;
    END LOOP;
END $$
"""


def upgrade() -> None:
    """Add the column, keep it equal from now on, then fill what was there before."""
    op.execute("ALTER TABLE links ADD COLUMN IF NOT EXISTS target text")
    op.execute(SYNC_FUNCTION)
    op.execute(SYNC_TRIGGER)
    with op.get_context().autocommit_block():
        op.execute(FILL)


def downgrade() -> None:
    """Drop the column; nothing is lost, `url` holds the same."""
    op.execute("DROP TRIGGER links_sync_target ON links")
    op.execute("DROP FUNCTION links_sync_target()")
    op.drop_column("links", "target")
