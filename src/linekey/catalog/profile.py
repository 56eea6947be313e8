"""A phone, that is a model with a firmware, as TLS sees it.

``profile(model, firmware)`` gathers what the tables say into one ``Profile``, and
``Profile.facts`` says for each part where it is written and how sure it is. A
combination that no source has (a D785 with 8.7) still gets its profile, with a warning
in ``Profile.warnings`` and low confidence; an unknown model is an error.

Of another maker's phone no source tells versions, suites, key types or hashes
(``Abilities.UNKNOWN``). Its profile holds those of a stand-in, the newest row of the
matrix, so that its virtual phone can speak at all; nobody may judge by them. A captured
ClientHello tells what the phone really offers (``as_captured``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from linekey.catalog import settings_rules as since
from linekey.catalog.evidence import Confidence, Rule, weakest
from linekey.catalog.firmware import Firmware, Since
from linekey.catalog.hello import (
    HELLO_RULES,
    build_hello,
    groups_of,
    sends_server_name,
    sends_session_ticket,
    signature_algorithms_of,
)
from linekey.catalog.known_firmware import firmware_doubts
from linekey.catalog.matrix import ROWS, RowMatch, find_row, firmwares_of
from linekey.catalog.models import (
    MODELS,
    SHA1_NAMES,
    SHA2_NAMES,
    Generation,
    Model,
    find_model,
)
from linekey.catalog.other_models import (
    GRANDSTREAM,
    MAKERS_DEFAULTS,
    VERIFY_BY_DEFAULT,
)
from linekey.tls.hello import ClientHello
from linekey.tls.parameters import parts_of_signature
from linekey.tls.suites import SIGNALS, SUITES
from linekey.tls.versions import Version, label_of

OPENSSL_MAX_RSA_BITS = 16384
"""OPENSSL_RSA_MAX_MODULUS_BITS, at which OpenSSL stops verifying (source code; that the
phones use OpenSSL: SNOM-SETTING, host_name_validation_flags)."""


STAND_IN = RowMatch(
    ROWS[-1],
    "L",
    f"no source tells what it speaks; row {ROWS[-1].id} of Snom's matrix stands in, so"
    " that a virtual phone can speak at all",
)
"""What the profile of another maker's phone holds in the place of a row of its own."""


