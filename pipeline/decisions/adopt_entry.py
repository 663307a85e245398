"""How a service is started and asked for its health, told from its code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PORT = 8000
_HEALTH = re.compile(r"""["'](/[\w/-]*(?:healthz?|ready|readyz|live|livez|ping)(?:/[\w-]+)*/?)["']""")
_SETTINGS = re.compile(r"""["']DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One service."""

    command: tuple[str, ...]
    """Empty where the code does not tell."""
    health: str = ""
    """Path that answers when it is well; empty where none is known."""
    settings: str = ""
    """Django's settings module."""
    notes: tuple[str, ...] = ()


def find_entry(framework: str, texts: Mapping[str, str], root: str, names: frozenset[str]) -> Entry:
    """Look for the application's object, its health route and its settings."""
    code = {path: text for path, text in sorted(texts.items()) if path.endswith(".py") and "test" not in path}
    health = next((match[1] for text in code.values() for match in _HEALTH.finditer(text)), "")
    settings = next((match[1] for text in code.values() for match in _SETTINGS.finditer(text)), "")
    finder = _FINDERS.get(framework)
    command, notes = finder(code, root, names) if finder else ((), ())
    return Entry(command=command, health=health, settings=settings, notes=notes)


Found = tuple[tuple[str, ...], tuple[str, ...]]
_NO_OBJECT = "the application's object was not found: complete CMD in the Dockerfile"


def _fastapi(code: Mapping[str, str], root: str, names: frozenset[str]) -> Found:
    target = next(_objects(code, root, r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:fastapi\.)?FastAPI\("), "")
    notes = () if "uvicorn" in names else ("uvicorn is no dependency, and the image starts it",)
    command = ("python", "-m", "uvicorn", target, "--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  # in a container
    return (command, notes) if target else ((), (_NO_OBJECT,))


def _flask(code: Mapping[str, str], root: str, names: frozenset[str]) -> Found:
    target = next(_objects(code, root, r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:flask\.)?Flask\("), "")
    factory = next(_objects(code, root, r"^def (create_app|make_app)\("), "")
    app = target or (f"{factory}()" if factory else "")
    if "gunicorn" in names:
        return (_gunicorn(app), ()) if app else ((), (_NO_OBJECT,))
    note = "gunicorn is no dependency: the image starts Flask's own server, which is made for development"
    command = ("python", "-m", "flask", "--app", app, "run", "--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104  # the same
    return (command, (note,)) if app else ((), (_NO_OBJECT,))


def _django(code: Mapping[str, str], root: str, names: frozenset[str]) -> Found:
    target = next((_dotted(path, root) for path in code if path.endswith("wsgi.py")), "")
    if target and "gunicorn" in names:
        return _gunicorn(f"{target}:application"), ()
    note = "gunicorn is no dependency: the image starts Django's own server, which is made for development"
    return ("python", "manage.py", "runserver", "--noreload", f"0.0.0.0:{PORT}"), (note,)


_FINDERS = {"FastAPI": _fastapi, "Flask": _flask, "Django": _django}


def _gunicorn(target: str) -> tuple[str, ...]:
    return ("python", "-m", "gunicorn", "--bind", f"0.0.0.0:{PORT}", target)


def _objects(code: Mapping[str, str], root: str, pattern: str) -> Iterator[str]:
    for path, text in code.items():
        if match := re.search(pattern, text, re.MULTILINE):
            yield f"{_dotted(path, root)}:{match[1]}"


def _dotted(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
