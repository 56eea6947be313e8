"""Beyond loopback the API speaks TLS, or nothing starts."""

from pathlib import Path

import pytest

from linekey.server.preflight.management import check_management
from linekey.settings import Settings, StatusSettings

PEM, KEY = Path("m.pem"), Path("m.key")


@pytest.mark.parametrize(
    ("host", "certificate", "key", "rule"),
    [
        ("127.0.0.1", None, None, None), ("::1", None, None, None),
        ("localhost", None, None, None),
        ("0.0.0.0", None, None, "management.plain"),
        ("::", None, None, "management.plain"),
        ("192.0.2.7", None, None, "management.plain"),
        ("127.0.0.1.example.com", None, None, "management.plain"),
        ("192.0.2.7", PEM, None, "management.half"),
        ("127.0.0.1", None, KEY, "management.half"),
        ("192.0.2.7", PEM, KEY, None), ("127.0.0.1", PEM, KEY, None),
    ],
)  # fmt: skip
def test_plain_beyond_loopback_is_refused(
    host: str, certificate: Path | None, key: Path | None, rule: str | None
) -> None:
    status = StatusSettings(host=host, certificate=certificate, key=key)
    found = list(check_management(Settings(status=status)))
    assert [one.rule for one in found] == ([] if rule is None else [rule])
    assert all(one.refuses and one.cure for one in found)
    off = status.model_copy(update={"enabled": False})
    assert list(check_management(Settings(status=off))) == []