class Abilities(StrEnum):
    """On whose word a profile says which versions, suites, keys, hashes there are."""

    TABLE = "table"
    """The matrix."""
    CAPTURED = "captured"
    """A hello that the phone sent."""
    UNKNOWN = "unknown"
    """Nobody's: they are a stand-in's, and nothing may be judged by them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one model with one firmware can do in TLS, and its defaults."""

    model: Model
    firmware: Firmware
    match: RowMatch
    """The matrix row that speaks for it, and how well."""
    versions: tuple[int, ...]
    """Protocol versions as on the wire, oldest first; 0x0300 is SSL 3."""
    suites: tuple[int, ...]
    """IANA numbers in the order of preference (the order is inference, L)."""
    authentications: tuple[str, ...]
    """The matrix's column: how a server may prove itself: RSA, ECDSA, DSS, NULL."""
    hashes: tuple[str, ...]
    """Signature hashes it accepts in certificates, named as ``sha1``, ``sha256``."""
    min_key_bits: int | None
    """Smallest RSA key it accepts in a path; None: no limit known."""
    max_key_bits: int | None
    """Largest RSA key it accepts in a path; None: no limit known."""
    builtin_generation: Generation | None
    """Generation of the certificate it is produced with; None: not known."""
    shared_certificate: bool
    """True: its built-in certificate is common to many phones and proves no MAC."""
    generations: frozenset[Generation]
    """Generations it may prove itself with: built in, or by a firmware patch."""
    server_auth_available: bool
    """The setting to verify servers exists (8.2.30)."""
    server_auth_default: bool
    server_auth_forced: bool
    """True: always on, cannot be disabled (10.x)."""
    check_fqdn_available: bool
    check_fqdn_default: bool
    host_flags_available: bool
    host_flags_default: int
    """Default of host_name_validation_flags, OpenSSL's X509_CHECK_FLAG values."""
    base64_certificates: bool
    """Reads ``<certificate type="base64">``."""
    signed_by_rule: bool
    """A provisioned certificate must be signed by one the phone already trusts."""
    phone_cert_type: bool
    """The setting phone_cert_type exists."""
    ldap_substrings: bool
    """``%`` in an LDAP filter is the typed text alone; before, what begins with it."""
    sip_srv_checks_proxy: bool
    """SIP by SRV checks the outbound proxy's, else the registrar's name (RFC 5922)."""
    facts: tuple[Rule, ...]
    warnings: tuple[str, ...]
    abilities: Abilities = Abilities.TABLE
    """On whose word it can do in TLS what it can."""

    @property
    def is_unknown(self) -> bool:
        """Whether nothing tells what it can do in TLS: then nothing can be judged."""
        return self.abilities is Abilities.UNKNOWN

    @property
    def switches_are_settings(self) -> bool:
        """Whether server authentication is an ordinary setting, which goes on and off.

        Snom's is a switch of its own, which a factory reset alone turns off.
        """
        return not self.model.is_known and not self.server_auth_forced

    @property
    def name(self) -> str:
        """``D785 10.1.33.33``."""
        return f"{self.model.name} {self.firmware}"

    @property
    def confidence(self) -> Confidence:
        """How sure the TLS abilities are: no surer than the row, and than the model."""
        return weakest(self.match.confidence, self.model.confidence)

    @property
    def min_version(self) -> int:
        """The oldest protocol version it speaks."""
        return self.versions[0]

    @property
    def max_version(self) -> int:
        """The newest protocol version it speaks."""
        return self.versions[-1]

    @property
    def version_labels(self) -> tuple[str, ...]:
        """``("TLSv1", "TLSv1.1", "TLSv1.2")``, named as OpenSSL does."""
        return tuple(label_of(version) for version in self.versions)

    @property
    def groups(self) -> tuple[int, ...]:
        """Curves it offers, by IANA number, in order; derived (L)."""
        return groups_of(self.match.row)

    @property
    def signature_algorithms(self) -> tuple[int, ...]:
        """TLS 1.2 signature algorithms it offers, by IANA number; derived (L)."""
        return signature_algorithms_of(self.match.row)

    @property
    def sends_server_name(self) -> bool:
        """Whether it names the server it connects to (SNI); derived (L)."""
        return sends_server_name(self.match.row)

    @property
    def sends_session_ticket(self) -> bool:
        """Whether it asks for a session ticket (RFC 5077); derived (L)."""
        return sends_session_ticket(self.match.row)

    def client_hello(
        self, server_name: str | None = None, random: bytes = bytes(32)
    ) -> ClientHello:
        """Return its ClientHello, **derived** from the matrix row, never captured.

        ``server_name`` is the host name or IP address connected to; ``random`` is 32
        bytes, zeros by default, so that equal profiles give equal hellos. What is
        guessed about it is told in ``catalog.hello``. Raises UnicodeError for a text
        that cannot be a host name.
        """
        return build_hello(self.match.row, server_name, random)

    @property
    def sha2_since(self) -> Since | None:
        """From which firmware this model supports SHA-2; None: never."""
        return self.model.sha2_since

    @property
    def supports_sha2(self) -> bool:
        """Whether SHA-2 certificates work."""
        return "sha256" in self.hashes


