"""The Protocol of objects of any kind, applied on the server's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipeline.errors import StageFailed

if TYPE_CHECKING:
    from pipeline.decisions.manifests import Owned, Place
    from pipeline.decisions.permissions import Access
    from pipeline.decisions.snapshot import Json


class OwnedByOthers(StageFailed):
    """An apply would change fields that others manage. `owned` says whose and which."""

    def __init__(self, message: str, owned: tuple[Owned, ...]) -> None:
        super().__init__(message)
        self.owned = owned


class Objects(Protocol):
    """The objects of one namespace, and of the cluster. Every call raises `Unknown` when nobody answers and `StageFailed` when the API server refuses."""

    def locate(self, manifest: Json) -> Place:
        """Find out where the API has this kind. Raises `StageFailed` when it does not know it."""
        ...

    def allowed(self, access: Access, place: Place) -> bool:
        """Tell whether whoever we are may do this here."""
        ...

    def find(self, manifest: Json) -> Json | None:
        """Read the object as it is; None when it does not exist."""
        ...

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        """Apply it and return what came of it. A resourceVersion in it must be the present one.

        Raises `OwnedByOthers`, unless forced, and `Conflict` when the resourceVersion is another by now.
        """
        ...
