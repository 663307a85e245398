"""`python -m pipeline STAGE [ARGUMENTS]`. Imports nothing before it knows whether the fast path can answer."""

import os
import sys


def entry() -> int:
    """Answer `up-to-date` from the standard library alone; run any other stage."""
    if sys.argv[1:2] == ["up-to-date"]:
        from pipeline.uptodate import main as answer

        return answer(sys.argv[2:], os.environ)
    from pipeline.running import main

    return main(sys.argv[1:], dict(os.environ))


if __name__ == "__main__":
    sys.exit(entry())
