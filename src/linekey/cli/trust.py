"""``linekey trust``: the vendors' CAs whose device certificates are believed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.certs.pem import parse_bundle
from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    printable,
    read_file,
)
from linekey.cli.output import console, emit_json, note, warn
from linekey.errors import CertificateError
from linekey.store.vendor_cas import VendorCa, VendorCas, describe_ca

app = make_app(
    """The vendors' CAs whose device certificates are believed.

    linekey ships none: get the files from the phone's vendor (Snom publishes its root
    and intermediates), and import them:

        linekey trust add snom-ca.pem snom-sha256-ca.pem

    Import the roots, and the intermediates too: some phones send only their own
    certificate. linekey says whether a file is the vendor's CA that it knows.
    """
)


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="PEM (one certificate or many) or DER."),
    ],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Believe the device certificates of these CAs; all the files, or none."""
    at = now()
    found: dict[str, VendorCa] = {}
    for file in files:
        for ca in _read(file, at):
            found.setdefault(ca.certificate.sha256, ca)
    with opened(state, create=True) as database:
        new = {
            ca.certificate.sha256 for ca in VendorCas(database).add([*found.values()])
        }
        roots = {
            ca.certificate.subject.der
            for ca in VendorCas(database).all()
            if ca.role == "root"
        }
    if json:
        emit_json([ca_json(ca) | {"new": sha in new} for sha, ca in found.items()])
    else:
        for sha, ca in found.items():
            verb = "added" if sha in new else "had already"
            console.print(f"{verb} {_text(ca)}", markup=False, soft_wrap=True)
    for ca in found.values():
        _warn(ca, roots, at)


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the CAs, roots first."""
    with opened(state) as database:
        cas = VendorCas(database).all()
    if json:
        emit_json([ca_json(ca) for ca in cas])
        return
    for ca in cas:
        console.print(_text(ca), markup=False, soft_wrap=True)
    if not cas:
        note("no CA is believed, so no phone is")
        note("next: linekey trust add FILE…, with the vendor's root and intermediates")


@app.command()
def remove(
    fingerprint: Annotated[
        str,
        typer.Argument(
            metavar="FINGERPRINT",
            help="SHA-256 or SHA-1, or its first eight digits or more.",
        ),
    ],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Stop believing a CA, from the next handshake on."""
    with opened(state) as database:
        ca = VendorCas(database).remove(fingerprint)
    if json:
        emit_json(ca_json(ca))
    else:
        console.print(f"removed {_text(ca)}", markup=False, soft_wrap=True)


def ca_json(ca: VendorCa) -> dict[str, Any]:
    """Write a CA as JSON values."""
    certificate = ca.certificate
    return {
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "role": ca.role,
        "vendor": ca.vendor,
        "generation": ca.generation,
        "known": ca.known,
        "known_as": ca.known_as,
        "sha256": certificate.sha256,
        "sha1": certificate.sha1,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "key": certificate.key.text,
        "signature_algorithm": certificate.signature_algorithm,
        "added_at": ca.added_at,
    }


def _read(file: Path, at: Any) -> list[VendorCa]:
    try:
        bundle = parse_bundle(read_file(file))
        if not bundle.certificates:
            raise CertificateError(
                "no certificate found",
                hint="give the vendor's CA certificates, in PEM or DER form",
            )
        cas = [describe_ca(certificate, at) for certificate in bundle.certificates]
    except CertificateError as error:
        raise CertificateError(f"{file}: {error.message}", hint=error.hint) from error
    if bundle.keys:
        warn(
            f"{file} holds a private key; it was not imported",
            hint="no server needs a vendor's key: find out where it came from",
        )
    for text in bundle.notes:
        note(f"{file}: {printable(text)}")
    return cas


def _text(ca: VendorCa) -> str:
    certificate = ca.certificate
    vendor = ca.vendor or "unknown vendor"
    generation = ca.generation or certificate.signature_algorithm
    known = "known" if ca.known else "NOT KNOWN to linekey"
    name = (certificate.common_names or (str(certificate.subject),))[0]
    return (
        f"{ca.role}  {printable(name)}\n"
        f"    {vendor}, {generation}, {certificate.key.text}, {known}, "
        f"until {certificate.not_after:%Y-%m-%d}\n"
        f"    SHA-256 {certificate.sha256}"
    )


def _warn(ca: VendorCa, roots: set[bytes], at: Any) -> None:
    name = printable(str(ca.certificate.subject))
    if not ca.known:
        calls = f"; it calls itself {ca.vendor}'s" if ca.vendor else ""
        warn(
            f"linekey does not know this CA: {name}{calls}",
            hint="compare its SHA-256 with what the vendor publishes; if it is not the "
            f"vendor's: linekey trust remove {ca.certificate.sha256[:16]}",
        )
    if ca.certificate.not_after <= at:
        warn(
            f"expired on {ca.certificate.not_after:%Y-%m-%d}: {name}",
            hint="ask the vendor for the renewed CA",
        )
    if ca.role == "intermediate" and ca.certificate.issuer.der not in roots:
        warn(
            f"its root is not in the list: {printable(str(ca.certificate.issuer))}",
            hint="import the root too: an intermediate is believed for its root only",
        )
