"""What ``linekey check`` reads: chains, identities, settings, the registry.

Rules: a private key is opened, never shown; what is skipped is said on stderr.
"""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from linekey.catalog.models import find_model
from linekey.catalog.profile import Profile, newest_firmware, profile
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_bundle, parse_certificates, parse_private_key
from linekey.check.phones import Gathered, Setup, each_of, gather_each
from linekey.check.registered import JUDGED, as_linekey_writes, set_up
from linekey.cli.certificate_files import in_file
from linekey.cli.opening import opened, read_file
from linekey.cli.output import note, warn
from linekey.errors import CertificateError, InputError
from linekey.phone.document import PhoneDocument, parse_document
from linekey.phone.identity import parse_identity
from linekey.tls.engine import Identity
from linekey.trust.anchors import Anchors


def read_chain(path: Path) -> tuple[tuple[Certificate, ...], tuple[str, ...]]:
    """A chain file, leaf first as it stands, and what else was found in it."""
    data = read_file(path)
    with in_file(path):
        bundle = parse_bundle(data)
        if not bundle.certificates:
            parse_certificates(data)  # says what it is instead
    return bundle.certificates, tuple(f"{path.name}: {n}" for n in bundle.notes)


def read_identity(path: Path) -> Identity:
    """A phone's certificate, what leads to its root, and its key, in one PEM file.

    The certificate is the one that the key belongs to, wherever in the file it stands.
    Raises CertificateError when one of them is missing.
    """
    data = read_file(path)
    with in_file(path):
        bundle = parse_bundle(data)
        if not bundle.certificates or not bundle.keys:
            missing = "private key" if bundle.certificates else "certificate"
            raise CertificateError(
                f"no {missing} found",
                hint="put certificate, intermediates and private key into one PEM file",
            )
        identity = parse_identity(data)
        return Identity(identity.chain, parse_private_key(bundle.keys[0]))


def read_settings(path: Path) -> tuple[PhoneDocument, list[str]]:
    """A phone configuration, and what of it is not followed (URLs: a check fetches
    nothing)."""
    document = parse_document(read_file(path))
    said = [
        *document.notes,
        *(
            f"line {line.line}: the certificate at its url is not fetched; give "
            "the file with --trust"
            for line in document.certificates
            if line.url
        ),
    ]
    if document.files:
        said.append("further setting files that it names are not fetched")
    return replace(document, notes=()), said


def fleet_phones(
    state: Path | None, setup: Setup, name: str, *, now: datetime
) -> Gathered:
    """The registry's active phones, each with its merged layer on top of ``setup``.

    They are set up by kinds (``store.fleet_kinds``), and are all of them in the answer.

    Imported CAs of their maker, known by fingerprint (or the lab's), are on their tab.

    A phone of unknown model cannot be judged and is named on stderr; one of unknown
    firmware is judged with the newest that the catalogue has for its model. Of another
    maker's phones what linekey writes for them is taken as set: the check of servers'
    certificates and of names, the root of this server's chain, the CAs of the layers.
    """
    # the database costs 0.3 s, which a check without --fleet need not wait for
    from linekey.cli.anchors import anchors_here, say_lacking
    from linekey.cli.serve import load_settings
    from linekey.makers.all import maker_of
    from linekey.provisioning.files import server_layer
    from linekey.store.fleet_kinds import whole_kinds
    from linekey.store.selection import Selection
    from linekey.store.vendor_cas import VendorCas, makers_cas

    anchors: Anchors | None = None
    held: list[Certificate] = []
    skipped = guessed = 0
    strange: dict[str, int] = {}
    kinds: list[tuple[Profile, str, Setup]] = []
    macs: list[tuple[str, ...]] = []
    with opened(state) as database:
        makers = makers_cas(VendorCas(database).all())
        for kind in whole_kinds(database, JUDGED, Selection(state="active")):
            if kind.model is None:
                skipped += len(kind.macs)
                continue
            try:
                model = find_model(kind.model)
            except InputError:
                strange[kind.model] = strange.get(kind.model, 0) + len(kind.macs)
                continue
            if kind.firmware is None and model.is_known:
                guessed += len(kind.macs)
            phone = profile(model, kind.firmware or newest_firmware(model))
            layer = kind.layer
            if not model.is_known:
                if anchors is None:
                    settings = load_settings(database.state, {})
                    anchors = anchors_here(settings, database.state.root)
                added = server_layer(anchors, maker_of(model.maker))
                layer = as_linekey_writes(kind.layer, added)
                held += [entry.certificate for entry in layer.certificates]
            own = set_up(setup, layer, makers.get(kind.vendor, ()))
            kinds.append((phone, "", own))
            macs.append(kind.macs)
    if anchors is not None:
        say_lacking(anchors, held)
    if skipped:
        warn(
            f"left out {skipped} {_phones(skipped)} without a model in the record",
            "linekey device set MAC --model D785",
        )
    for name, count in sorted(strange.items()):
        warn(
            f"left out {count} {_phones(count)} of the model {name!r}, which the "
            "catalogue has not",
            "linekey models lists those that it has",
        )
    if guessed:
        note(
            f"{guessed} {_phones(guessed)} without a firmware in the record: checked "
            "with the newest of the model"
        )
    if not kinds:
        raise InputError(
            "no active phone with a model is registered",
            hint="add one: linekey device add MAC --model D785 --firmware 10.1.33.33",
        )
    return each_of(gather_each(kinds, name, now=now), macs)


def _phones(count: int) -> str:
    return "phone" if count == 1 else "phones"