def profile(model: Model | str, firmware: Firmware | str) -> Profile:
    """Gather what is known of ``model`` with ``firmware``.

    Raises InputError for a model that is not in the catalogue (its hint names near
    ones) and for a text that is no version.
    """
    model = find_model(model) if isinstance(model, str) else model
    firmware = Firmware.parse(firmware) if isinstance(firmware, str) else firmware
    if not model.is_known:
        return _of_another_maker(model, firmware)
    match = find_row(model, firmware)
    forced = since.SERVER_AUTH_FORCED.holds(firmware)
    return Profile(
        model=model,
        firmware=firmware,
        match=match,
        versions=match.row.versions,
        suites=match.row.suites,
        authentications=match.row.authentication,
        hashes=model.hashes_at(firmware),
        min_key_bits=None,
        max_key_bits=OPENSSL_MAX_RSA_BITS,
        builtin_generation=model.builtin,
        shared_certificate=model.shared_certificate,
        generations=model.generations_at(firmware),
        server_auth_available=since.SERVER_AUTH_SETTING.holds(firmware),
        server_auth_default=forced,
        server_auth_forced=forced,
        check_fqdn_available=since.CHECK_FQDN.holds(firmware),
        check_fqdn_default=since.CHECK_FQDN_DEFAULT.holds(firmware),
        host_flags_available=since.HOST_FLAGS.holds(firmware),
        host_flags_default=0 if since.HOST_FLAGS_DEFAULT.holds(firmware) else 2,
        base64_certificates=since.BASE64_CERTIFICATES.holds(firmware),
        signed_by_rule=not since.SIGNED_BY.holds(firmware),
        phone_cert_type=since.PHONE_CERT_TYPE.holds(firmware),
        ldap_substrings=since.LDAP_SUBSTRINGS.holds(firmware),
        sip_srv_checks_proxy=since.SIP_SRV_NAME.holds(firmware),
        facts=(*_facts(model, firmware, match), *HELLO_RULES, *since.STANDING_RULES),
        warnings=firmware_doubts(model, firmware),
    )


def _of_another_maker(model: Model, firmware: Firmware) -> Profile:
    """The profile of a phone of which no source tells what it can do in TLS."""
    usual = MAKERS_DEFAULTS[model.maker]
    verifies = usual.verifies or model.name in VERIFY_BY_DEFAULT
    row = STAND_IN.row
    return Profile(
        model=model,
        firmware=firmware,
        match=STAND_IN,
        versions=row.versions,
        suites=row.suites,
        authentications=row.authentication,
        hashes=SHA1_NAMES + SHA2_NAMES,
        min_key_bits=None,
        max_key_bits=OPENSSL_MAX_RSA_BITS,
        builtin_generation=None,
        shared_certificate=model.shared_certificate,
        generations=frozenset(),
        server_auth_available=True,
        server_auth_default=verifies,
        server_auth_forced=usual.forced,
        check_fqdn_available=True,
        check_fqdn_default=usual.checks_name,
        host_flags_available=False,
        host_flags_default=0,
        base64_certificates=True,
        signed_by_rule=False,
        phone_cert_type=False,
        ldap_substrings=True,
        sip_srv_checks_proxy=True,
        facts=tuple(_facts_of_another(model)),
        warnings=(),
        abilities=Abilities.UNKNOWN,
    )


def as_captured(unknown: Profile, hello: ClientHello) -> Profile:
    """Return the profile with what a ClientHello of that phone tells.

    It tells versions and suites; from these, and from its signature algorithms, which
    kinds of key a server may have and which hashes certificates may be signed with (RFC
    5246 §7.4.1.4.1: SHA-1 where it names none). Below TLS 1.2 a hello tells no hashes;
    then both families are taken. Which roots the phone has no hello tells.
    """
    suites = tuple(n for n in hello.suites if n in SUITES and n not in SIGNALS)
    signed = [parts_of_signature(n) for n in hello.signature_algorithms]
    kinds = {SUITES[number].authentication for number in suites}
    if hello.max_version >= Version.TLS1_3:  # its suites say nothing of keys
        kinds |= {kind.upper() for kind, _ in signed}
    hashes = [digest for _, digest in signed if digest]
    if not hashes and hello.max_version < Version.TLS1_2:
        hashes = [*SHA1_NAMES, *SHA2_NAMES]
    return replace(
        unknown,
        versions=tuple(sorted(hello.versions)),
        suites=suites,
        authentications=tuple(k for k in ("RSA", "ECDSA", "DSS") if k in kinds),
        hashes=tuple(dict.fromkeys(hashes or SHA1_NAMES)),
        abilities=Abilities.CAPTURED,
    )


