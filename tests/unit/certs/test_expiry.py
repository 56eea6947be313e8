"""What "expires soon" means, for a server and for an authority."""

from datetime import timedelta

import pytest
from tests.certificates import NOW, leaf

from linekey.certs.expiry import expires_soon

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("left", "server", "authority"),
    [
        (-DAY, False, False),
        (0 * DAY, True, True),
        (29 * DAY, True, True),
        (30 * DAY, False, True),
        (364 * DAY, False, True),
        (365 * DAY, False, False),
    ],
)
def test_a_server_has_thirty_days_and_an_authority_a_year(
    left: timedelta, server: bool, authority: bool
) -> None:
    certificate = leaf(None, "a.test", not_after=NOW + left)
    assert expires_soon(certificate, NOW) is server
    assert expires_soon(certificate, NOW, authority=True) is authority
