"""Who a run belongs to, and whether that process is surely gone. A pid alone would say nothing: it is used again."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One process, told apart from every other on every machine."""

    host: str
    boot: str
    """Identity of the machine's boot; empty where it is not known."""
    namespace: str
    """Namespace of the pid: the same number is another process in another container."""
    pid: int
    start: str
    """When the process started, as its machine counts; compared, never calculated with."""

    def encode(self) -> str:
        """Write it as one label."""
        return "|".join(str(part) for part in astuple(self))


def parse_owner(text: str) -> Owner | None:
    """Read a label written by `encode`; None when it is something else."""
    parts = text.split("|")
    if len(parts) != 5 or not parts[3].isdigit():  # noqa: PLR2004  # the five fields
        return None
    host, boot, namespace, pid, start = parts
    return Owner(host=host, boot=boot, namespace=namespace, pid=int(pid), start=start)


def is_gone(owner: Owner, here: Owner, start_now: str | None) -> bool:
    """Tell whether the owner is surely gone, seen from `here`.

    `start_now` is when the process that has the owner's pid now was started, None when there is none. What cannot be known from here
    (another machine, another container) is not gone.
    """
    if owner.host != here.host:
        return False
    if owner.boot != here.boot:
        return True
    return owner.namespace == here.namespace and owner.start != start_now
