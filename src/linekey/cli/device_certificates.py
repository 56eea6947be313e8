"""What a phone's certificate is worth after its end, as an option."""

from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import opened
from linekey.cli.output import warn

with on_use():
    from linekey.cli.serve import load_settings
    from linekey.provisioning.expired import Expired, parse_expired
    from linekey.store.edit import DeviceEdit
    from linekey.store.vendor_cas import VendorCas, expired_rules

ExpiredOption = Annotated[
    str | None,
    typer.Option(
        metavar="POLICY",
        help="What its certificate is worth after its end: refuse, registered (with a "
        "second factor, if it was registered before), accept, or default (as its "
        "group or its CA says). See `linekey trust set --expired`.",
    ),
]


def expired_of(text: str | None) -> DeviceEdit:
    """Read the option; not given: a change of nothing. Raises InputError."""
    if text is None:
        return DeviceEdit()
    return DeviceEdit(expired=parse_expired(text, of_phone=True))


def warn_if_refused(edit: DeviceEdit, state: Path | None) -> None:
    """Say that no CA leaves it open, if a phone shall come by an ended certificate."""
    if edit.expired not in (Expired.REGISTERED, Expired.ACCEPT):
        return
    with opened(state) as database:
        otherwise = Expired(
            load_settings(database.state, {}).rules.expired_certificates
        )
        trusted = VendorCas(database).all()
        rules = expired_rules(trusted, otherwise)
    keys = [ca.certificate.public_key_sha256 for ca in trusted]
    if not any(rules.of([key]).opens for key in keys):
        warn(
            "every CA's expired certificates are refused in the TLS handshake already, "
            "so this changes nothing yet",
            "for the CA of these phones: linekey trust set FINGERPRINT --expired named",
        )
