"""Which certificate a phone has and shows, by model, firmware, patch and settings."""

import pytest
from tests.certificates import MAC, OTHER, device, server

from linekey.catalog.models import MODELS, Generation
from linekey.catalog.profile import profile
from linekey.certs.pem import to_pem
from linekey.errors import CertificateError, InputError
from linekey.phone.identity import choose_identity, parse_identity
from linekey.phone.patch import MAX_PATCH, make_patch, read_patch, refusal
from linekey.phone.settings import PhoneSettings

SHA1, SHA2 = device(MAC, "sha1"), device(MAC, "sha256")


def with_setting(name: str, value: str) -> PhoneSettings:
    return PhoneSettings().provision(name, value).settings


def test_an_identity_is_read_whatever_the_order_of_its_parts() -> None:
    pem = SHA2.to_pem()
    parts = [to_pem(c).encode() for c in SHA2.chain]
    for text in (
        pem,
        SHA2.key_pem + parts[1] + parts[0],
        parts[0] + SHA2.key_pem + parts[1],
    ):
        read = parse_identity(text)
        assert read.chain == SHA2.chain
        assert read.leaf.subject == SHA2.leaf.subject
    apart = parse_identity(parts[0] + parts[1], SHA2.key_pem)
    assert apart.mac == MAC
    assert apart.generation is Generation.SHA256


def test_no_repr_and_no_error_shows_the_key() -> None:
    assert "PRIVATE" not in repr(SHA2)
    secret = SHA2.key_pem.splitlines()[1].decode()
    with pytest.raises(CertificateError) as caught:
        parse_identity(to_pem(server().leaf).encode() + device(OTHER, "sha1").key_pem)
    assert "belongs to none" in caught.value.message
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (SHA2.key_pem, "no certificate"),
        (to_pem(SHA2.leaf).encode(), "no private key"),
        (SHA2.to_pem() + SHA1.key_pem, "2 private keys"),
        (b"", "empty"),
        (b"garbage", "other text"),
    ],
    ids=["key", "certificate", "two-keys", "empty", "garbage"],
)
def test_half_an_identity_is_refused_with_its_reason(data: bytes, says: str) -> None:
    with pytest.raises(CertificateError, match=says):
        parse_identity(data)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_shows_its_built_in_certificate_out_of_the_box(model: str) -> None:
    row = profile(model, "10.1.33.33")
    builtin = device(MAC, row.builtin_generation.value)
    choice = choose_identity(row, PhoneSettings(), builtin, None)
    assert (choice.kind, choice.identity) == ("built-in", builtin)
    assert choice.notes == ()


TYPES = [
    # firmware, phone_cert_type, patched, shown, said
    ("8.9.3.60", "", True, "patched", ""),
    ("8.9.3.60", "sha256", True, "patched", ""),
    ("8.9.3.60", "SHA-256", True, "patched", ""),
    ("8.9.3.60", "sha1", True, "built-in", ""),
    ("8.9.3.60", "sha256", False, "built-in", "has no such certificate"),
    ("8.9.3.60", "7", True, "patched", "value that is not known"),
    ("8.9.3.39", "sha1", False, "built-in", "does not know it"),
    ("8.7.5.75", "sha256", False, "built-in", "does not know it"),
    ("8.9.3.52", "", True, "built-in", "it is not set"),
    ("8.9.3.52", "sha256", True, "patched", ""),
    ("8.9.3.40", "sha256", True, "patched", ""),
    ("8.9.3.40", "best", True, "patched", ""),
    ("8.9.3.40", "sha1", True, "built-in", ""),
    ("8.9.3.39", "sha256", True, "built-in", "came with 8.9.3.40"),
    ("8.9.3.39", "", True, "built-in", "came with 8.9.3.40"),
    ("8.7.5.75", "best", True, "built-in", "came with 8.9.3.40"),
    ("10.1.25.0", "best", True, "patched", ""),
    ("10.1.25.0", "best", False, "built-in", ""),
    ("10.1.25.0", "", True, "patched", ""),
]


