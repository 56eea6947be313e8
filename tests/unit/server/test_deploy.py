"""Certificate and key change as one, belong to the folder's owner, or stay as they were."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import certificates

from linekey.certs.pem import parse_bundle
from linekey.errors import InputError, StorageError
from linekey.server.deploy import KEPT, USUAL, Place, place_of, put_in_place
from linekey.server.preflight.checks import read_server_files
from linekey.settings import Settings, parse_settings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ONE, TWO = certificates.server("a.test"), certificates.server("b.test")
LINES = f'certificate = "{USUAL[0]}"\nkey = "{USUAL[1]}"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_of(parse_settings(LINES), tmp_path, ONE.chain[0])


def test_a_pair_is_private_and_the_server_reads_it(
    place: Place, tmp_path: Path
) -> None:
    old = os.umask(0)
    try:
        folder = put_in_place(place, ONE.chain, ONE.key_pem, owner=tmp_path, at=NOW)
    finally:
        os.umask(old)
    assert place.link.is_symlink()
    assert place.link.resolve() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "chain.pem").stat().st_mode) == 0o640
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    files = read_server_files(parse_settings(LINES), tmp_path)
    assert files.chain == ONE.chain
    put_in_place(place, TWO.chain, TWO.key_pem, owner=tmp_path, at=NOW)
    assert read_server_files(parse_settings(LINES), tmp_path).chain == TWO.chain
    assert folder.is_dir()


def test_a_reader_never_has_one_half_of_each(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link changes between the two reads; the pair that was begun is read."""
    put_in_place(place, ONE.chain, ONE.key_pem, owner=tmp_path, at=NOW)
    from linekey.server.preflight import checks

    plain = checks.read_key

    def change_first(*arguments: object) -> object:
        put_in_place(place, TWO.chain, TWO.key_pem, owner=tmp_path, at=NOW)
        return plain(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "read_key", change_first)
    assert read_server_files(parse_settings(LINES), tmp_path).chain == ONE.chain


@pytest.mark.parametrize("step", ["fsync", "rename", "symlink", "replace"])
def test_what_cannot_be_written_leaves_the_old_pair(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put_in_place(place, ONE.chain, ONE.key_pem, owner=tmp_path, at=NOW)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, full)
        with pytest.raises(StorageError, match="no space left") as raised:
            put_in_place(
                place, TWO.chain, TWO.key_pem, owner=tmp_path,
                at=NOW + timedelta(days=1),
            )  # fmt: skip
    assert raised.value.hint
    assert parse_bundle(place.chain_path.read_bytes()).certificates == ONE.chain
    assert not [p for p in place.link.parent.iterdir() if p.name.startswith(".")]


def test_the_newest_few_stay_to_go_back_to(place: Place, tmp_path: Path) -> None:
    foreign = place.link.parent / "mine"
    foreign.mkdir(parents=True)
    for day in range(KEPT + 4):
        put_in_place(
            place, ONE.chain, ONE.key_pem, owner=tmp_path, at=NOW + timedelta(days=day)
        )
    left = sorted(p.name for p in place.link.parent.iterdir() if p.name[0] == "2")
    assert len(left) == KEPT + 1
    assert place.link.resolve().name == left[-1]
    assert foreign.is_dir()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", "names no certificate"),
        ('certificate = "server.pem"\nkey = "server.key"\n', "a folder and no link"),
        ('certificate = "a/x.pem"\nkey = "b/y.pem"\n', "not two files of one folder"),
        ('certificate = "a/x.pem"\nkey = "a/x.pem"\n', "not two files of one folder"),
        ('certificate = "real/x.pem"\nkey = "real/y.pem"\n', "a folder and no link"),
        (
            '[proxy]\nbehind_proxy = true\ntrusted_proxies = ["127.0.0.1"]\n',
            "behind a proxy",
        ),
    ],
)
def test_settings_that_cannot_change_as_one_are_told(
    tmp_path: Path, lines: str, told: str
) -> None:
    (tmp_path / "real").mkdir()
    settings: Settings = parse_settings(lines)
    with pytest.raises(InputError, match=told) as raised:
        place_of(settings, tmp_path, ONE.chain[0])
    assert "--dry-run" in raised.value.hint or USUAL[0] in raised.value.hint


def test_of_two_places_a_certificate_goes_to_that_of_its_kind(tmp_path: Path) -> None:
    settings = parse_settings(
        'certificate = ["rsa/now/chain.pem", "ec/now/chain.pem"]\n'
        'key = ["rsa/now/key.pem", "ec/now/key.pem"]\n'
    )
    ec = certificates.server("a.test", kind="ec", size="secp256r1")
    for one, folder in ((ONE, "rsa"), (ec, "ec"), (TWO, "rsa")):
        place = place_of(settings, tmp_path, one.chain[0])
        assert place.link == tmp_path / folder / "now"
        put_in_place(place, one.chain, one.key_pem, owner=tmp_path, at=NOW)
    files = read_server_files(settings, tmp_path)
    assert files.chain == TWO.chain
    assert files.also is not None
    assert files.also.chain == ec.chain
    other = certificates.server("a.test", kind="ed25519", size=0)
    with pytest.raises(InputError, match="names none of that kind"):
        place_of(settings, tmp_path, other.chain[0])


def test_a_pair_of_another_kind_in_the_same_folder_stays(tmp_path: Path) -> None:
    settings = parse_settings(
        'certificate = ["certificates/rsa/chain.pem", "certificates/ec/chain.pem"]\n'
        'key = ["certificates/rsa/key.pem", "certificates/ec/key.pem"]\n'
    )
    ec = certificates.server("a.test", kind="ec", size="secp256r1")
    place = place_of(settings, tmp_path, ec.chain[0])
    put_in_place(place, ec.chain, ec.key_pem, owner=tmp_path, at=NOW)
    place = place_of(settings, tmp_path, ONE.chain[0])
    for day in range(KEPT + 4):
        at = NOW + timedelta(days=day)
        put_in_place(place, ONE.chain, ONE.key_pem, owner=tmp_path, at=at)
    also = read_server_files(settings, tmp_path).also
    assert also is not None
    assert also.chain == ec.chain


def test_a_link_that_leads_nowhere_is_replaced(place: Place, tmp_path: Path) -> None:
    place.link.parent.mkdir()
    place.link.symlink_to("gone")
    put_in_place(place, ONE.chain, ONE.key_pem, owner=tmp_path, at=NOW)
    assert place.holds(place.chain_path.read_bytes(), ONE.key_pem)
    assert not place.holds(b"", ONE.key_pem)