def _facts_of_another(model: Model) -> Iterator[Rule]:
    usual = MAKERS_DEFAULTS[model.maker]
    yield Rule(
        "tls.unknown",
        "no source tells by model and firmware which versions, suites, curves, kinds of"
        " key and hashes it supports, nor which root CAs are built in; a captured"
        " ClientHello tells all but the CAs",
        "inference: nobody tells them",
        "L",
    )
    if usual.told:
        yield Rule("tls.told", f"{usual.title}: {usual.told}", usual.told_by, "M")
    yield Rule("server_auth.default", f"{usual.title} {usual.statement}",
               usual.source, usual.confidence)  # fmt: skip
    if model.name in VERIFY_BY_DEFAULT and model.maker == GRANDSTREAM:
        yield Rule("server_auth.model", "this model verifies the chain by default",
                   usual.source, usual.confidence)  # fmt: skip
    kind = "one common to many phones" if model.shared_certificate else "one of its own"
    yield Rule(
        "certificate.builtin",
        f"is produced with a certificate, {kind}; its key and hash are not known",
        model.source,
        "L",
    )
    for reading in model.readings:
        yield Rule("model.reading", reading, model.source, "L")


def newest_firmware(model: Model) -> Firmware:
    """Return the newest firmware at which the matrix speaks for the model.

    Of another maker's model it is the one that a source names with it.
    """
    if model.usual_firmware:
        return Firmware.parse(model.usual_firmware)
    return firmwares_of(model)[-1]


def all_profiles() -> tuple[Profile, ...]:
    """Return one profile for each model and each firmware at which a row speaks for it.

    These are the classes that a check of "every phone" goes through; a model that no
    row names appears once, with the newest firmware of the matrix.
    """
    return tuple(
        profile(model, firmware)
        for model in MODELS.values()
        for firmware in firmwares_of(model)
    )


def _facts(model: Model, firmware: Firmware, match: RowMatch) -> Iterator[Rule]:
    versions = ", ".join(label_of(version) for version in match.row.versions)
    confidence = weakest(match.confidence, model.confidence)
    yield Rule(
        "tls.versions", f"speaks {versions} ({match.how})", match.row.source, confidence
    )
    yield Rule(
        "tls.suites",
        f"offers {len(match.row.suites)} suites: all that the row's columns mean",
        f"{match.row.source}; columns read as OpenSSL's",
        weakest("M", confidence),
    )
    yield Rule(
        "tls.suite_order",
        "prefers 256 bits, then 128, then 3DES; forward secrecy and GCM first",
        "inference: OpenSSL's default order",
        "L",
    )
    for note in match.row.notes:
        yield Rule("tls.note", note, match.row.source, match.row.confidence)
    for reading in match.row.readings:
        sure = weakest("M", confidence)
        yield Rule("tls.reading", reading, match.row.source, sure)
    yield from _certificate_facts(model, firmware)
    for rule in since.SINCE_RULES:
        if rule is since.SHA2 and model.sha2_native:
            continue  # told by certificate.hashes; this model had no older firmware
        yield rule.rule(firmware)
        if rule.note:
            yield Rule(f"{rule.name}.note", rule.note, rule.source, "L")


def _certificate_facts(model: Model, firmware: Firmware) -> Iterator[Rule]:
    assert model.builtin is not None, "of every Snom it is known"
    kind = "one common to many phones" if model.shared_certificate else "one of its own"
    yield Rule(
        "certificate.builtin",
        f"is produced with a {model.builtin.label} certificate, {kind}",
        model.source,
        model.confidence,
    )
    yield Rule(
        "certificate.key",
        f"the built-in key is RSA, {model.key_bits} bits",
        "SNOM-TLS, Phone's Web Server Certificate",
        weakest("H", model.confidence),
    )
    known = "SHA-1 and SHA-2" if model.supports_sha2(firmware) else "SHA-1 only"
    yield Rule(
        "certificate.hashes", f"supports {known}", model.source, model.confidence
    )
    yield Rule(
        "certificate.key_limits",
        "no key size limits are documented; OpenSSL verifies RSA keys of up to"
        f" {OPENSSL_MAX_RSA_BITS} bits",
        "inference: OpenSSL source code",
        "L",
    )
    for reading in model.readings:
        yield Rule(
            "certificate.reading", reading, model.source, weakest("M", model.confidence)
        )
