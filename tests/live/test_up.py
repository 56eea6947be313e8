"""`linekey up`, as a newcomer calls it, with foreign clients at its door."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LINEKEY = [str(Path(sys.executable).parent / "linekey")]


def run(
    *arguments: str, state: Path, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*LINEKEY, *arguments, "--state", str(state)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.mark.parametrize(
    ("options", "model", "file", "version", "generation", "bits"),
    [
        ((), "D785", "snomD785", "TLSv1.2", "sha256", 2048),
        (
            ("--model", "D715", "--firmware", "8.9.3.60"),
            "D715",
            "snom715",
            "TLSv1.2",
            "sha1",
            1024,
        ),
        (
            ("--model", "D710", "--firmware", "8.7.5.35"),
            "D710",
            "snom710",
            "TLSv1",
            "sha1",
            1024,
        ),
    ],
)
def test_once_provisions_a_phone_and_says_so_in_one_document(
    state: Path, options, model, file, version, generation, bits
) -> None:
    document = json.loads(run("up", "--once", "--json", *options, state=state).stdout)
    phone = document["phone"]
    assert (phone["model"], phone["state"]) == (model, "provisioned")
    assert phone["tls"]["version"] == version
    assert phone["certificate"]["generation"] == generation
    assert phone["certificate"]["key_bits"] == bits
    base, mac = document["server"]["url"], phone["mac"]
    assert [(f["url"], f["status"]) for f in phone["fetched"]] == [
        (f"{base}/{file}.htm", 200),
        (f"{base}/{file}-{mac}.htm", 200),
    ]
    assert phone["settings"] >= 8
    (line,) = phone["lines"]
    assert (line["account"], line["state"]) == (
        "sip:100@pbx.lab.invalid",
        "registered",
    )
    assert [(d["mac"], d["resource"], d["outcome"]) for d in document["decisions"]] == [
        (mac, f"/{file}.htm", "granted"),
        (mac, f"/{file}-{mac}.htm", "granted"),
    ]
    assert document["server"]["status_url"].startswith("http://127.0.0.1:")


def test_the_terminal_tells_what_the_registrar_did_too(state: Path) -> None:
    told = run("up", "--once", state=state).stdout
    said = [
        text.split(maxsplit=2)[1:] for text in told.splitlines() if " sip  " in text
    ]
    assert said == [["sip", "100 registered for 3600 s over TLSv1.2"],
                    ["sip", "100 unregistered"]]  # fmt: skip


def test_a_phone_with_a_shared_certificate_needs_its_token(state: Path) -> None:
    options = ("--model", "320", "--firmware", "8.7.5.35")
    document = json.loads(run("up", "--once", "--json", *options, state=state).stdout)
    reasons = [d["reason"] for d in document["decisions"]]
    assert document["phone"]["state"] == "provisioned"
    assert reasons[-1].startswith("token")
    assert "/t/…/" in document["decisions"][-1]["resource"]


def test_a_phone_that_no_engine_speaks_for_is_refused_in_words(state: Path) -> None:
    options = ("--model", "D710", "--firmware", "8.7.3.25.9")
    done = run("up", "--once", "--json", *options, state=state, expect=1)
    phone = json.loads(done.stdout)["phone"]
    assert phone["state"] == "refused"
    assert "handshake_failure" in phone["reason"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--model", "D999"), "linekey models"),
        (("--firmware", "ten"), "firmware"),
        (("--mac", "xyz"), "12 hex digits"),
        (("--json",), "--once"),
    ],
)
def test_bad_options_are_cured_and_leave_nothing_behind(
    tmp_path: Path, arguments, hint
) -> None:
    done = run("up", *arguments, state=tmp_path / "s", expect=2)
    assert done.stderr.startswith('{"error": ' if "--json" in arguments else "error: ")
    assert hint in done.stderr
    assert done.stdout == ""


def test_a_port_in_use_is_named_with_its_cure(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("up", "--once", "--port", port, state=tmp_path / "s", expect=3)
    assert "in use" in done.stderr
    assert "hint:" in done.stderr


@contextmanager
def staying(
    state: Path,
    stop: signal.Signals = signal.SIGTERM,
    options: tuple[str, ...] = (),
) -> Iterator[tuple[str, list[str]]]:
    """A lab that stays: what it told as it came up, and (afterwards) its output."""
    lab = subprocess.Popen(
        [*LINEKEY, "up", "--state", str(state), "--port", "0", "--status-port", "0",
         "--web-port", "0", "--sip-port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    output: list[str] = []
    try:
        told = ""
        assert lab.stderr is not None
        for line in lab.stderr:
            told += line
            if "Ctrl-C" in line:
                break
        yield told, output
    finally:
        lab.send_signal(stop)
        out, err = lab.communicate(timeout=30)
        output.append(out)
    assert lab.returncode == 0, told + err
    assert "Traceback" not in err


def test_the_labs_phone_is_at_hand_and_stays_as_it_was_left(tmp_path: Path) -> None:
    state = tmp_path / "s"
    with staying(state):
        show = json.loads(run("phone", "show", "--json", state=state).stdout)
        assert (show["model"], show["state"]) == ("D785", "provisioned")
        assert show["running"]
        run("phone", "set", "display_method", "full_contact", state=state)
        key = run("phone", "press", show["mac"], "0", state=state)
        assert "line" in key.stdout
        assert "power-on" in run("phone", "log", state=state).stdout
        busy = run("up", "--port", "0", "--status-port", "0", "--web-port", "0",
                   "--sip-port", "0", state=state, expect=3)  # fmt: skip
        assert "runs in another process" in busy.stderr
        assert "--state" in busy.stderr
    with staying(state):
        settings = json.loads(run("phone", "settings", "--json", state=state).stdout)
        assert {"name": "display_method", "value": "full_contact"}.items() <= next(
            row for row in settings if row["name"] == "display_method"
        ).items()
        other = run("up", "--mac", show["mac"], "--model", "D735", "--once", "--json",
                    state=state)  # fmt: skip
        assert json.loads(other.stdout)["phone"]["model"] == "D735", "it passes by"
    clash = run("up", "--mac", show["mac"], "--model", "D735", "--port", "0",
                "--status-port", "0", "--web-port", "0", "--sip-port", "0",
                state=state, expect=2)  # fmt: skip
    assert "is a D785, not a D735" in clash.stderr


@pytest.mark.parametrize(
    ("model", "firmware", "proved", "version"),
    [
        ("D785", "10.1.33.33", "MAC {mac}, proved", "TLSv1.2"),
        ("D710", "8.7.5.35", "MAC {mac}, proved", "TLSv1"),
        ("320", "8.7.5.35", "shared by many", "TLSv1"),
    ],
)
def test_the_labs_phone_presses_a_key_and_walks_the_labs_menu(
    tmp_path: Path, model: str, firmware: str, proved: str, version: str
) -> None:
    state = tmp_path / "s"
    with staying(
        state, options=("--model", model, "--firmware", firmware)
    ) as (told, _):  # fmt: skip
        assert "/menu.xml" in told
        mac = json.loads(run("phone", "show", "--json", state=state).stdout)["mac"]
        run("phone", "press", "1", state=state)
        shown = run("phone", "screen", state=state).stdout
        assert "1  Who am I?" in shown
        run("phone", "choose", "1", state=state)
        shown = run("phone", "screen", state=state).stdout
        assert proved.format(mac=mac) in shown
        assert f"  {version}" in shown
        run("phone", "press", "CANCEL", state=state)
        run("phone", "choose", "2", state=state)
        run("phone", "submit", "Soup & <bread>", state=state)
        assert "  Soup & <bread>" in run("phone", "screen", state=state).stdout


@pytest.mark.peer("curl")
def test_the_labs_menu_says_who_a_stranger_is_and_takes_no_other_makers_word(
    tmp_path: Path,
) -> None:
    state = tmp_path / "s"
    with staying(state) as (told, _):
        url = next(word for word in told.split() if word.endswith("/menu.xml"))
        ca = json.loads(run("lab", "show", "--json", state=state).stdout)["server_ca"]
        run("lab", "identity", "000413AABBCC", "--out", str(tmp_path), state=state)

        def ask(*options: str) -> str:
            done = subprocess.run(
                ["curl", "-sS", "--cacert", ca, *options, url.replace("menu", "who")],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
            return done.stdout

        mine = tmp_path / "000413AABBCC"
        own = ask("--cert", f"{mine}.pem", "--key", f"{mine}.key")
        assert "MAC 000413AABBCC, proved by your certificate." in own
        assert "no certificate" in ask()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=000413AABBCC", "-keyout", f"{tmp_path}/x.key",
             "-out", f"{tmp_path}/x.pem"],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
        forged = ask("--cert", f"{tmp_path}/x.pem", "--key", f"{tmp_path}/x.key")
        assert forged == "", "the handshake ends"


@pytest.mark.peer("curl")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_serves_strangers_by_their_certificate_and_ends_cleanly(
    tmp_path: Path, stop: signal.Signals
) -> None:
    state = tmp_path / "s"
    with staying(state, stop) as (told, output):
        assert "the phone's pages" in told
        shown = json.loads(run("lab", "show", "--json", state=state).stdout)
        run("lab", "identity", "000413AABBCC", "--out", str(tmp_path), state=state)
        run("device", "add", "000413AABBCC", "--model", "D785", "--set", "language=Deutsch",
            state=state)  # fmt: skip

        def curl(path: str, *options: str) -> str:
            return subprocess.run(
                ["curl", "-sS", "--cacert", shown["server_ca"], "-w", "\n%{http_code}", *options,
                 shown["server_url"] + path],
                capture_output=True, text=True, timeout=30, check=False,
            ).stdout  # fmt: skip

        own = (
            "--cert",
            f"{tmp_path}/000413AABBCC.pem",
            "--key",
            f"{tmp_path}/000413AABBCC.key",
        )
        mine = curl("/snomD785-000413AABBCC.htm", *own)
        assert mine.endswith("\n200")
        assert "Deutsch" in mine
        phone = json.loads(run("device", "list", "--json", state=state).stdout)
        (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMA==\n")
        run(
            "layer",
            "certificate",
            "fleet",
            str(tmp_path / "broken.pem"),
            state=state,
            expect=2,
        )
        assert curl("/snomD785-000413AABBCC.htm", *own) == mine, (
            "a broken file changes nothing"
        )
        other = next(d["mac"] for d in _rows(phone) if d["mac"] != "000413AABBCC")
        assert curl(f"/snomD785-{other}.htm", *own).endswith("\n403")
        assert curl("/snomD785-000413AABBCC.htm").strip() == "000"
        run("up", "--once", "--json", state=state)  # beside it, on free ports
        again = json.loads(run("lab", "show", "--json", state=state).stdout)
        assert again["server_url"] == shown["server_url"]
        run("device", "revoke", "000413AABBCC", "--reason", "stolen", state=state)
        assert curl("/snomD785-000413AABBCC.htm", *own).endswith("\n403")
        log = run("log", "--refused", state=state).stdout
        assert "certificate" in log
        assert "revoked" in log
    assert "granted" in output[0]


def _rows(document: object) -> list[dict]:
    return document if isinstance(document, list) else document["devices"]
