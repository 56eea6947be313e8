"""USES is whole: each folder is in it, each event is taken, each errand carried out."""

import ast
import importlib
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from linekey.phone import uses
from linekey.phone.device import DEVICE
from linekey.phone.edge.carry import CARRIERS
from linekey.phone.events import Command, Errand, Event
from linekey.phone.machine import TAKERS
from linekey.phone.requests import REQUESTS, to_request
from linekey.phone.uses.all import USES
from linekey.phone.uses.provisioning.events import RoundEnded
from linekey.phone.uses.words import WORDS

FOLDER = Path(uses.__file__).parent
PHONE = FOLDER.parent
for path in FOLDER.glob("*/events.py"):
    importlib.import_module(f"linekey.phone.uses.{path.parent.name}.events")


def below(kind: type) -> set[type]:
    """All subclasses; a dataclass with slots leaves the class behind it was made of."""
    found = {k for sub in kind.__subclasses__() for k in ({sub} | below(sub))}
    return {k for k in found if getattr(sys.modules[k.__module__], k.__name__) is k}


def test_each_folder_is_a_use_of_that_name_and_no_other_is() -> None:
    folders = {p.name for p in FOLDER.iterdir() if (p / "__init__.py").is_file()}
    assert {use.name for use in USES} == folders
    assert len(USES) == len(folders)


def test_each_event_is_taken_and_each_errand_is_one_uses_and_carried_out() -> None:
    # Whoever wants to know may take the end of a round; nobody must.
    assert below(Event) - set(TAKERS) <= {RoundEnded}
    errands = [errand for use in USES for errand in use.errands]
    assert set(errands) == below(Errand) == set(CARRIERS)
    assert len(errands) == len(set(errands))


PAST = ("ed", "Came", "Left", "Read", "Chosen", "Done")


def test_events_are_in_the_past_tense_and_commands_in_the_imperative() -> None:
    for event in below(Event):
        assert event.__name__.endswith((*PAST, "PoweredOn")), event
    for command in below(Command):
        assert not command.__name__.endswith(PAST), command


def test_the_verbs_in_words_are_those_of_the_phone_and_its_uses() -> None:
    verbs = [verb for use in (DEVICE, *USES) for verb in use.verbs]
    assert [verb.words for verb in verbs] == list(WORDS)


def test_no_two_requests_verbs_or_forms_have_one_name() -> None:
    for names in (
        [r.do for r in REQUESTS],
        [words.name for words in WORDS],
        [b.path for use in (DEVICE, *USES) for b in use.buttons],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.do)
def test_a_request_holds_the_events_fields(request_) -> None:
    names = {f.name for f in fields(request_.event)} - request_.apart
    values = {"data": b"", "admin": False, "idx": 1, "number": 1, "port": 1, "index": 0}
    values |= {"values": ("a",), "variables": {}}
    event = request_.event(**{name: values.get(name, "a") for name in names})
    assert set(to_request(event)) == {"do", *names}


def test_no_module_outside_names_a_uses_events_to_take_or_carry_them() -> None:
    """Machine, runner, requests and report know uses by USES alone."""
    for name in ("machine", "requests", "edge/carry", "edge/runner"):
        tree = ast.parse((PHONE / f"{name}.py").read_text("utf-8"))
        named = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and "phone.uses." in (node.module or "")
        }
        assert named <= {
            "linekey.phone.uses.all",
            "linekey.phone.uses.use",
            "linekey.phone.uses.provisioning.round",  # that no round goes on
        }
