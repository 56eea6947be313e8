"""The morning after the power cut, small: 300 phones come within a second.

Each with a certificate of its own, 60 of them behind one address, against one worker
that has few places for handshakes, so that most wait for their turn. The phones are
those of ``bench.avalanche``, which does it with 10,000.
"""

import argparse
from pathlib import Path

import pytest
from bench.avalanche import KINDS, between_kinds, one_round
from bench.avalanche_fleet import make_crowd
from bench.server_vs_nginx import linekey_serving

from linekey.store.decisions import read_log
from linekey.store.opening import open_store

PHONES = 300


def test_all_are_provisioned_and_no_handshake_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEKEY_LIMITS__HALF_OPEN", "8")
    crowd = make_crowd(PHONES, keys=4, folder=tmp_path / "crowd")
    given = argparse.Namespace(phones=PHONES, within=1.0, loads=1, give_up=120.0)
    with linekey_serving(tmp_path / "state", crowd.fleet, 0, kept_on=None) as server:
        run = one_round(server, crowd, given)
    assert run.lost == 0
    assert {kind: len(run.of(kind)) for kind in KINDS} == {
        "office": 60, "few": 120, "single": 120,
    }  # fmt: skip
    assert not any(p.retry_after for p in run.phones), "nobody is refused for load"
    # Jain's index of the kinds' mean times: 0.76 where one waits three times as long.
    assert between_kinds(run) > 0.8
    with open_store(tmp_path / "state") as database:
        log = read_log(database)
    served = [entry for entry in log if entry.outcome == "granted"]
    assert {str(e.mac) for e in served} == set(crowd.fleet.macs)
    assert len({entry.peer for entry in served}) == 1 + 30 + 120
    # Who has begun a handshake ends it: nobody's signature is paid for nothing.
    assert not [entry for entry in log if entry.reason == "handshake.shed"]
