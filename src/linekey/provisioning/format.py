"""In whose format a file is written: by certificate, record and the file's name."""

from linekey.catalog.vendors import KNOWN_VENDORS
from linekey.errors import InputError
from linekey.makers.all import MAKERS, find_other, maker_of
from linekey.makers.maker import FileKind, Maker
from linekey.provisioning.device import Device
from linekey.provisioning.identity import Identity
from linekey.provisioning.resource import CommonFile, PhoneFile
from linekey.said import say


def certified_maker(identity: Identity) -> str | None:
    """The vendor that made the phone, as far as its certificate says so.

    An authority of the operator's own may speak for phones of any vendor; then the
    name it has is nobody's of the catalogue.
    """
    return identity.vendor if identity.vendor in KNOWN_VENDORS else None


def format_of(
    identity: Identity, device: Device | None, resource: PhoneFile | CommonFile
) -> Maker | None:
    """In whose format the file is to be written; None: nobody says, or not yet."""
    vendor = certified_maker(identity)
    model = None
    if device is not None:
        vendor, model = device.vendor or vendor, device.model
    return format_by(vendor, resource, model)


def maker_of_record(device: Device) -> Maker | None:
    """In whose format a record's file is; None: linekey does not write it yet.

    A record that names neither vendor nor another maker's model is taken for a Snom's.
    """
    if device.vendor:
        return maker_of(device.vendor)
    found = find_other(device.model) if device.model else None
    return maker_of(found.maker) if found else MAKERS["snom"]


def refuse_unwritten(device: Device) -> None:
    """Raise InputError if linekey does not write the files of a record's vendor."""
    if maker_of_record(device) is None:
        raise InputError(
            say(
                "linekey does not write files for %(vendor)s yet",
                vendor=repr(device.vendor),
            ),
            hint=say("it does for %(makers)s", makers=", ".join(MAKERS)),
        )


def format_by(
    vendor: str | None, resource: PhoneFile | CommonFile, model: str | None
) -> Maker | None:
    """The same; ``vendor`` None: the file's name and the record's model say it."""
    if vendor is not None:
        return maker_of(vendor)
    names = {v.removeprefix("lab-") for v in resource.vendors}
    makers = [maker for maker in map(maker_of, sorted(names)) if maker is not None]
    of_snoms = [maker for maker in makers if maker.snom_like]
    if of_snoms:
        return of_snoms[-1]
    if len(makers) == 1:
        return makers[0]
    found = find_other(model) if model else None
    return next((m for m in makers if found is not None and m.id == found.maker), None)


def is_master(maker: Maker | None, resource: PhoneFile | CommonFile) -> bool:
    """Whether the file only names further files, and holds no setting."""
    return maker is not None and maker.kind_of(resource.pattern) is FileKind.MASTER
