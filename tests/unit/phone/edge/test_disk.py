"""The phone's folder: whole files, an append-only log, one process at a time."""

import json
import os
import stat
from dataclasses import replace

import pytest
from tests.certificates import MAC, NOW, OTHER, authority, device

from linekey.errors import InputError, StorageError
from linekey.phone.edge import disk as phone_state
from linekey.phone.edge.disk import PhoneFolder, PhoneStore
from linekey.phone.state import LOG_LIMIT, PhoneState, new_phone


@pytest.fixture
def folder(tmp_path) -> PhoneFolder:
    return PhoneStore(tmp_path / "phones").folder(MAC)


def phone() -> PhoneState:
    state = new_phone(
        MAC,
        "D785",
        "10.1.33.33",
        setting_server="https://h",
        builtin=device(),
        authorities=(authority().certificate,),
    )
    settings = state.settings.provision("user_pass", "hunter2", idx=1).settings
    return replace(state, settings=settings).with_log(NOW, "phone", "first", "a detail")


def test_a_phone_is_read_as_it_was_saved(folder: PhoneFolder) -> None:
    assert not folder.exists
    state = phone()
    folder.save(state)
    again = PhoneFolder(folder.path).load(authorities=state.trust.authorities)
    assert again == state
    assert not folder.path.parent.stat().st_mode & 0o077


def test_a_reason_that_is_no_text_is_kept_as_far_as_it_is_one(
    folder: PhoneFolder,
) -> None:
    folder.save(replace(phone(), status_reason="refused: \udcffx"))
    assert PhoneFolder(folder.path).load().status_reason == "refused: ?x"


def test_only_its_owner_can_read_what_is_kept(folder: PhoneFolder) -> None:
    folder.save(phone())
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    for path in folder.path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_log_is_appended_to_and_read_back_in_order(folder: PhoneFolder) -> None:
    state = phone()
    for number in range(5):
        state = state.with_log(NOW, "phone", f"line {number}")
        folder.save(state)
    later = PhoneFolder(folder.path)
    state = later.load().with_log(NOW, "phone", "after a restart")
    later.save(state)
    later.save(state)
    assert [e.text for e in later.read_log()] == [
        "first",
        *(f"line {n}" for n in range(5)),
        "after a restart",
    ]
    assert [e.text for e in later.read_log(2)] == ["line 4", "after a restart"]


def test_a_line_that_a_crash_cut_off_costs_only_itself(folder: PhoneFolder) -> None:
    folder.save(phone())
    with (folder.path / "log.jsonl").open("ab") as file:
        file.write(b'{"at": "2026-06-01T12:')
    later = PhoneFolder(folder.path)
    later.save(later.load().with_log(NOW, "phone", "after the crash"))
    assert [e.text for e in later.read_log()] == ["first", "after the crash"]


def test_a_crash_while_writing_leaves_the_old_state(
    folder: PhoneFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = phone()
    folder.save(state)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(phone_state.os, "fsync", full)
    changed = replace(state, bootstrap_server="https://elsewhere")
    with pytest.raises(StorageError, match="No space left"):
        folder.save(changed)
    monkeypatch.undo()
    assert (
        PhoneFolder(folder.path)
        .load(authorities=state.trust.authorities)
        .bootstrap_server
        == "https://h"
    )
    assert not list(folder.path.glob(".*")), "no draft is left behind"


def test_the_log_file_does_not_grow_for_ever(
    folder: PhoneFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_state, "MAX_LOG_BYTES", 2000)
    state = phone()
    for number in range(200):
        state = state.with_log(NOW, "phone", f"line {number}")
        folder.save(state)
    total = sum(path.stat().st_size for path in folder.path.glob("log*.jsonl"))
    assert total < 5000
    texts = [e.text for e in folder.read_log(5)]
    assert texts == [f"line {n}" for n in range(195, 200)]


def test_more_log_than_is_held_in_memory_is_still_on_disk(folder: PhoneFolder) -> None:
    state = phone()
    for number in range(LOG_LIMIT + 50):
        state = state.with_log(NOW, "phone", f"{number}")
    assert len(state.log) == LOG_LIMIT
    folder.save(state)
    assert folder.read_log()[-1].text == str(LOG_LIMIT + 49)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"format": 99}', b'{"format": 1}', b"\xff\x00"]
)
def test_a_broken_state_file_is_the_documented_error(
    folder: PhoneFolder, text: bytes
) -> None:
    folder.save(phone())
    (folder.path / "state.json").write_bytes(text)
    with pytest.raises(StorageError):
        PhoneFolder(folder.path).load()


@pytest.mark.parametrize(
    "field",
    [
        "mac",
        "model",
        "firmware",
        "status",
        "settings",
        "trust",
        "fetched",
        "notifications",
        "function_keys",
    ],
)
def test_a_state_file_with_nonsense_in_a_field_is_the_documented_error(
    folder: PhoneFolder, field: str
) -> None:
    folder.save(phone())
    path = folder.path / "state.json"
    document = json.loads(path.read_bytes())
    for nonsense in ([[1]], {"x": 1}, "no such", 5):
        path.write_text(json.dumps({**document, field: nonsense}))
        with pytest.raises(StorageError):
            PhoneFolder(folder.path).load()


def test_a_broken_identity_file_is_the_documented_error(folder: PhoneFolder) -> None:
    folder.save(phone())
    (folder.path / "builtin.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    with pytest.raises(StorageError, match=r"builtin\.pem"):
        PhoneFolder(folder.path).load()


def test_a_phone_that_is_not_there_says_how_to_make_it(folder: PhoneFolder) -> None:
    with pytest.raises(InputError) as caught:
        folder.load()
    assert "linekey phone run" in caught.value.hint


def test_one_process_has_the_phone_at_a_time(folder: PhoneFolder) -> None:
    assert not folder.running
    with folder.lock():
        other = PhoneFolder(folder.path)
        assert other.running
        with pytest.raises(StorageError, match="another process"), other.lock():
            pytest.fail("two processes have the phone")
    assert not folder.running


def test_the_phones_of_a_folder_are_those_that_were_saved(tmp_path) -> None:
    store = PhoneStore(tmp_path / "phones")
    assert store.macs() == []
    store.folder(MAC).save(phone())
    (tmp_path / "phones" / "no-mac").mkdir()
    (tmp_path / "phones" / str(OTHER)).mkdir()
    os.utime(tmp_path)
    assert store.macs() == [MAC]
