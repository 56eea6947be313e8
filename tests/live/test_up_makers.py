"""`linekey up` with other makers' phones, and curl with their lab certificates."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.live.test_up import run

MODELS = {
    "T46U": ("yealink", "T46U", "{base}/{mac}.cfg"),
    "VVX450": ("poly", "VVX450", "{base}/{mac}.cfg"),
    "GRP2614": ("grandstream", "GRP2614", "{base}/cfg{mac}.xml"),
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.mark.parametrize("model", MODELS)
def test_each_makers_phone_is_provisioned_and_registered(
    state: Path, model: str
) -> None:
    maker, name, own = MODELS[model]
    done = run("up", "--once", "--json", "--model", model, state=state)
    document = json.loads(done.stdout)
    phone = document["phone"]
    assert (phone["model"], phone["state"]) == (name, "provisioned"), phone["reason"]
    assert phone["tls"]["version"] == "TLSv1.2"
    (line,) = phone["lines"]
    assert (line["account"], line["state"]) == (
        "sip:100@pbx.lab.invalid",
        "registered",
    )
    mac = phone["mac"].lower()
    base = document["server"]["url"]
    assert own.format(base=base, mac=mac) in [f["url"] for f in phone["fetched"]]
    granted = [d for d in document["decisions"] if d["outcome"] == "granted"]
    assert granted
    assert {d["mac"] for d in granted} == {phone["mac"]}
    shown = run("device", "show", phone["mac"], "--merged", "--json", state=state)
    assert json.loads(shown.stdout)["merged"]["certificates"] == []  # of no layer
    brought = [d for d in granted if d["reason"] == "certificate_file"]
    assert bool(brought) is (maker == "yealink")  # the others have it in their files
    assert "LAB" in phone["certificate"]["subject"]
    key = phone["certificate"]["key"]
    assert key == ("EC secp384r1" if maker == "grandstream" else "RSA-2048"), key


def test_a_gigaset_is_served_as_the_snom_that_it_was_made_from(state: Path) -> None:
    done = run("up", "--once", "--json", "--model", "P850", state=state)
    document = json.loads(done.stdout)
    phone = document["phone"]
    assert (phone["model"], phone["state"]) == ("P850", "provisioned")
    assert [d["resource"] for d in document["decisions"]] == [
        "/GigasetP850.htm",
        f"/GigasetP850-{phone['mac']}.htm",
    ]
    assert phone["lines"][0]["state"] == "registered"


def test_an_old_yealinks_generic_certificate_needs_a_token(state: Path) -> None:
    done = run("up", "--once", "--json", "--model", "T38G", state=state)
    document = json.loads(done.stdout)
    assert document["phone"]["state"] == "provisioned"
    by_name = {d["resource"].rpartition("/")[2]: d for d in document["decisions"]}
    mac = document["phone"]["mac"].lower()
    assert by_name[f"{mac}.cfg"]["reason"] == "token_accepted"


def test_a_second_run_finds_the_same_phone(state: Path) -> None:
    first, second = (
        json.loads(
            run("up", "--once", "--json", "--model", "GRP2614", state=state).stdout
        )["phone"]
        for _ in range(2)
    )
    assert first["mac"] == second["mac"]
    assert first["certificate"]["sha256"] == second["certificate"]["sha256"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--model", "T46X"), "T46U"),
        (("--model", "T46U", "--firmware", "latest"), "firmware"),
    ],
)
def test_bad_options_are_cured(tmp_path: Path, arguments, hint: str) -> None:
    done = run("up", "--once", *arguments, state=tmp_path / "s", expect=2)
    assert hint in done.stderr


def test_a_check_of_such_a_phone_says_unknown_and_what_it_would_take(
    tmp_path: Path,
) -> None:
    done = run(
        "check", "127.0.0.1:9", "--model", "T46U", "--json",
        state=tmp_path / "s", expect=1,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["counts"]["unknown"] == 1
    assert report["connections"] == 0
    assert "--hello FILE" in report["classes"][0]["findings"][0]["cure"]


@pytest.mark.parametrize("maker", ["yealink", "yealink-old", "poly", "cisco-spa"])
def test_a_lab_identity_of_another_maker_is_written(
    state: Path, tmp_path: Path, maker: str, record_interop: Any
) -> None:
    out = tmp_path / "out"
    done = run(
        "lab", "identity", "805EC0000001", "--maker", maker, "--out", str(out),
        "--json", state=state,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert document["maker"] == maker
    assert Path(document["certificate"]).is_file()
    assert all(Path(path).is_file() for path in document["authorities"])
    if shutil.which("openssl"):
        root, *others = document["authorities"]
        more = [word for path in others for word in ("-untrusted", path)]
        proved = subprocess.run(
            ["openssl", "verify", "-auth_level", "0", "-CAfile", root, *more,
             document["certificate"]],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert proved.returncode == 0, proved.stderr
        record_interop("openssl", f"a lab identity in the shape of {maker} is proved")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--maker", "mitel"), "grandstream"),
        (("--maker", "yealink", "--generation", "sha1"), "yealink-old"),
    ],
)
def test_a_maker_that_the_lab_has_not_is_cured(
    tmp_path: Path, options, hint: str
) -> None:
    done = run(
        "lab", "identity", "805EC0000001", "--out", str(tmp_path), *options,
        state=tmp_path / "s", expect=2,
    )  # fmt: skip
    assert hint in done.stderr


def test_up_trusts_what_was_made_before_and_shows_it(tmp_path: Path) -> None:
    lab = tmp_path / "s"
    run(
        "lab", "identity", "C074AD000001", "--maker", "grandstream",
        "--out", str(tmp_path), state=lab,
    )  # fmt: skip
    shown = json.loads(run("lab", "show", "--json", state=lab).stdout)
    assert list(shown["makers"]) == ["grandstream"]
    assert len(shown["makers"]["grandstream"]) == 2
    run("up", "--once", state=lab)
    trusted = run("trust", "list", state=lab).stdout
    assert "LAB G Networks CA" in trusted
