"""The rules of the lint: what weakens a phone, why, and what cures it.

``docs/reference/lint.md`` is written from this table and from ``rows``.

A ``warning`` counts: the exit status is 1. A ``note`` is a weakness that the maker's
default leaves, or one that the operator may have meant; it does not count.

Rule: an id keeps its meaning; scripts rely on it. Where a rule is about a maker's
setting, ``rows`` or the maker's ``guards`` say which, with source and confidence.
"""

from dataclasses import dataclass
from typing import Final, Literal

from linekey.catalog.evidence import Confidence

Weight = Literal["warning", "note"]


@dataclass(frozen=True, slots=True)
class LintRule:
    """One row."""

    title: str
    """What is found, one clause."""
    why: str
    """What follows from it, one clause."""
    cure: str
    """What to do, one clause. May hold {setting} and {safe}."""
    weight: Weight
    source: str
    confidence: Confidence


RULES: Final[dict[str, LintRule]] = {
    "verify.chain": LintRule(
        "the phone accepts any server's certificate",
        "whoever is on the way can pose as the server and read or give the phone its "
        "configuration, with the SIP password",
        "set {setting} to {safe}, and give the phone the CA that the server's chain "
        "leads to",
        "warning", "RFC 5280 §6; the setting's own source", "H",
    ),
    "verify.name": LintRule(
        "the phone does not compare the server's name with its certificate",
        "any certificate that one of the trusted CAs ever issued will do, for whatever "
        "name",
        "set {setting} to {safe}; the server's certificate must have the name that the "
        "phone calls it by",
        "warning", "RFC 9325 §7.1; the setting's own source", "H",
    ),
    "verify.default_off": LintRule(
        "nothing here turns on a check that is off as the phone is made",
        "without it the phone accepts a certificate that it should not",
        "add {setting} = {safe}",
        "note", "the setting's own source", "M",
    ),
    "ca.unused": LintRule(
        "a CA is given, and the phone is told to use its built-in ones alone",
        "a server with a certificate of that CA is refused, and the usual way out is "
        "to turn verification off",
        "set {setting} to {safe}",
        "warning", "the setting's own source", "M",
    ),
    "ca.plain": LintRule(
        "a certificate to trust is fetched without TLS",
        "whoever is on the way can put in a CA of his own, which the phone then trusts",
        "fetch it over https, or put it into the file itself",
        "warning", "RFC 9325 §3.2", "H",
    ),
    "ca.ends": LintRule(
        "a CA in this file has ended, or ends soon",
        "from then on the phone refuses every server with a certificate of it",
        "add the CA that takes its place before that day; linekey forecast names the "
        "phones of a registry",
        "warning", "RFC 5280 §6.1.3", "H",
    ),
    "ca.weak": LintRule(
        "a CA in this file can be imitated",
        "who makes a certificate with the same hash, or finds the key, is trusted",
        "trust a CA with an RSA key of 2048 bits or more, or EC, signed with SHA-256",
        "warning", "RFC 9325 §4.5", "H",
    ),
    "ca.unreadable": LintRule(
        "a certificate in this file cannot be read",
        "the phone does not get to trust it",
        "write it anew; in an XML attribute each line break of PEM is &#10;",
        "warning", "PBX-FSPBX (Poly); RFC 7468", "M",
    ),
    "ca.none": LintRule(
        "a certificate to trust is not that of a CA",
        "the phone trusts this one server alone, until its certificate is renewed",
        "give the CA at the top of the server's chain",
        "note", "RFC 5280 §4.2.1.9", "H",
    ),
    "key.inside": LintRule(
        "a private key stands in this file",
        "who reads the file can pose as whoever the key belongs to",
        "use the certificate that the phone was made with; if it must be another, "
        "never one key for several phones",
        "warning", "the file itself", "H",
    ),
    "provisioning.plain": LintRule(
        "the phone fetches its configuration without TLS",
        "everybody on the way reads the SIP password and can change what the phone is "
        "told",
        "use an https URL",
        "warning", "RFC 9325 §3.2", "H",
    ),
    "firmware.plain": LintRule(
        "the phone fetches its firmware without TLS",
        "whoever is on the way can keep an old firmware on it, or worse",
        "use an https URL",
        "warning", "RFC 9325 §3.2", "M",
    ),
    "directory.plain": LintRule(
        "the directory is asked without TLS",
        "the password that the phone binds with, and every name and number, can be "
        "read on the way",
        "use LDAPS: set {setting} to {safe}",
        "warning", "RFC 4513 §6.3.3", "H",
    ),
    "directory.default_plain": LintRule(
        "a directory is set, and nothing here says that it is asked over TLS",
        "as the phone is made, it asks without",
        "add {setting} = {safe}",
        "note", "the setting's own source", "M",
    ),
    "url.plain": LintRule(
        "a URL that the phone calls has no TLS",
        "what it sends, such as who calls whom, can be read on the way, and the answer "
        "can be another's",
        "use https",
        "warning", "RFC 9325 §3.2", "H",
    ),
    "url.password": LintRule(
        "a URL holds a user's password",
        "URLs stand in logs, in pages of the phone and in the address that it sends on",
        "use the settings for user name and password; better, the phone's certificate",
        "warning", "RFC 3986 §3.2.1", "H",
    ),
    "tls.old": LintRule(
        "TLS 1.0 or 1.1 may be spoken",
        "both are given up: their hashes and suites can be attacked",
        "set {setting} to {safe}",
        "warning", "RFC 8996", "H",
    ),
    "tls.suites": LintRule(
        "cipher suites are allowed that protect nothing",
        "what is sent with them can be read or changed",
        "leave {setting} out, or name suites with AES-GCM only",
        "warning", "RFC 9325 §4.1", "M",
    ),
    "sip.plain": LintRule(
        "SIP goes over UDP or TCP, and this file means it to be encrypted",
        "the keys of SRTP stand in SIP (RFC 4568), so that whoever reads it can listen",
        "set {setting} to {safe}",
        "warning", "RFC 4568; RFC 3261 §26.2", "H",
    ),
    "sip.clear": LintRule(
        "SIP goes over UDP or TCP",
        "who calls whom can be read on the way, and the phone answers anybody",
        "where the registrar speaks TLS: set {setting} to {safe}",
        "note", "RFC 3261 §26.2", "H",
    ),
    "srtp.off": LintRule(
        "the media are not encrypted, and SIP is",
        "whoever is on the way can listen",
        "set {setting} to {safe}",
        "warning", "RFC 3711", "H",
    ),
    "password.shared": LintRule(
        "several phones have the same password",
        "who has one phone, or its file, has the lines of all",
        "give each its own; linekey device rotate-passwords makes new ones",
        "warning", "the files themselves", "H",
    ),
    "password.trivial": LintRule(
        "a password can be guessed",
        "guessing is tried on every PBX that the internet reaches",
        "use a long random one for each phone",
        "warning", "NIST SP 800-63B §5.1.1", "H",
    ),
    "password.common": LintRule(
        "a file that every phone may fetch holds a line's password",
        "everybody who may fetch it has the line",
        "put it into the phone's own file",
        "warning", "the makers' order of requests", "M",
    ),
    "name.absent": LintRule(
        "the certificate does not have a name that this file tells the phone to call",
        "a phone that compares names refuses the server",
        "give the server a certificate with this name, or tell the phone one of those "
        "it has",
        "warning", "RFC 9525 §6", "H",
    ),
    "onboarding.on": LintRule(
        "the phone may ask others than your server whom to obey",
        "who answers first, or has the maker's portal, decides where it gets its "
        "configuration",
        "set {setting} to {safe} once the phone has its own server",
        "warning", "the setting's own source", "M",
    ),
    "onboarding.default_on": LintRule(
        "nothing here turns off that the phone asks others than your server",
        "it is on as the phone is made: who answers first decides where it gets its "
        "configuration",
        "add {setting} = {safe}",
        "note", "the setting's own source", "M",
    ),
    "client.empty": LintRule(
        "the phone does not show its certificate",
        "no server can know which phone it is, so that the file has to be open to "
        "whoever knows a MAC",
        "set {setting} to {safe}",
        "warning", "SNOM-SETTING", "L",
    ),
    "web.plain": LintRule(
        "the phone's own pages are served without TLS",
        "the administrator's password can be read on the way",
        "set {setting} to {safe}",
        "note", "the setting's own source", "H",
    ),
}  # fmt: skip
