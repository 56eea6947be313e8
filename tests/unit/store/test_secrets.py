import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linekey.errors import StorageError
from linekey.store.paths import StateDir
from linekey.store.secrets import KEY_FILE, KeyRing, format_keys, parse_keys


def new_key() -> bytes:
    return AESGCM.generate_key(256)


def test_what_is_sealed_opens_in_its_place_only() -> None:
    ring = KeyRing([new_key()])
    sealed = ring.seal(b"4711", "device 000413AABBCC")
    assert b"4711" not in sealed
    assert ring.unseal(sealed, "device 000413AABBCC") == b"4711"
    with pytest.raises(StorageError, match="changed outside"):
        ring.unseal(sealed, "device 000413AABBCD")


def test_a_changed_value_does_not_open() -> None:
    ring = KeyRing([new_key()])
    sealed = bytearray(ring.seal(b"4711", "here"))
    sealed[-1] ^= 1
    with pytest.raises(StorageError):
        ring.unseal(bytes(sealed), "here")


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x01abcd", b"junk" * 20])
def test_what_was_never_sealed_is_told(value: bytes) -> None:
    with pytest.raises(StorageError):
        KeyRing([new_key()]).unseal(value, "here")


def test_the_same_value_never_looks_the_same_twice() -> None:
    ring = KeyRing([new_key()])
    assert ring.seal(b"4711", "here") != ring.seal(b"4711", "here")


def test_an_old_key_still_opens_and_the_newest_seals() -> None:
    old, new = new_key(), new_key()
    sealed = KeyRing([old]).seal(b"4711", "here")
    both = KeyRing([new, old])
    assert both.unseal(sealed, "here") == b"4711"
    with pytest.raises(StorageError, match="not in keys"):
        KeyRing([old]).unseal(both.seal(b"4711", "here"), "here")


def test_a_key_ring_makes_its_file_once(state: StateDir) -> None:
    first = KeyRing.open(state, new=True)
    assert KeyRing.open(state).unseal(first.seal(b"x", "p"), "p") == b"x"


def test_a_missing_key_file_is_not_made_anew_for_an_old_database(
    state: StateDir,
) -> None:
    with pytest.raises(StorageError, match="missing") as raised:
        KeyRing.open(state)
    assert "backup" in raised.value.hint
    assert state.read_key(KEY_FILE) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"junk", b"linekey-database-key-1\n", b"linekey-database-key-1\nAAAA\n",
     b"linekey-database-key-1\n!!!\n", b"\xff\xfe"],
)  # fmt: skip
def test_a_damaged_key_file_is_told(data: bytes) -> None:
    with pytest.raises(StorageError, match="damaged"):
        parse_keys(data)


def test_keys_go_into_the_file_and_out_of_it() -> None:
    keys = [new_key(), new_key()]
    assert parse_keys(format_keys(keys)) == keys


def test_no_repr_shows_a_key() -> None:
    key = new_key()
    assert repr(KeyRing([key])) == "<KeyRing of 1>"


def test_all_nonce_keys_are_good_and_the_one_in_use_comes_first() -> None:
    old, new = new_key(), new_key()
    ring = KeyRing([old, new])
    (first,) = KeyRing([old]).nonce_keys()
    (second,) = KeyRing([new]).nonce_keys()
    assert ring.nonce_keys() == (first, second)
    ring.use(KeyRing([new]).in_use)
    assert ring.nonce_keys() == (second, first)
    assert not {old, new} & {first, second}, "derived, never the key itself"


def test_a_key_that_another_process_put_into_the_file_is_good_for_nonces_at_once(
    state: StateDir,
) -> None:
    ring, other = KeyRing.open(state, new=True), KeyRing.open(state)
    key_id = other.add_to_file()
    other.use(key_id)
    assert other.nonce_keys()[0] in ring.nonce_keys()
    assert ring.nonce_keys()[0] in other.nonce_keys()


def test_a_file_that_vanishes_or_breaks_takes_no_key_away(state: StateDir) -> None:
    ring = KeyRing.open(state, new=True)
    sealed, nonce_keys = ring.seal(b"x", "p"), ring.nonce_keys()
    state.replace_key(KEY_FILE, b"junk")
    with pytest.raises(StorageError, match="damaged"):
        ring.read_again()
    state.key_path(KEY_FILE).unlink()
    with pytest.raises(StorageError, match="missing"):
        ring.read_again()
    assert ring.unseal(sealed, "p") == b"x"
    assert ring.nonce_keys() == nonce_keys
    with pytest.raises(StorageError):
        ring.use("00000000")


def test_the_file_is_read_again_only_when_it_has_changed(state: StateDir) -> None:
    ring = KeyRing.open(state, new=True)
    ring.read_again()
    assert not ring.read_again()
    KeyRing.open(state).add_to_file()
    assert ring.read_again()
    assert not ring.read_again()
    assert len(ring.file_ids) == 2
