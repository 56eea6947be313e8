"""``linekey trust``: the CAs whose phone certificates are trusted."""

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.catalog.vendors import (
    KNOWN_VENDORS,
    OperatorRule,
    TrustRule,
)
from linekey.cli.certificate_files import in_file
from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    printable,
    read_file,
    with_state,
)
from linekey.cli.output import emit_json, note, say, warn
from linekey.errors import InputError

with on_use():
    from linekey.certs.pem import certificates_in, parse_bundle
    from linekey.provisioning.ca_rules import RULE_CURE
    from linekey.provisioning.expired import parse_expired
    from linekey.provisioning.pending import parse_policy_of_ca
    from linekey.provisioning.purpose import issuing_problem
    from linekey.store.trust_list import Listed, ca_json, operator_rule
    from linekey.store.vendor_cas import VendorCa, VendorCas, describe_ca

app = make_app(
    """Manage the CAs whose phone certificates are trusted.

    linekey contains no CA certificates. Get the files from the phone's vendor (Snom
    publishes its root and intermediates) and import them:

        linekey trust add snom-ca.pem snom-sha256-ca.pem

    Import the roots and the intermediates: some phones send only their own certificate.
    linekey reports whether it knows a CA, and where the MAC address is in the
    certificates of its phones. For a CA that it does not know, you say it:

        linekey trust add new-panasonic-ca.pem --vendor panasonic

        linekey trust add our-own-ca.pem --rule cn-mac
    """
)


class OwnRule(StrEnum):
    """What --rule takes."""

    CN_MAC = TrustRule.CN_MAC.value
    ST_MAC = TrustRule.ST_MAC.value
    SHARED = TrustRule.SHARED.value


FingerprintArgument = Annotated[
    str,
    typer.Argument(
        metavar="FINGERPRINT",
        help="SHA-256 or SHA-1 fingerprint; its first eight digits are enough.",
    ),
]


VendorOption = Annotated[
    str | None,
    typer.Option(
        "--vendor",
        metavar="VENDOR",
        help="Vendor of the phones that these CAs issue for: the MAC is where this "
        "vendor puts it. With --rule: only phones of this vendor.",
    ),
]
RuleOption = Annotated[
    OwnRule | None,
    typer.Option(
        "--rule",
        help="For your own CA: the MAC is the CN (cn-mac) or the ST (st-mac) of each "
        "phone's certificate, or all phones share one certificate (shared). Without "
        "--vendor: for registered phones of any vendor.",
    ),
]


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="CA certificates, in PEM or DER form."),
    ],
    vendor: VendorOption = None,
    rule: RuleOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Trust the phone certificates of these CAs. If a file is refused, none is added.

    For a CA that is already in the list, --vendor and --rule replace what it had.
    """
    at, said = now(), operator_rule(vendor, rule)
    found: dict[str, VendorCa] = {}
    for file in files:
        for ca in _read(file, at, said):
            found.setdefault(ca.certificate.sha256, ca)
    with opened(state, create=True) as database:
        cas = VendorCas(database)
        before = {ca.certificate.sha256: ca for ca in cas.all()}
        cas.add([*found.values()])
        every = {ca.certificate.sha256: ca for ca in cas.all()}
    shown = [every[sha] for sha in found]
    listed = Listed(every.values())
    if json:
        emit_json(
            [
                ca_json(ca, listed) | {"new": ca.certificate.sha256 not in before}
                for ca in shown
            ]
        )
    else:
        for ca in shown:
            old = before.get(ca.certificate.sha256)
            verb = "added" if old is None else "already there:"
            if old is not None and old.said != ca.said:
                verb = "changed"
            say(f"{verb} {_text(ca, listed)}")
    for ca in shown:
        _warn(ca, listed, at)
    _note_label(said)


@app.command("set")
def set_(
    fingerprint: FingerprintArgument,
    vendor: VendorOption = None,
    rule: RuleOption = None,
    no_rule: Annotated[
        bool,
        typer.Option("--no-rule", help="Use linekey's own catalogue again."),
    ] = False,
    pending: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="What this CA's phones get that nobody has registered: refuse, "
            "waiting, adopt, or default (as pending.policy says).",
        ),
    ] = None,
    expired: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="What its phones get once their certificates, or a CA above them, "
            "have ended: refuse, named (phones and groups that say so themselves), "
            "registered (those that were registered before, with a second factor), "
            "accept, or default (as rules.expired_certificates says).",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Say where the MAC is in a CA's certificates, and what its phones get.

    Running servers use it within a second. It also applies to this CA's renewed
    certificate. For example:

        linekey trust set 3f9a0c12 --vendor panasonic

        linekey trust set 3f9a0c12 --pending waiting

        linekey trust set 3f9a0c12 --expired registered
    """
    said = operator_rule(vendor, rule)
    if no_rule and said is not None:
        raise InputError("--no-rule excludes a rule", hint="give one of the two")
    if not no_rule and said is None and pending is None and expired is None:
        raise InputError(
            "nothing to set",
            hint="give --vendor VENDOR, or --rule cn-mac, st-mac or shared, or "
            "--no-rule, or --pending POLICY, or --expired POLICY",
        )
    policy = None if pending is None else parse_policy_of_ca(pending)
    ended = None if expired is None else parse_expired(expired)
    with opened(state) as database:
        cas = VendorCas(database)
        if said is not None or no_rule:
            cas.say(fingerprint, said)
        if pending is not None:
            cas.say_of_pending(fingerprint, policy)
        if expired is not None:
            cas.say_of_expired(fingerprint, ended)
        ca = cas.find(fingerprint)
        listed = Listed(cas.all())
    if json:
        emit_json(ca_json(ca, listed))
    else:
        say(f"set {_text(ca, listed)}")
    _warn_of_phones(ca, listed)
    _note_label(said)


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the trusted CAs, roots first."""
    with opened(state) as database:
        cas = VendorCas(database).all()
    listed = Listed(cas)
    if json:
        emit_json([ca_json(ca, listed) for ca in cas])
        return
    for ca in cas:
        say(_text(ca, listed))
    if not cas:
        note("no CA is trusted, so no phone is")
        words = with_state("linekey trust add FILE…", state)
        note(f"next: {words}, with the vendor's root and intermediates")


@app.command()
def remove(
    fingerprint: FingerprintArgument,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Stop trusting a CA, from the next TLS handshake on."""
    with opened(state) as database:
        cas = VendorCas(database)
        listed = Listed(cas.all())
        ca = cas.remove(fingerprint)
    if json:
        emit_json(ca_json(ca, listed))
    else:
        say(f"removed {_text(ca, listed)}")