@pytest.mark.parametrize(("firmware", "value", "patched", "kind", "said"), TYPES)
def test_phone_cert_type_chooses_between_the_certificates_a_phone_has(
    firmware: str, value: str, patched: bool, kind: str, said: str
) -> None:
    settings = with_setting("phone_cert_type", value) if value else PhoneSettings()
    choice = choose_identity(
        profile("D715", firmware), settings, SHA1, SHA2 if patched else None
    )
    assert choice.kind == kind
    assert said in " ".join(choice.notes)
    assert bool(choice.notes) == bool(said), choice.notes


@pytest.mark.parametrize("name", ["webservice_cert", "webserver_cert"])
def test_the_operators_own_certificate_wins_under_both_names(name: str) -> None:
    own = server("phone.example")
    choice = choose_identity(
        profile("D785", "10.1.33.33"),
        with_setting(name, own.to_pem().decode()),
        SHA2,
        None,
    )
    assert choice.kind == "own"
    assert choice.identity is not None
    assert choice.identity.leaf == own.leaf


def test_an_own_certificate_that_cannot_be_read_changes_nothing_and_is_said() -> None:
    settings = with_setting("webservice_cert", to_pem(server().leaf))
    choice = choose_identity(profile("D785", "10.1.33.33"), settings, SHA2, None)
    assert choice.kind == "built-in"
    assert choice.notes == ("webservice_cert cannot be used: no private key",)


# --- the patch


def test_a_patch_is_read_as_it_was_made() -> None:
    patch = read_patch(make_patch(MAC, SHA2))
    assert patch.mac == MAC
    assert patch.identity.chain == SHA2.chain
    assert "PRIVATE" not in repr(patch)


def test_only_a_sha2_certificate_of_that_very_phone_makes_a_patch() -> None:
    for mac, identity in ((OTHER, SHA2), (MAC, SHA1), (MAC, server())):
        with pytest.raises(CertificateError):
            make_patch(mac, identity)


REFUSALS = [
    # model, firmware, refused because
    ("D715", "8.9.3.60", ""),
    ("D715", "10.1.20.0", ""),
    ("D715", "8.9.3.59", "does not support SHA-2"),
    ("D715", "8.7.5.75", "does not support SHA-2"),
    ("710", "8.9.3.60", ""),
    ("720", "8.9.3.52", "does not support SHA-2"),
    ("D785", "10.1.33.33", "built in"),
    ("D120", "10.1.33.33", "built in"),
    ("D735", "10.1.33.33", "built in"),
    ("D385", "10.1.33.33", "built in"),
    *(
        (model, "8.7.5.35", "SHA-1 only")
        for model in ("300", "320", "370", "PA1", "MP")
    ),
]


@pytest.mark.parametrize(("model", "firmware", "says"), REFUSALS)
def test_a_patch_is_for_models_and_firmware_that_can_use_it(
    model: str, firmware: str, says: str
) -> None:
    said = refusal(read_patch(make_patch(MAC, SHA2)), MAC, profile(model, firmware))
    assert says in said
    assert bool(said) == bool(says)


def test_a_patch_for_another_phone_is_refused() -> None:
    said = refusal(
        read_patch(make_patch(MAC, SHA2)), OTHER, profile("D715", "8.9.3.60")
    )
    assert "made for 000413AABBCC" in said


def test_a_patch_that_was_altered_is_refused() -> None:
    good = make_patch(MAC, SHA2)
    foreign = make_patch(OTHER, device(OTHER, "sha256"))
    own_seal = good.split(b'"seal"')[1]
    for bad in (
        good.replace(b"000413AABBCC", b"000413AABBDD", 1),
        foreign.split(b'"seal"')[0] + b'"seal"' + own_seal,
        good.replace(b'"seal": "', b'"seal": "AAAA'),
        good.replace(b"linekey-phone-patch/1", b"linekey-phone-patch/2"),
        b"", b"[]", b"{}", b"[" * 100_000, b"\xff", SHA2.to_pem(), b"x" * (MAX_PATCH + 1),
        b'{"format": 1, "mac": 2, "identity": 3, "seal": 4}',
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            read_patch(bad)
        assert "PRIVATE" not in caught.value.message


def test_the_tests_keys_are_of_the_vendors_sizes() -> None:
    assert (SHA1.leaf.key.bits, SHA2.leaf.key.bits) == (1024, 2048)
