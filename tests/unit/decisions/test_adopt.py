"""What `init` understands of a project, and what it makes of that."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.decisions.adopt_config import plan_left_out
from pipeline.decisions.adopt_dependencies import parse_requirements, read_dependencies, translate_poetry
from pipeline.decisions.adopt_document import find_lost
from pipeline.decisions.adopt_facts import Snapshot, read_facts
from pipeline.decisions.adopt_files import is_untouched, merge_ignored
from pipeline.decisions.adopt_groups import TOOLS, add_entries, needs_newer_python
from pipeline.decisions.adopt_package import Package, choose_package
from pipeline.decisions.adopt_plan import Step, choose_backup, choose_platforms, plan_files
from pipeline.decisions.adopt_pyproject import merge_pyproject
from pipeline.decisions.wrapper_plan import HEADER
from pipeline.errors import ConfigurationError
from tests.adopted import DJANGO_POSTGRES, FASTAPI_SRC, POETRY_FLASK, PROJECTS, SCRIPT

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
INDEX = Package(requirement="delivery-pipeline==0.1.0")


def snapshot(files: Mapping[str, str], remote: str = "") -> Snapshot:
    return Snapshot(name="My Project", paths=frozenset(files), texts=dict(files), remote=remote)


def merge(files: Mapping[str, str], package: Package = INDEX, *, upgrade: bool = False) -> dict[str, Any]:
    text = files.get("pyproject.toml", "")
    return tomllib.loads(merge_pyproject(text, read_facts(snapshot(files)), package, ["github"], upgrade=upgrade))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("fastapi", ("orders-api", "src", "uv", "FastAPI", ("src/orders",), ("orders",)), id="fastapi"),
        pytest.param("poetry", ("guestbook", "flat", "poetry", "Flask", ("guestbook",), ("guestbook",)), id="poetry"),
        pytest.param(
            "django",
            (
                "my-project",
                "flat",
                "pip",
                "Django",
                ("catalogue", "shop", "manage.py"),
                ("catalogue", "shop", "manage"),
            ),
            id="django",
        ),
        pytest.param("script", ("my-project", "script", "pip", "none", ("wordcount.py",), ("wordcount",)), id="script"),
    ],
)
def test_facts(name: str, expected: tuple[Any, ...]) -> None:
    """Name, layout, package manager, framework and sources of four kinds of project."""
    facts = read_facts(snapshot(PROJECTS[name]))

    found = (facts.project, facts.layout, facts.manager, facts.framework, facts.sources, facts.measured)
    assert found == expected


@pytest.mark.parametrize(
    ("files", "unit", "integration"),
    [
        pytest.param(("tests/unit/test_a.py",), ("tests/unit",), (), id="unit-only"),
        pytest.param(
            ("tests/unit/test_a.py", "tests/integration/test_b.py"), ("tests/unit",), ("tests/integration",), id="both"
        ),
        pytest.param(("tests/test_a.py", "test_b.py"), ("tests", "test_b.py"), (), id="mixed-places"),
        pytest.param(("a/tests.py", "a/b_test.py"), ("a/b_test.py", "a/tests.py"), (), id="inside"),
        pytest.param(("tests/__init__.py",), (), (), id="none"),
    ],
)
def test_where_tests_are(files: tuple[str, ...], unit: tuple[str, ...], integration: tuple[str, ...]) -> None:
    """The folders tell which tests need services."""
    facts = read_facts(snapshot(dict.fromkeys((*files, "a/__init__.py"), "")))

    assert (facts.unit_tests, facts.integration_tests) == (unit, integration)


def test_with_a_service_any_test_may_need_it() -> None:
    """Where the folders do not tell, no test runs without the server."""
    facts = read_facts(snapshot(DJANGO_POSTGRES))

    assert (facts.unit_tests, facts.integration_tests) == ((), ("catalogue/tests.py",))
    assert plan_left_out(facts)["unit"] == "any test may need a service"


def test_a_service_is_found_by_driver_compose_file_and_variables() -> None:
    """The version is the compose file's; each variable that the code reads gets its part of the address."""
    (service,) = read_facts(snapshot(DJANGO_POSTGRES)).services

    assert service.image == "postgres:15-alpine"
    assert service.variables == {
        "DB_HOST": "{host}",
        "DB_PORT": "{port}",
        "DB_NAME": "{database}",
        "DB_USER": "{user}",
        "DB_PASSWORD": "{password}",
    }


