"""One delivery pipeline: every stage is `python -m pipeline STAGE`, called by a nox session of the same name.

The folders are the rule (import-linter checks it in `lint`):

- `decisions`: pure functions, `f(snapshot, policy, now) -> verdict`.
- `clients`: one module per outside thing; its SDK's types and errors never leave it.
- `stages`: one story per file: read, decide, show the plan, act, report.
- `__main__` makes the real clients, `settings` reads the environment and `pyproject.toml`, `polling` is the only module that
  sleeps, `report` the only one that knows terminals, GitHub and GitLab.
"""

__version__ = "0.1.0"
