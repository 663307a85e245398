"""Arguments of the stages that deliver an image. nox hands the same ones to every session it is asked for, so all of them know all."""

from __future__ import annotations

from pipeline.arguments import Parser


def delivery_parser(stage: str, description: str) -> Parser:
    """Make the parser of `security`, `build` or `scan`, so that `nox -s security build scan -- --push` means what it says."""
    parser = Parser(stage, description)
    parser.add_argument("--push", action="store_true", help="build: push the image; never done for a pull request")
    parser.add_argument("--registry", metavar="HOST[/PATH]", help="build: where to; goes before the configured one")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="build: push although the tree differs from its commit"
    )
    parser.add_argument("--builder", choices=("auto", "buildx", "engine"), default="auto", help="build: what builds")
    parser.add_argument("--image", metavar="REFERENCE", help="scan: this image instead of the one that was built last")
    return parser
