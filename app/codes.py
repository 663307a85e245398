"""Short codes: which are valid, which are reserved, and how new ones are drawn."""

import re
import secrets
from collections.abc import Callable, Sequence
from typing import Final

# Without 0/O and I/l, which people confuse when they copy a link by hand.
ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CODE_LENGTH: Final = 7  # 58^7 = 2.2e12: at 10 million links a draw collides once in 220 000
ALIAS_PATTERN: Final = r"^[A-Za-z0-9_-]{3,32}$"
# Codes live beside the service's own paths, so the first segment of each is taken (a test compares with the routes).
RESERVED: Final = frozenset({"api", "docs", "health", "metrics"})

_VALID = re.compile(ALIAS_PATTERN.rstrip("$") + r"\Z", re.ASCII)


def is_code(text: str) -> bool:
    """Whether a link could have this code: the shape of an alias, and not a path of the service."""
    return _VALID.match(text) is not None and text.lower() not in RESERVED


def draw_code(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """Draw a code at random, so that neighbours cannot be guessed; never a reserved word."""
    while True:
        code = "".join(choose(ALPHABET) for _ in range(CODE_LENGTH))
        if is_code(code):
            return code
