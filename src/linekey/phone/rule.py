"""One rule of the virtual phone: what it does, on whose word, shown by which tests.

The table is ``phone.rules``.
"""

from dataclasses import dataclass
from typing import Final

from linekey.catalog.evidence import Confidence

_FILES: Final = {
    "machine": "tests/unit/phone/test_machine.py",
    "identity": "tests/unit/phone/test_phone_identity.py",
    "settings": "tests/unit/phone/test_phone_settings.py",
    "pieces": "tests/unit/phone/test_phone_pieces.py",
    "urls": "tests/unit/phone/test_urls.py",
    "document": "tests/unit/phone/test_document.py",
    "boot": "tests/pair/test_phone_boot.py",
    "control": "tests/pair/test_phone_control.py",
    "refusals": "tests/pair/test_phone_refusals.py",
    "hello": "tests/pair/test_phone_hello.py",
    "crash": "tests/live/test_phone_crash.py",
    "http": "tests/pair/test_phone_http.py",
    "live": "tests/live/test_phone_peers.py",
    "fuzz": "tests/fuzz/test_phone_fuzz.py",
    "judge": "tests/unit/trust/test_judge.py",
    "registration": "tests/unit/phone/test_sip_registration.py",
    "kamailio": "tests/live/test_phone_sip.py",
    "account": "tests/unit/phone/test_sip_account.py",
    "keys": "tests/unit/phone/test_keys.py",
    "browser": "tests/unit/phone/test_minibrowser.py",
    "ldap": "tests/unit/phone/test_directory_settings.py",
}
"""The files of tests, from the top of the repository, by a short name."""
FACTS: Final = "facts snom"
"""linekey's collected notes on Snom phones, as a source."""


@dataclass(frozen=True, slots=True)
class PhoneRule:
    """One thing the phone does; ``shown_by`` names tests as ``file::name``."""

    part: str
    rule: str
    firmware: str
    source: str
    confidence: Confidence
    shown_by: tuple[str, ...]

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that hold it, as ``path::name``."""
        return tuple(
            f"{_FILES[file]}::{name}"
            for file, _, name in (test.partition("::") for test in self.shown_by)
        )
