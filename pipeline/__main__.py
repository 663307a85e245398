"""`python -m pipeline STAGE [ARGUMENTS]`. Imports nothing before it knows whether the fast path can answer."""

import os
import sys

INTERRUPTED = 130


def entry() -> int:
    """Answer `up-to-date` from the standard library alone; run any other stage."""
    if sys.argv[1:2] == ["up-to-date"]:
        from pipeline.uptodate import main as answer

        return answer(sys.argv[2:], os.environ)
    from pipeline.running import main

    return main(sys.argv[1:], dict(os.environ))


if __name__ == "__main__":
    code = entry()
    if code == INTERRUPTED:
        # An interrupt that met Python inside exec() of a string, as dataclasses do at import, would make it end by SIGINT after all,
        # although it was handled: a parent would then read -2 instead of 130.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
