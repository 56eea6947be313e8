"""802.1X: the phone's EAP settings as a supplicant's configuration.

A phone proves itself to the switch before it has an address. The supplicant is
wpa_supplicant's (what desk phones run, L); this module writes the file that it reads,
and the files it names. Running it is the business of ``network.edge``.

Rules: ``ieee8021x_eap_auth_method`` and ``…_md5_username/_password`` (SNOM-SETTING,
H); EAP-TLS proves the phone by its certificate, and the 802.1X tab holds the CAs
that the network's server is proved by (SNOM-TLS, tab "802.1X Certificates"; the tags
that carry a client certificate of its own are undocumented, L). An empty tab proves
nobody: the server is then not checked, as phones do it, and said so (L). The EAP
identity is the MAC, upper-case (L: the certificate's CN, RFC 5216 §5.2 lets the server
compare).

Every line of the configuration is at most ``MAX_LINE`` bytes: wpa_supplicant reads no
more of one, and drops the rest without a word. A suite list that is longer is written
by OpenSSL's aliases, which mean the same suites in the same order; what is left out is
noted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.tls.policy import list_suites, missing_suites
from linekey.tls.suites import SUITES
from linekey.tls.versions import Version

MAX_LINE: Final = 509
"""Bytes of a line, without its end. wpa_supplicant 2.10 reads lines into 512 bytes
(``wpa_config_read``), which leaves 510 before the line feed; one is to spare."""
_LEVEL: Final = "@SECLEVEL=0"
_CIPHERS_KEY: Final = "openssl_ciphers="
_NO_CCM: Final = "!AESCCM"
_ALIASES: Final = tuple(
    (tuple(name.format(bits) for name in names), f"{alias}+AES{bits}")
    for bits in (256, 128)
    for names, alias in (
        (
            (
                "DHE-RSA-AES{}-GCM-SHA" + ("384" if bits == 256 else "256"),
                "DHE-RSA-AES{}-SHA256",
                "DHE-RSA-AES{}-SHA",
            ),
            "DHE+aRSA",
        ),
        (
            (
                "AES{}-GCM-SHA" + ("384" if bits == 256 else "256"),
                "AES{}-SHA256",
                "AES{}-SHA",
            ),
            "kRSA",
        ),
    )
)
"""Runs of suites, and OpenSSL's shorter word for each (ciphers(1); once CCM is out)."""
_UNPROVEN: Final = frozenset({"SRP", "PSK", "DSS", "DSA"})
"""Ways to prove a server that no EAP-TLS server has: SRP and PSK need a secret in the
place of the certificate, DSA keys are no longer taken by current ones."""


class EapMethod(StrEnum):
    """How the phone proves itself; values as in ``ieee8021x_eap_auth_method``."""

    OFF = "off"
    MD5 = "md5"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Supplicant:
    """What to run it with. ``files`` maps a file name to its content.

    ``eap.conf`` is the configuration; it names the others by the folder that
    ``supplicant`` was given. All of it is for the phone alone (mode 0600).
    """

    files: dict[str, bytes]
    notes: tuple[str, ...]


def read_method(text: str) -> EapMethod:
    """Read ``ieee8021x_eap_auth_method``: empty, ``off``, ``EAP-MD5``, ``EAP-TLS`` …

    Raises InputError for a method that linekey's phone does not have.
    """
    name = text.strip().lower().replace("_", "-").removeprefix("eap-")
    if name in ("", "off", "none", "disabled"):
        return EapMethod.OFF
    if name in ("md5", "tls"):
        return EapMethod(name)
    raise InputError(
        f"ieee8021x_eap_auth_method cannot be {text!r}",
        hint="set EAP-TLS, EAP-MD5 or off",
    )