def _note_label(said: OperatorRule | None) -> None:
    """Tell what a name means that is no vendor's: it may be a slip."""
    name = said.vendor if said else None
    if name is None or name in KNOWN_VENDORS:
        return
    near = difflib.get_close_matches(name, sorted(KNOWN_VENDORS), n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    note(
        f"linekey does not know the vendor {name!r}{meant}: the CA is for registered "
        "phones of any vendor"
    )


def _read(file: Path, at: Any, said: OperatorRule | None) -> list[VendorCa]:
    data = read_file(file)
    with in_file(file):
        bundle = parse_bundle(data)
        cas = [describe_ca(found, at, said) for found in certificates_in(bundle)]
    if bundle.keys:
        warn(
            f"{file} holds a private key; it was not imported",
            hint="no server needs a CA's private key: find out where it came from",
        )
    for text in bundle.notes:
        note(f"{file}: {printable(text)}")
    return cas


def _text(ca: VendorCa, listed: Listed) -> str:
    certificate, phones = ca.certificate, listed.phones_of(ca)
    vendor = phones.vendor or ca.vendor or "unknown vendor"
    # The hash that it is signed with: an authority with MD5 is of no generation.
    signed = certificate.signature_hash or certificate.signature_algorithm
    known = "known" if ca.known else "NOT KNOWN to linekey"
    if not ca.known and ca.said is not None and ca.said.vendor is None:
        known = "your own CA"
    name = (certificate.common_names or (certificate.label,))[0]
    return (
        f"{ca.role}  {printable(name)}\n"
        f"    {vendor}, {signed}, {certificate.key.text}, {known}, "
        f"until {certificate.not_after:%Y-%m-%d}\n"
        f"    phones: {printable(phones.text)}\n"
        f"{_of_pending(ca)}{_of_expired(ca)}"
        f"    SHA-256 {certificate.sha256}"
    )


def _of_pending(ca: VendorCa) -> str:
    return "" if ca.pending is None else f"    unregistered phones: {ca.pending}\n"


def _of_expired(ca: VendorCa) -> str:
    return "" if ca.expired is None else f"    expired certificates: {ca.expired}\n"


def _warn(ca: VendorCa, listed: Listed, at: Any) -> None:
    name = printable(ca.certificate.label)
    if not ca.known and ca.said is None:
        calls = f"; its name says {ca.vendor}" if ca.vendor else ""
        warn(
            f"linekey does not know this CA: {name}{calls}",
            hint="compare its SHA-256 with the one that the vendor publishes; if they "
            f"differ: linekey trust remove {ca.certificate.sha256[:16]}",
        )
    if ca.certificate.not_after <= at:
        warn(
            f"expired on {ca.certificate.not_after:%Y-%m-%d}: {name}",
            hint="ask the vendor for the renewed CA certificate; if there is none, "
            "linekey trust set --expired says what its phones get",
        )
    if ca.role == "intermediate" and (missing := listed.way_up(ca)):
        warn(
            f"no path from {name} to a root in the list: {printable(missing)}",
            hint="import the missing CA certificates, up to the root: an intermediate "
            "is trusted only with its root",
        )
    _warn_of_phones(ca, listed)


def _warn_of_phones(ca: VendorCa, listed: Listed) -> None:
    name = printable(ca.certificate.label)
    phones = listed.phones_of(ca)
    if phones.rule is None:
        warn(
            f"phones of this CA will be refused: {name}: {printable(phones.problem)}",
            hint=RULE_CURE.format(ca.certificate.sha256[:16]),
        )
    elif problem := issuing_problem(ca.certificate):
        warn(
            f"phones of this CA will be refused: {name}: {printable(problem)}",
            hint="import the CA that issues certificates for TLS",
        )
