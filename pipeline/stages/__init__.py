"""One story per file: read, decide, show the plan, act, report. A stage knows Protocols, never the clients behind them.

Each module has `run(context, arguments) -> Outcome`. `__main__` finds it by the stage's name.
"""