@pytest.mark.parametrize(
    ("requirements", "code", "variables"),
    [
        pytest.param(
            "asyncpg\nsqlalchemy",
            "",
            {"DATABASE_URL": "postgresql+asyncpg://{user}:{password}@{host}:{port}/{database}"},
            id="sqlalchemy-names-the-driver",
        ),
        pytest.param(
            "psycopg",
            "os.environ['PG_DSN']  # postgresql+psycopg://",
            {"PG_DSN": "postgresql+psycopg://{user}:{password}@{host}:{port}/{database}"},
            id="the-code-names-the-scheme",
        ),
        pytest.param(
            "psycopg2-binary",
            "",
            {"DATABASE_URL": "postgresql://{user}:{password}@{host}:{port}/{database}"},
            id="nothing-told",
        ),
        pytest.param("redis", "", {"REDIS_URL": "redis://:{password}@{host}:{port}/0"}, id="redis"),
    ],
)
def test_variables_of_a_service(requirements: str, code: str, variables: dict[str, str]) -> None:
    """What nobody names gets the name that most code reads."""
    (service,) = read_facts(snapshot({"a.py": code, "requirements.txt": requirements})).services

    assert service.variables == variables


@pytest.mark.parametrize(
    ("files", "command", "health"),
    [
        pytest.param(
            FASTAPI_SRC, "python -m uvicorn orders.main:app --host 0.0.0.0 --port 8000", "/healthz", id="fastapi"
        ),
        pytest.param(
            POETRY_FLASK,
            "python -m flask --app guestbook:create_app() run --host 0.0.0.0 --port 8000",
            "",
            id="factory",
        ),
        pytest.param(DJANGO_POSTGRES, "python manage.py runserver --noreload 0.0.0.0:8000", "", id="django"),
        pytest.param(
            {"requirements.txt": "django\ngunicorn", "shop/__init__.py": "", "shop/wsgi.py": ""},
            "python -m gunicorn --bind 0.0.0.0:8000 shop.wsgi:application",
            "",
            id="gunicorn",
        ),
        pytest.param({"requirements.txt": "fastapi", "a.py": ""}, "", "", id="no-object"),
        pytest.param(SCRIPT, "", "", id="no-service"),
    ],
)
def test_how_a_service_starts(files: Mapping[str, str], command: str, health: str) -> None:
    """The command is read from the code; a note says what is not known."""
    entry = read_facts(snapshot(files)).entry

    assert (" ".join(entry.command), entry.health) == (command, health)


@pytest.mark.parametrize(
    ("constraint", "requirement"),
    [
        pytest.param("^3.0", "x>=3.0,<4", id="caret"),
        pytest.param("^0.2.3", "x>=0.2.3,<0.3", id="caret-zero"),
        pytest.param("^0.0.3", "x>=0.0.3,<0.0.4", id="caret-zero-zero"),
        pytest.param("~1.2.3", "x>=1.2.3,<1.3", id="tilde"),
        pytest.param("~1", "x>=1,<2", id="tilde-major"),
        pytest.param("~=1.4", "x~=1.4", id="compatible"),
        pytest.param("*", "x", id="any"),
        pytest.param("1.2.3", "x==1.2.3", id="exact"),
        pytest.param("1.*", "x==1.*", id="wildcard"),
        pytest.param(">= 1.0, <2", "x>=1.0,<2", id="range"),
        pytest.param("^1 || ^2", None, id="alternatives"),
        pytest.param({"version": "^2", "extras": ["a", "b"]}, "x[a,b]>=2,<3", id="extras"),
        pytest.param({"version": "*", "markers": "os_name == 'nt'"}, "x ; os_name == 'nt'", id="marker"),
        pytest.param({"git": "https://h/x.git", "tag": "v1"}, "x @ git+https://h/x.git@v1", id="git"),
        pytest.param({"url": "https://h/x.whl"}, "x @ https://h/x.whl", id="url"),
        pytest.param({"path": "../x"}, None, id="folder"),
        pytest.param([{"version": "1"}], None, id="list"),
    ],
)
def test_constraints_of_poetry(constraint: Any, requirement: str | None) -> None:
    """Poetry's own signs as PEP 508 writes them; None for what it can't write."""
    assert translate_poetry("x", constraint) == requirement


