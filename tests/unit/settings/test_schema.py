"""From tables to sections: every fault is told with its key, what it is and what is allowed."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline.settings.schema import NOT_EMPTY, POSITIVE, between, key, parse_section, section, type_name


class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Wheel:
    size: float = key("Size in inches.", limit=POSITIVE)


@dataclass(frozen=True, kw_only=True)
class Car:
    name: str = key("Name.", limit=NOT_EMPTY)
    doors: int = key("Doors.", default=4, limit=between(2, 5))
    color: Color = key("Colour.", default=Color.RED)
    tags: tuple[str, ...] = key("Tags.", default=())
    wheels: Mapping[str, Wheel] = key("Wheels by place.", default={})
    owner: str | None = key("Owner.", default=None)
    electric: bool = key("Whether electric.", default=False)
    spare: Wheel = section("Spare wheel.", lambda: Wheel(size=15.0))


def parse(table: Any) -> tuple[Car | None, list[str]]:
    problems: list[str] = []
    return parse_section(Car, table, "car", problems), problems


def test_everything_given() -> None:
    """Each kind of value arrives as its type."""
    car, problems = parse(
        {
            "name": "one",
            "doors": 2,
            "color": "blue",
            "tags": ["a", "b"],
            "wheels": {"front": {"size": 17}},
            "owner": "me",
            "electric": True,
            "spare": {"size": 14.5},
        }
    )

    assert problems == []
    assert car == Car(
        name="one",
        doors=2,
        color=Color.BLUE,
        tags=("a", "b"),
        wheels={"front": Wheel(size=17.0)},
        owner="me",
        electric=True,
        spare=Wheel(size=14.5),
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        pytest.param([], "car: is a list; must be a table", id="not-a-table"),
        pytest.param({}, "car.name: is missing; Name.", id="missing"),
        pytest.param({"name": ""}, 'car.name = "": must not be empty', id="empty"),
        pytest.param({"name": 3}, "car.name = 3: must be a string", id="number-for-string"),
        pytest.param({"name": "x", "doors": "4"}, 'car.doors = "4": must be a whole number', id="string-for-number"),
        pytest.param({"name": "x", "doors": True}, "car.doors = true: must be a whole number", id="bool-is-no-number"),
        pytest.param({"name": "x", "doors": 1}, "car.doors = 1: must be between 2 and 5", id="just-below"),
        pytest.param({"name": "x", "doors": 6}, "car.doors = 6: must be between 2 and 5", id="just-above"),
        pytest.param({"name": "x", "color": "green"}, 'car.color = "green": must be one of red, blue', id="choice"),
        pytest.param({"name": "x", "tags": "a"}, 'car.tags = "a": must be a list, each a string', id="string-for-list"),
        pytest.param({"name": "x", "tags": ["a", 1]}, "car.tags[1] = 1: must be a string", id="item"),
        pytest.param(
            {"name": "x", "wheels": {"front": {}}}, "car.wheels.front.size: is missing; Size in inches.", id="nested"
        ),
        pytest.param({"name": "x", "spare": 3}, "car.spare: is 3; must be a table", id="section"),
        pytest.param(
            {"name": "x", "color": "y" * 99},
            f'car.color = "{"y" * 56}...: must be one of red, blue',
            id="long-values-are-cut",
        ),
    ],
)
def test_one_fault(table: Any, problem: str) -> None:
    """The line names the key with its path, the value, and what is allowed."""
    car, problems = parse(table)

    assert car is None
    assert problems == [problem]


@pytest.mark.parametrize("doors", [2, 5])
def test_the_limits_themselves_are_allowed(doors: int) -> None:
    """Both ends of a range belong to it."""
    car, problems = parse({"name": "x", "doors": doors})

    assert problems == []
    assert car is not None
    assert car.doors == doors


def test_an_unknown_key_gets_a_suggestion() -> None:
    """A slip of the finger is told with the key that was meant."""
    _, problems = parse({"name": "x", "door": 2})

    assert problems == [
        "car.door: unknown key (did you mean doors?); allowed: color, doors, electric, name, owner, spare, tags, wheels"
    ]


def test_all_faults_in_one_go() -> None:
    """Nobody repairs a configuration error by error."""
    _, problems = parse({"doors": 9, "color": 1, "tags": [1, 2]})

    assert len(problems) == 5


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (str, "a string"),
        (float, "a number"),
        (tuple[str, ...], "a list, each a string"),
        (Mapping[str, int], "a table by name, each a whole number"),
        (Color, "one of red, blue"),
        (str | None, "a string or nothing"),
        (Wheel, "a table"),
    ],
)
def test_type_names(kind: Any, name: str) -> None:
    """Messages and documentation say types in words."""
    assert type_name(kind) == name
