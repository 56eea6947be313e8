"""The phone's Certificate Authorities tab: Mozilla's list as of the firmware.

The seed says that the list comes with the firmware, and hardly any firmware's date is
known (``catalog.firmware_dates``). So the operator may say it; otherwise the newest
list stands in, and the sentence says so (L).
"""

from datetime import date

from linekey.catalog.firmware import Firmware
from linekey.catalog.firmware_dates import date_of
from linekey.catalog.roots import release_at, releases, roots_at
from linekey.certs.certificate import Certificate


def authorities_of(
    firmware: Firmware, told: date | None = None
) -> tuple[tuple[Certificate, ...], str]:
    """The list, and a sentence on which one it is.

    ``told`` is the operator's word on the firmware's date. Raises InputError for a date
    before the history of Mozilla's list begins.
    """
    known = date_of(firmware)
    settled = told or (known.exact if known else None)
    release = releases()[-1] if settled is None else release_at(settled)
    roots = roots_at(release.date)
    if settled is None:
        why = "the firmware's date is not known, so the newest list stands in"
    else:
        why = f"the firmware is of {settled}"
    return roots, f"{len(roots)} authorities: Mozilla's list of {release.date}; {why}"
