"""The stage graph."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.decisions.cache import choose_variables
from pipeline.decisions.graph import Graph, GraphPaths, StageOverride, StageSpec, build_graph, matches, order_stages
from pipeline.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]
PATHS = GraphPaths(sources=("app",), tests=("tests",), typed=("app",), reports="reports")


def graph_of(**needs: tuple[str, ...]) -> Graph:
    return Graph(
        {name: StageSpec(name=name, summary="", groups=(name,), needs=wanted) for name, wanted in needs.items()}
    )


def test_every_stage_comes_after_what_it_needs() -> None:
    """The order of the whole graph never puts a need behind."""
    graph = build_graph(PATHS)

    ordered = order_stages(graph, tuple(graph.stages))

    assert all(ordered.index(need) < ordered.index(name) for name in ordered for need in graph[name].needs)


def test_a_part_brings_what_it_needs() -> None:
    """Asking for the last stage runs those before it, each once."""
    graph = graph_of(a=(), b=("a",), c=("a", "b"), d=())

    assert order_stages(graph, ("c", "b")) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        pytest.param(graph_of(a=("b",), b=("a",)), "need each other in a circle: a → b → a", id="circle"),
        pytest.param(graph_of(a=("a",)), "in a circle: a → a", id="itself"),
        pytest.param(graph_of(a=("x",)), "there is no stage 'x', which a needs; stages: a", id="unknown-need"),
    ],
)
def test_wrong_graphs_are_refused(graph: Graph, message: str) -> None:
    """The message names the stages."""
    with pytest.raises(ConfigurationError, match=message):
        order_stages(graph, tuple(graph.stages))


def test_what_does_not_apply_runs_nowhere() -> None:
    """Stages that are left out have no trigger and no place in the pipeline, and nothing waits for them."""
    graph = build_graph(
        replace(PATHS, left_out={"build": "no Dockerfile", "scan": "no image", "unit": "no unit tests"})
    )

    assert graph.pipeline() == ("lint", "integration", "security")
    assert not any(graph[name].triggers for name in ("build", "scan", "unit"))
    assert graph["scan"].needs == ()


@pytest.mark.parametrize(
    ("left_out", "needs"),
    [
        pytest.param({}, ("lint", "unit"), id="nothing"),
        pytest.param({"unit": "-"}, ("lint", "integration"), id="unit"),
        pytest.param({"unit": "-", "integration": "-"}, ("lint",), id="all-tests"),
        pytest.param({"lint": "-"}, ("unit",), id="lint"),
    ],
)
def test_an_image_waits_for_the_tests_that_there_are(left_out: dict[str, str], needs: tuple[str, ...]) -> None:
    """Where all tests are integration tests, the image waits for those."""
    assert build_graph(replace(PATHS, left_out=left_out))["build"].needs == needs


def test_a_reason_for_no_stage_is_refused() -> None:
    """A slip in leave_out is told, too."""
    with pytest.raises(
        ConfigurationError, match=r"tool\.pipeline\.leave_out\.bild: there is no such stage; stages: lint"
    ):
        build_graph(replace(PATHS, left_out={"bild": "-"}))


def test_an_override_for_no_stage_is_refused() -> None:
    """A slip in the configuration is told with the names that exist."""
    with pytest.raises(ConfigurationError, match=r"tool\.pipeline\.stages\.lnit: there is no such stage; stages: lint"):
        build_graph(replace(PATHS, overrides={"lnit": StageOverride()}))


def test_overrides() -> None:
    """Inputs replace the graph's own but never lose configuration and lockfile; variables are added; a limit is replaced."""
    override = StageOverride(inputs=("docs",), variables=("FOO",), timeout=5)

    lint = build_graph(replace(PATHS, overrides={"lint": override}))["lint"]

    assert lint.inputs == ("docs", "pyproject.toml", "uv.lock")
    assert lint.variables[-1] == "FOO"
    assert lint.timeout == 5


def test_what_changes_the_world_is_not_run_by_the_pipeline() -> None:
    """A stage that asks for a target is never started by `nox -s pipeline`."""
    graph = build_graph(PATHS)

    assert [name for name in graph.pipeline() if graph[name].changes_world] == []


@pytest.mark.parametrize(
    ("path", "patterns", "expected"),
    [
        ("app/api.py", ("app",), True),
        ("app/api.py", ("app/",), True),
        ("application.py", ("app",), False),
        ("app/api.py", ("app/*.py",), True),
        ("noxfile.py", ("noxfile.py",), True),
        ("anything", (".",), True),
        ("docs/a.md", ("app", "*.md"), True),
        ("docs/a.txt", ("app", "*.md"), False),
    ],
)
def test_inputs(path: str, patterns: tuple[str, ...], *, expected: bool) -> None:
    """A folder stands for all below it, not for names that begin like it."""
    assert matches(path, patterns) is expected


@pytest.mark.parametrize("path", ["ruff.toml", "app/ruff.toml", "mypy.ini", ".importlinter", ".gitignore", "setup.cfg"])
def test_every_file_that_configures_a_checker_is_an_input_of_lint(path: str) -> None:
    """Adding one changes what the checkers say, so a cached verdict must not stand."""
    assert matches(path, build_graph(PATHS)["lint"].inputs)


@pytest.mark.parametrize("name", ["PYTHONOPTIMIZE", "PYTEST_ADDOPTS", "COVERAGE_RCFILE", "TZ", "LC_ALL", "MONGO_URL"])
def test_variables_that_change_tests_are_inputs(name: str) -> None:
    """Also those of the project's own services."""
    spec = build_graph(replace(PATHS, service_variables=("MONGO_URL",)))["integration"]

    assert choose_variables(spec.variables, {name: "1"}) == {name: "1"}


def test_every_session_is_a_stage_and_every_stage_a_session() -> None:
    """The noxfile and the graph name the same things; `bench` measures the pipeline and is none of its stages."""
    noxfile = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {node.name for node in noxfile.body if isinstance(node, ast.FunctionDef) and node.decorator_list}

    assert sessions - {"bench"} == {name.replace("-", "_") for name in build_graph(PATHS).stages}


def test_every_stage_has_its_module_and_its_groups() -> None:
    """What the graph names can be run."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]

    for spec in build_graph(PATHS).stages.values():
        assert (ROOT / f"pipeline/stages/{spec.name.replace('-', '_')}.py").is_file(), spec.name
        assert set(spec.groups) <= set(groups), spec.name
