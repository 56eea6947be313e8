"""Every table of codes is of the same rows, and each row can be shown to people."""

from itertools import chain

import pytest

from linekey.console.api.problems import PROBLEMS
from linekey.provisioning.decision import Reason
from linekey.reasons import Row, sentence
from linekey.server.preflight.finding import RULES
from linekey.trust.http_refusal import HttpRefusal
from linekey.wire.door.refusal import REFUSALS

SENTENCES = {
    **{reason.value: (reason.sentence, reason.cure) for reason in Reason},
    **{f"http.{one.value}": (one.sentence, one.cure) for one in HttpRefusal},
    **{
        code: (row.sentence, row.cure)
        for code, row in chain(REFUSALS.items(), PROBLEMS.items(), RULES.items())
    },
}


def test_no_code_stands_in_two_tables() -> None:
    tables = (list(Reason), REFUSALS, PROBLEMS, RULES)
    assert sum(map(len, tables)) + len(HttpRefusal) == len(SENTENCES)


@pytest.mark.parametrize("code", SENTENCES)
def test_a_text_is_a_clause(code: str) -> None:
    for said in SENTENCES[code]:
        assert not said.endswith("."), said
        assert not said or said[0].islower() or said.split()[0].isupper(), said


def test_whatever_is_refused_has_its_cure() -> None:
    cured = [reason.cure for reason in Reason if reason.outcome == "refused"]
    cured += [row.cure for row in (*REFUSALS.values(), *PROBLEMS.values())]
    assert all(cured)


def test_a_row_with_several_statuses_has_no_one_status() -> None:
    assert Row("it is gone", statuses=(404,)).status == 404
    for statuses in ((), (414, 431)):
        with pytest.raises(ValueError, match="unpack"):
            assert Row("it is too large", statuses=statuses).status


def test_clauses_become_sentences_and_commands_stay() -> None:
    assert sentence("this device is revoked") == "This device is revoked."
    assert sentence("linekey device add MAC") == "linekey device add MAC."
    assert sentence("") == ""
