"""Opaque cursors of the list of links: the id of the last link shown."""

import base64
import binascii
from typing import Final

_LARGEST_ID: Final = 2**63 - 1


def encode_cursor(last_id: int) -> str:
    """Build the cursor that continues after this id."""
    return base64.urlsafe_b64encode(str(last_id).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> int:
    """Read the id back; ValueError for anything that `encode_cursor` did not make."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        last_id = int(text)
    except (binascii.Error, ValueError):
        raise ValueError("cursor is not one of this service") from None
    if not 0 < last_id <= _LARGEST_ID or encode_cursor(last_id) != cursor:
        raise ValueError("cursor is not one of this service")
    return last_id
