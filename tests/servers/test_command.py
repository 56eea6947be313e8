"""``linekey test-servers`` on the command line, and the check that it tells to run."""

import json
import shlex
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

from linekey.lab.servers.catalogue import BY_NAME, CASES
from linekey.lab.servers.kinds import KINDS

LINEKEY = str(Path(sysconfig.get_path("scripts")) / "linekey")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINEKEY, *words], capture_output=True, text=True, timeout=60, check=False
    )


def read_document(stream) -> dict[str, object]:
    """One JSON document from a pipe that stays open."""
    text = ""
    for line in stream:
        text += line
        if line == "}\n":
            return json.loads(text)
    raise AssertionError(f"no JSON document: {text!r}")


@pytest.mark.peer("nginx")
def test_the_check_that_is_told_comes_to_the_expected_verdict(
    tmp_path: Path,
) -> None:
    command = [
        LINEKEY,
        "test-servers",
        "expired",
        "plain-http",
        "--json",
        "--state",
        str(tmp_path),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as servers:
        try:
            cases = read_document(servers.stdout)["servers"]
            reports = [
                run(*shlex.split(str(a["check"]))[1:], "--rate", "200", "--json")
                for a in cases
            ]
        finally:
            servers.send_signal(signal.SIGINT)
        assert servers.wait(30) == 0
    assert [a["name"] for a in cases] == ["expired", "plain-http"]
    expired, plain = (json.loads(r.stdout) for r in reports)
    assert [r.returncode for r in reports] == [1, 3]
    newest = {"model": KINDS["v10"].phone[0], "firmware": KINDS["v10"].phone[1]}
    (row,) = [c for c in expired["classes"] if newest in c["phones"]]
    refused = [
        f["rule"] for f in row["findings"] if f["severity"] == "refused" and not f["ok"]
    ]
    assert refused == ["chain.expired"]
    assert plain["counts"]["unreachable"] == len(plain["classes"])
    assert not list((tmp_path / "test-servers").glob("run-*"))
    assert all(
        p.stat().st_mode & 0o077 == 0
        for p in (tmp_path / "test-servers").rglob("*.key")
    )


def test_the_list_tells_what_each_phone_makes_of_each() -> None:
    done = run("test-servers", "--list", "--json")
    document = json.loads(done.stdout)
    assert [a["name"] for a in document["servers"]] == [a.name for a in CASES]
    assert set(document["kinds"]) == set(KINDS)
    for row in document["servers"]:
        assert row["expected"] == BY_NAME[row["name"]].expected
    shown = run("test-servers", "--list", "forged").stdout
    (refusing,) = (line for line in shown.splitlines() if "chain.signature: " in line)
    assert "D785 10.1.33.33" in refusing
    assert BY_NAME["forged"].why in shown


def test_an_unknown_server_is_told_with_what_is_near() -> None:
    done = run("test-servers", "expird")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "hint: similar names: expired" in done.stderr