def supplicant(
    method: EapMethod,
    mac: Mac,
    folder: str,
    *,
    chain: Sequence[Certificate] = (),
    key_pem: bytes = b"",
    authorities: Sequence[Certificate] = (),
    versions: Sequence[Version] = (),
    suites: Sequence[int] = (),
    md5_username: str = "",
    md5_password: str = "",
    pinned: Certificate | None = None,
) -> Supplicant:
    """Write the supplicant's files for one method, to be put into ``folder``.

    ``versions`` and ``suites`` (IANA numbers, best first) are those of the phone's
    profile; OpenSSL inside the supplicant runs at security level 0, since SHA-1
    identities are the main case. What it cannot speak is left out and noted. ``pinned``
    accepts exactly this server's certificate instead of the authorities (an exception).
    Raises InputError where the settings do not suffice.
    """
    if method is EapMethod.OFF:
        raise InputError(
            "802.1X is off on this phone", hint="set ieee8021x_eap_auth_method"
        )
    if method is EapMethod.MD5:
        if not md5_username or not md5_password:
            raise InputError(
                "EAP-MD5 needs a user name and a password",
                hint="set ieee8021x_eap_md5_username and ieee8021x_eap_md5_password",
            )
        network = {
            "eap": "MD5",
            "identity": _quoted(md5_username),
            "password": _quoted(md5_password),
        }
        return Supplicant(
            {"eap.conf": _configuration(network)},
            ("EAP-MD5 proves the phone, and nobody to the phone; use EAP-TLS",),
        )
    if not chain or not key_pem:
        raise InputError(
            "EAP-TLS needs a certificate and its key, and this phone has none",
            hint="use a model with a built-in certificate, or set webserver_cert",
        )
    files = {
        "client.pem": "".join(map(to_pem, chain)).encode("ascii"),
        "client.key": key_pem,
    }
    ciphers, notes = _ciphers(suites)
    network = {
        "eap": "TLS",
        "identity": _quoted(str(mac)),
        "client_cert": _quoted(f"{folder}/client.pem"),
        "private_key": _quoted(f"{folder}/client.key"),
        "phase1": _quoted(_phase1(versions)),
    }
    if pinned is not None:
        network["ca_cert"] = _quoted(f"hash://server/sha256/{pinned.sha256}")
    elif authorities:
        files["authorities.pem"] = "".join(map(to_pem, authorities)).encode("ascii")
        network["ca_cert"] = _quoted(f"{folder}/authorities.pem")
    else:
        notes.append(
            "the 802.1X tab is empty, so the network's server is not checked;"
            " put its CA on the tab"
        )
    files["eap.conf"] = _configuration(network, ciphers)
    return Supplicant(files, tuple(notes))


def _configuration(network: dict[str, str], ciphers: str = "") -> bytes:
    # For the whole file and not for the network: that would come too late for the
    # level, which OpenSSL looks at when it takes the phone's certificate.
    lines = [f"{_CIPHERS_KEY}{ciphers}"] if ciphers else []
    lines += ["network={", "\tkey_mgmt=IEEE8021X"]
    for name, value in network.items():
        line = f"\t{name}={value}"
        if len(line.encode("utf-8")) > MAX_LINE:
            raise InputError(
                f"the supplicant cannot read {_TOLD.get(name, name)}: its line is"
                f" longer than {MAX_LINE} bytes",
                hint="make it shorter; a character that is not plain ASCII needs four",
            )
        lines.append(line)
    lines += ["\teapol_flags=0", "}", ""]
    return "\n".join(lines).encode("utf-8")


_TOLD: Final = {
    "identity": "the user name",
    "password": "the password",
    "client_cert": "the path of its folder",
    "private_key": "the path of its folder",
    "ca_cert": "the path of its folder",
}


def _ciphers(suites: Sequence[int]) -> tuple[str, list[str]]:
    """OpenSSL's cipher list for these suites, and a note on those it leaves out."""
    missing = set(missing_suites(suites))
    usable = [n for n in suites if n in SUITES and n not in missing]
    names = [SUITES[n].openssl_name or "" for n in usable]
    if suites and not any(names):
        raise InputError(
            "the supplicant can speak none of this phone's cipher suites:"
            f" {list_suites(suites)}",
            hint="update the phone's firmware; no current OpenSSL has them",
        )
    room = MAX_LINE - len(_CIPHERS_KEY)
    # DEFAULT counts only as the first word of a list.
    text = ":".join([_LEVEL, *filter(None, names)] if names else ["DEFAULT", _LEVEL])
    if len(text) > room:
        kept = [n for n in usable if _can_prove(n)]
        while len(text := ":".join(_by_alias(kept))) > room:
            del kept[-1]  # no row of the catalogue comes to this
        missing |= set(usable) - set(kept)
    notes = [f"suites not offered: {list_suites(sorted(missing))}"] if missing else []
    return text, notes


def _can_prove(number: int) -> bool:
    """Whether a suite's server proves itself as an EAP-TLS server can."""
    suite = SUITES[number]
    return not {suite.key_exchange, suite.authentication} & _UNPROVEN


def _by_alias(suites: Sequence[int]) -> list[str]:
    """The words of a cipher list for these suites, in this order, the shorter way."""
    text = ":".join(filter(None, (SUITES[n].openssl_name for n in suites)))
    if "CCM" in text:
        return [_LEVEL, *text.split(":")]
    padded = f":{text}:"
    for names, alias in _ALIASES:
        padded = padded.replace(f":{':'.join(names)}:", f":{alias}:")
    return [_LEVEL, _NO_CCM, *padded.strip(":").split(":")]


def _phase1(versions: Sequence[Version]) -> str:
    names = {
        Version.TLS1_0: "tlsv1_0",
        Version.TLS1_1: "tlsv1_1",
        Version.TLS1_2: "tlsv1_2",
        Version.TLS1_3: "tlsv1_3",
    }
    return " ".join(
        f"tls_disable_{name}={0 if version in versions or not versions else 1}"
        for version, name in names.items()
    )


def _quoted(text: str) -> str:
    """A string of wpa_supplicant's configuration: quoted, or hex where that fails."""
    if text.isprintable() and text.isascii() and '"' not in text:
        return f'"{text}"'
    return text.encode("utf-8").hex()
