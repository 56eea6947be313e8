"""CAs that share a name, and phones below them: renewed ones, and a stranger's own.

Every certificate says by construction which key signed it, so that tests can tell by
themselves whether a valid path exists.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests import certificates
from tests.certificates import END, certificate, ec
from tests.certificates import START as BEGIN

from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

ORGANIZATION = "snom technology AG"
ROOT_CN = f"{ORGANIZATION} SHA-256 CA"
PHONE_CN = "Snom Phone 1 SHA-256"


def name(cn: str) -> Name:
    return Name.build(
        [("emailAddress", "s@example.com"), ("CN", cn), ("O", ORGANIZATION)]
    )


def ca(
    cn: str, own: str, over: Issuer | None = None, *, ids: bool = True,
    begin: datetime = BEGIN, end: datetime = END, is_ca: bool | None = True, **more,
) -> Issuer:  # fmt: skip
    return certificates.ca(
        name(cn), over, own=ec(own), not_before=begin, not_after=end, ca=is_ca,
        key_ids=ids, **more,
    )  # fmt: skip


def phone(
    mac: str, over: Issuer | None, *, ids: bool = True, begin: datetime = BEGIN,
    end: datetime = END, own: str = "phone",
) -> Certificate:  # fmt: skip
    return certificate(
        [("CN", mac)], ec(own), over, not_before=begin, not_after=end, ca=False,
        key_ids=ids,
    )  # fmt: skip


@dataclass
class Line:
    """A root, an intermediate, phones below it; ``fake`` ones have the same names."""

    ids: bool = True
    root: Issuer = field(init=False)
    inner: Issuer = field(init=False)
    fake_root: Issuer = field(init=False)
    fake: Issuer = field(init=False)
    fake_alone: Issuer = field(init=False)

    def __post_init__(self) -> None:
        ids = self.ids
        self.root = ca(ROOT_CN, "root", ids=ids)
        self.inner = ca(PHONE_CN, "inner", self.root, ids=ids)
        self.fake_root = ca(ROOT_CN, "fake root", ids=ids)
        self.fake = ca(PHONE_CN, "fake", self.fake_root, ids=ids)
        # Says that the real root issued it, which did not.
        self.fake_alone = ca(PHONE_CN, "fake", Issuer(self.root.certificate, ec("x")),
                             ids=ids)  # fmt: skip

    def strangers(self) -> list[Certificate]:
        """What somebody can make, and send along, who knows all that is public."""
        found = [self.fake_root, self.fake, self.fake_alone]
        for number in range(3):
            # The key of one stands under the name of all; nobody issued them.
            claims = Issuer(self.inner.certificate, ec(f"cross {number}"))
            found.append(ca(PHONE_CN, f"cross {(number + 1) % 3}", claims, ids=False))
        return [issuer.certificate for issuer in found]