def test_requirements_files() -> None:
    """Comments, options, hashes and continued lines are no part of a requirement."""
    text = "-r base.txt\n# note\nflask>=3 # why\nx==1 \\\n  --hash=sha256:aa\n--index-url nowhere\n\ny[z]; os_name == 'nt'\n"

    assert parse_requirements(text) == ("flask>=3", "x==1", "y[z]; os_name == 'nt'")


def test_requirements_of_tests_are_found_wherever_they_stand() -> None:
    """Extras, groups and files; a group that includes one of ours is not included again, which would be a circle."""
    document = {
        "project": {"dependencies": ["a"], "optional-dependencies": {"test": ["b"], "docs": ["no"]}},
        "dependency-groups": {
            "dev": ["c", {"include-group": "more"}],
            "more": ["d"],
            "test": [{"include-group": "lint"}],
        },
    }

    found = read_dependencies(document, {"requirements-dev.txt": "e"})

    assert (found.runtime, found.testing, found.groups) == ((), ("b", "e"), ("dev",))
    assert found.names == {"a", "b", "c", "d", "e"}


def test_everything_that_is_there_keeps_its_words() -> None:
    """Each line of pyproject.toml is still there, in its order."""
    before = FASTAPI_SRC["pyproject.toml"]

    after = merge_pyproject(before, read_facts(snapshot(FASTAPI_SRC)), INDEX, ["github"], upgrade=False)

    lines = iter(after.splitlines())
    assert all(line in lines for line in before.splitlines())


@pytest.mark.parametrize("name", PROJECTS)
def test_a_second_merge_changes_nothing(name: str) -> None:
    """Also when the platform asked for is another then."""
    files = dict(PROJECTS[name])
    files["pyproject.toml"] = merge_pyproject(
        files.get("pyproject.toml", ""), read_facts(snapshot(files)), INDEX, ["github"], upgrade=False
    )

    again = merge_pyproject(files["pyproject.toml"], read_facts(snapshot(files)), INDEX, ["gitlab"], upgrade=False)

    assert again == files["pyproject.toml"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[tool.black]\na=1\n[project]\nname="x"\n[tool.mypy]\nb=2\n[tool.uv]\nc=3\n', id="out-of-order"),
        pytest.param('[project]\r\nname="x"\r\n', id="crlf"),
        pytest.param('[project]\nname="x"\n[tool.uv.sources]\ny={path="a"}', id="no-end-of-line"),
        pytest.param('dependency-groups = {dev=["pytest"]}\n[project]\nname="x"\n', id="inline-groups"),
        pytest.param('[project]\nname="x"\n[[tool.uv.index]]\nurl="u"\n[[tool.mypy.overrides]]\nm=1\n', id="arrays"),
    ],
)
def test_no_form_of_toml_loses_anything(text: str) -> None:
    """Whatever people write stays, and ours is beside it."""
    after = merge(
        {"a.py": "", "pyproject.toml": text}, Package(requirement="delivery-pipeline==1", source={"path": "w"})
    )

    assert find_lost(tomllib.loads(text), after) == ()
    assert after["dependency-groups"]["pipeline"] == ["delivery-pipeline==1"]
    assert after["tool"]["uv"]["sources"]["delivery-pipeline"] == {"path": "w"}
    assert after["tool"]["pipeline"]["paths"]["sources"] == ["a.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("tool = {black={a=1}}", "can't be added to", id="inline-tool"),
        pytest.param("tool.uv.package=false\ntool.black.a=3", "can't be added to without a loss of tool", id="dotted"),
        pytest.param("tool = 3", "tool: must be a table", id="no-table"),
        pytest.param("dependency-groups = []", "dependency-groups: must be a table", id="no-groups"),
        pytest.param('dependency-groups.lint = "x"', r"dependency-groups\.lint: must be a list", id="no-list"),
        pytest.param("project.dependencies = {}", r"project\.dependencies: must be a list", id="no-requirements"),
        pytest.param("a = ", r"pyproject\.toml: Invalid", id="no-toml"),
    ],
)
def test_what_can_not_be_added_to_is_refused(text: str, message: str) -> None:
    """One line that says where, and never a loss."""
    with pytest.raises(ConfigurationError, match=message):
        merge({"a.py": "", "pyproject.toml": text})


