"""Values that are made for every request: mypy holds them unchanged."""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from linekey.value import value

DECORATED = "from linekey.value import value\n@value\nclass Point:\n    x: int\n"


@value
class Point:
    x: int
    y: int = 0
    name: str = field(default="", repr=False, compare=False)


@value(kw_only=True)
class Named:
    at: Point


@dataclass(frozen=True, slots=True)
class Frozen:
    x: int
    y: int = 0
    name: str = field(default="", repr=False, compare=False)


def test_equality_and_hash_are_those_of_a_frozen_class() -> None:
    assert Point(1, 2, "a") == Point(1, 2, "b") != Point(1, 3)
    assert hash(Point(1, 2)) == hash(Frozen(1, 2))
    assert {Named(at=Point(1)), Named(at=Point(1))} == {Named(at=Point(1))}
    assert repr(Point(1, 2, "secret")) == "Point(x=1, y=2)"


def test_another_value_is_made_of_one() -> None:
    assert replace(Point(1, 2), y=3) == Point(1, 3)


def test_there_is_room_for_its_fields_alone() -> None:
    assert not hasattr(Point(1), "__dict__")


def test_mypy_refuses_what_a_frozen_class_refuses_at_run_time(tmp_path: Path) -> None:
    code = tmp_path / "changes.py"
    code.write_text(f"{DECORATED}Point(1).x\nPoint(1).x = 2\nPoint('1')\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", str(code)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    wrong = [line.partition(" error: ")[2] for line in ran.stdout.splitlines()[:-1]]
    assert wrong == [
        'Property "x" defined in "Point" is read-only  [misc]',
        'Argument 1 to "Point" has incompatible type "str"; expected "int"  [arg-type]',
    ]
