"""The JSON's page names every field that the JSON has, and none that it has not."""

import re
from pathlib import Path
from typing import Any

from tests.unit.check.test_report import CHAIN, NAME, ROOT, run
from tests.unit.trust.pki import NOW

from linekey.catalog.profile import profile
from linekey.check.answer import Answer, KeyExchange, Reach
from linekey.check.assess import Question
from linekey.check.classes import classes_of, hellos_of
from linekey.check.phones import Setup, gather
from linekey.check.run import check_answers
from linekey.tls.suites import SUITES
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "check-json.md"


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {k for v in value.values() for k in keys(v)}
    if isinstance(value, list | tuple):
        return {k for v in value for k in keys(v)}
    return set()


def test_every_field_is_documented() -> None:
    gathered = gather(
        [profile("D785", "10.1.33.33")], NAME, Setup((ROOT.certificate,)), now=NOW
    )
    classes = classes_of(gathered.phones)
    answer = Answer(
        Reach.ANSWERED, "", "", 1.0, None, Version.TLS1_2, SUITES[0xC02F], 0xC02F,
        CHAIN, KeyExchange("ECDHE", "secp256r1", 23), CertificateWish(),
    )  # fmt: skip
    live = check_answers(
        {h.wire_key: answer for h in hellos_of(classes)}, classes,
        Question(NAME, NOW), label="x", host="x", port=443, checked_at=NOW,
        calendar=True,
    )  # fmt: skip
    found = keys(live.as_dict()) | keys(run(calendar=True).as_dict())
    named = set(re.findall(r"`([a-z0-9_]+)`", PAGE.read_text(encoding="utf-8")))
    assert found <= named
