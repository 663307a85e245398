"""The reference service: a URL shortener, delivered by the pipeline beside it.

`main.create_app` wires everything from `config.Settings`; nothing happens at import.
Pure rules: `codes`, `targets`, `pagination`, `dsn`, `schema`. Effects: `store` (PostgreSQL), `cache` (Redis), `hits`.
HTTP: `api`, `health`, `problems`, `middleware`. Process: `lifecycle`, `logs`, `metrics`, `__main__`.
"""
