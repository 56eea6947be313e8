"""Small certificates for documents, and the count of the big property test."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

CASES = pytest.StashKey[dict[str, int]]()


def make_der(common_name: str) -> bytes:
    """A self-signed certificate, for documents that only carry one."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        common_name.encode().ljust(32, b".")[:32]
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2034, 1, 1, tzinfo=UTC))
        .sign(key, None)
        .public_bytes(Encoding.DER)
    )


@pytest.fixture(scope="session")
def der_a() -> bytes:
    return make_der("pbx.example")


@pytest.fixture(scope="session")
def der_b() -> bytes:
    return make_der("ldap.example")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[CASES] = {}


@pytest.fixture(scope="session")
def count_cases(pytestconfig: pytest.Config) -> dict[str, int]:
    """Counts that the terminal summary prints, by what was counted."""
    return pytestconfig.stash[CASES]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for what, count in config.stash.get(CASES, {}).items():
        terminalreporter.write_line(f"{count:,} {what}")
