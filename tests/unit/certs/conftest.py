"""Keys and chains for the certificate tests: made once, since keys are slow."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from linekey.certs.build import HashName, Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2037, 12, 31, tzinfo=UTC)


def named(cn: str) -> Name:
    return Name.build([("CN", cn)])


@dataclass
class Family:
    """A root, an intermediate, a leaf; and the means to make relatives."""

    keys: list[PrivateKey]
    hash: HashName = "sha256"

    def __post_init__(self) -> None:
        self.root = self.make("root", 0, None, ca=True)
        self.intermediate = self.make("intermediate", 1, self.as_issuer(0), ca=True)
        self.leaf = self.make("000413AABBCC", 2, self.as_issuer(1))

    def as_issuer(self, number: int) -> Issuer:
        name = ("root", "intermediate", "leaf")[number]
        return Issuer(getattr(self, name), self.keys[number])

    def make(self, cn: str, key: int, issuer: Issuer | None, **options) -> Certificate:
        arguments = {
            "serial": 7, "not_before": BEGIN, "not_after": END, "hash": self.hash,
        } | options  # fmt: skip
        return issue(named(cn), self.keys[key], issuer, **arguments)


@pytest.fixture(scope="session")
def keys() -> list[PrivateKey]:
    return [new_key("rsa", 1024) for _ in range(4)]


@pytest.fixture(scope="session")
def family(keys: list[PrivateKey]) -> Family:
    return Family(keys)
