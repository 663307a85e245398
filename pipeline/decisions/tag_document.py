"""docs/image-tags.md, made of the examples that the tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.decisions.tag_examples import COMMIT_DATE, EXAMPLES, NOW, SHA

if TYPE_CHECKING:
    from pipeline.decisions.tag_examples import Example

_LONGEST = 40
_HEAD = f"""# Image tags

`build` makes tags by the rules of [docker/metadata-action](https://github.com/docker/metadata-action), written as there, in
`[tool.pipeline.build]`: each line of `tags` is a rule, and `flavor` holds for all of them. The tag with the highest priority is the first
one, and the label `org.opencontainers.image.version`.

What is delivered comes from GitHub's or GitLab's variables, else from the checkout; a merge request of GitLab counts as `refs/pull/N/merge`.
Where the rules give no tag at all, the image is tagged `sha-` and the first seven characters of its commit.

On purpose different from the original: an expression or attribute that does not exist is an error; values are not escaped for HTML; a tag
never begins with `.` or `-`, and one that is too long is cut to 128 characters that end in a hash of all of it; `created` is the commit's
time, so that two builds of one commit are one image.

Each row below is a test. The commit is `{SHA[:7]}` of {COMMIT_DATE:%Y-%m-%d %H:%M} UTC, the default branch `main`, and it is {NOW:%Y-%m-%d %H:%M} UTC.
"""


def render_tag_document() -> str:
    """Render the document: a table for each topic."""
    return "\n".join([_HEAD, *(_section(topic, examples) for topic, examples in EXAMPLES.items())])


def _section(topic: str, examples: tuple[Example, ...]) -> str:
    flavored = any(example.flavor for example in examples)
    headers = ["Rules", *(["Flavor"] if flavored else []), "Ref", "Tags"]
    rows = [_row(example, flavored=flavored) for example in examples]
    lines = [_line(headers), _line(["---"] * len(headers)), *(_line(row) for row in rows)]
    return "\n".join([f"## {topic}\n", *lines, ""])


def _row(example: Example, *, flavored: bool) -> list[str]:
    event = f" ({example.event})" if example.event != "push" else ""
    return [
        " ".join(map(_code, example.rules)) or "none",
        *([" ".join(map(_code, example.flavor))] if flavored else []),
        f"{_code(example.ref)}{event}" if example.ref else "none",
        ", ".join(map(_code, example.tags)) or "none",
    ]


def _code(text: str) -> str:
    if len(text) > _LONGEST and " " not in text and len(set(text)) < len(text) / 3:
        text = f"{text[:16]}…{text[-12:]} ({len(text)} characters)"
    return f"`{text}`"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