def test_a_tool_that_the_project_requires_keeps_its_version() -> None:
    """Pytest and mypy are in the project's own group; ours are not put beside them."""
    groups = merge(FASTAPI_SRC)["dependency-groups"]

    assert groups["pipeline-testing"] == [{"include-group": "dev"}, "coverage[toml]>=7", "pytest-cov>=7.1"]
    assert not any(str(entry).startswith("mypy") for entry in groups["lint"])


def test_a_group_of_the_same_name_grows() -> None:
    """What the project has in its own `lint` stays first."""
    files = {**SCRIPT, "pyproject.toml": '[dependency-groups]\nlint = ["ruff==0.9", "flake8"]\n'}

    assert merge(files)["dependency-groups"]["lint"][:3] == ["ruff==0.9", "flake8", {"include-group": "pipeline"}]


def test_upgrade_moves_the_requirement_and_its_source() -> None:
    """From a wheel to another version of an index, and nothing else."""
    wheel = Package(requirement="delivery-pipeline==0.1.0", source={"path": "wheels/x.whl"})
    first = merge_pyproject("", read_facts(snapshot(SCRIPT)), wheel, ["github"], upgrade=False)
    files = {**SCRIPT, "pyproject.toml": first}

    after = merge(files, Package(requirement="delivery-pipeline==0.2.0"), upgrade=True)

    assert after["dependency-groups"]["pipeline"] == ["delivery-pipeline==0.2.0"]
    assert "delivery-pipeline" not in after["tool"]["uv"].get("sources", {})
    expected = tomllib.loads(first)
    assert after["tool"]["pipeline"] == expected["tool"]["pipeline"]


