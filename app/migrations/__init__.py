"""Migrations of the database, run by `alembic upgrade head` from the repository's root (settings: `[tool.alembic]`).

Every revision says at module level how the code before it gets on with it:
`compatibility = "additive"` (any earlier code works on) or `"breaking"`; a breaking one may add `oldest_code`, the earliest
revision whose code works on (see `app.schema`). Both are literals, so that tools can read them without running anything.
"""