def test_django_gets_its_settings_named_for_pytest() -> None:
    """manage.py tells them; migrations are not checked for style."""
    tool = merge(DJANGO_POSTGRES)["tool"]

    assert tool["pytest"]["ini_options"] == {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    assert tool["ruff"] == {"extend-exclude": ["*/migrations/*"], "lint": {"select": ["E4", "E7", "E9", "F"]}}


@pytest.mark.parametrize(
    ("requires", "newer"),
    [("", True), (">=3.9", True), (">=3.10,<4", True), (">=3.11", False), ("~=3.12", False), (">=3.9.1", True)],
)
def test_older_interpreters_are_limited_for_our_groups_only(requires: str, newer: bool) -> None:  # noqa: FBT001
    """The pipeline runs on 3.11; the project may go on with less."""
    assert needs_newer_python(requires) is newer


def test_entries_are_the_same_by_name_or_group() -> None:
    """Another range of the same project is no reason to add one."""
    present = ["Ruff_X>=1", {"include-group": "dev"}]

    assert add_entries(present, ["ruff-x>=2", {"include-group": "dev"}, "new"]) == ["new"]


def test_our_tools_are_those_of_this_project() -> None:
    """What an adopted project gets is what the stages are tried with here."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    ours = {entry for entries in groups.values() for entry in entries if isinstance(entry, str)}

    assert {tool for tools in TOOLS.values() for tool in tools} - ours == {"pytest-django>=4.11"}


WHEEL = "out/delivery_pipeline-0.3.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("wanted", "installed", "package"),
    [
        pytest.param("", "", INDEX, id="default"),
        pytest.param("index", '{"url": "file:///x.whl"}', INDEX, id="index-whatever-it-came-from"),
        pytest.param("delivery-pipeline==0.3.0", "", Package(requirement="delivery-pipeline==0.3.0"), id="version"),
        pytest.param(
            WHEEL,
            "",
            Package(
                requirement="delivery-pipeline==0.3.0",
                source={"path": "wheels/delivery_pipeline-0.3.0-py3-none-any.whl"},
                wheel=WHEEL,
            ),
            id="wheel",
        ),
        pytest.param(
            "git+ssh://git@git.example.org/team/delivery-pipeline@v1",
            "",
            Package(
                requirement="delivery-pipeline",
                source={"git": "ssh://git@git.example.org/team/delivery-pipeline", "rev": "v1"},
            ),
            id="git",
        ),
        pytest.param(
            "",
            '{"url": "https://git.example.org/p", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
            Package(requirement="delivery-pipeline", source={"git": "https://git.example.org/p", "rev": "abc"}),
            id="as-this-one-was-installed",
        ),
        pytest.param("", '{"url": "file:///src", "dir_info": {"editable": true}}', INDEX, id="a-checkout-is-no-place"),
    ],
)
def test_where_the_package_comes_from(wanted: str, installed: str, package: Package) -> None:
    """What was asked for, else what this pipeline was installed from."""
    assert choose_package(wanted, installed, "0.1.0") == package


@pytest.mark.parametrize(
    "wanted",
    [
        "delivery-pipeline>=1",
        "git+https://git.example.org/p",
        "git+ssh://git@git.example.org/p",
        "other==1",
        "./folder",
    ],
)
def test_a_package_that_is_not_one_version_is_refused(wanted: str) -> None:
    """A range or a branch's tip would make two runs differ."""
    with pytest.raises(ConfigurationError, match="is neither"):
        choose_package(wanted, "", "0.1.0")


@pytest.mark.parametrize(
    ("files", "remote", "asked", "platforms"),
    [
        pytest.param({}, "", "", ("github", "gitlab", "pre-commit"), id="nothing-tells"),
        pytest.param({}, "", "gitlab", ("gitlab", "pre-commit"), id="asked"),
        pytest.param({}, "url = git@github.com:a/b", "", ("github", "pre-commit"), id="remote"),
        pytest.param({".gitlab-ci.yml": HEADER}, "", "", ("gitlab", "pre-commit"), id="ours"),
        pytest.param({".gitlab-ci.yml": "test: {}"}, "", "both", ("github", "pre-commit"), id="by-hand"),
        pytest.param({".pre-commit-config.yaml": "repos: []"}, "", "github", ("github",), id="hooks-by-hand"),
    ],
)
def test_platforms(files: dict[str, str], remote: str, asked: str, platforms: tuple[str, ...]) -> None:
    """What is asked for, else what remote and files tell; a file written by hand keeps its platform out, with the reason."""
    taken, reasons = choose_platforms(asked, snapshot(files, remote), force=False)

    assert taken == platforms
    assert all("was written by hand" in reason for reason in reasons)
    assert choose_platforms(asked, snapshot(files, remote), force=True)[1] == ()


@pytest.mark.parametrize(
    ("present", "force", "step", "backup"),
    [
        pytest.param(None, False, Step.WRITE, "", id="missing"),
        pytest.param(HEADER + "old", False, Step.RENEW, "", id="generated"),
        pytest.param("mine", False, Step.LEAVE, "", id="by-hand"),
        pytest.param("mine", True, Step.REPLACE, "Dockerfile.bak", id="forced"),
    ],
)
def test_what_happens_to_a_file(present: str | None, force: bool, step: Step, backup: str) -> None:  # noqa: FBT001
    """Nothing that a hand wrote is lost."""
    there = snapshot({} if present is None else {"Dockerfile": present})

    (planned,) = plan_files({"Dockerfile": "new"}, there, force=force)

    assert (planned.step, planned.backup) == (step, backup)


def test_a_file_that_is_as_wanted_is_no_step() -> None:
    """So a second run has nothing to say."""
    assert plan_files({"Dockerfile": "new"}, snapshot({"Dockerfile": "new"}), force=True) == ()


def test_a_backup_never_takes_the_place_of_another() -> None:
    """The names are counted on."""
    assert choose_backup("a", {"a.bak", "a.bak2"}) == "a.bak3"


def test_a_file_with_a_changed_line_was_touched() -> None:
    """The digest in the first line is that of the rest."""
    text = (
        "# Made by `nox -s init` of delivery-pipeline 0.1.0; digest 2cf24dba5fb0a30e: while it holds, a newer one replaces it.\n"
        "hello"
    )

    assert is_untouched(text)
    assert not is_untouched(f"{text}!")
    assert not is_untouched("hello")


def test_ignored_lines_are_added_once() -> None:
    """What is ignored already, with or without its slash, is not written again."""
    once = merge_ignored("/reports\n.nox")

    assert once == "/reports\n.nox\n.pipeline/\n__pycache__/\n.coverage\n.coverage.*\n"
    assert merge_ignored(once) == once
