"""What the status page reads from the database says what the command line says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.cli.test_trust import ROOT

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.console.source import StoreSource
from linekey.store.database import open_database
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, describe_ca

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def test_an_authority_of_ones_own_is_named_as_such(tmp_path: Path) -> None:
    database = open_database(StateDir.open(tmp_path / "state"))
    cas = VendorCas(database)
    cas.add([describe_ca(ROOT, NOW)])
    source = StoreSource(database, url="", certificate=lambda: ROOT, started_at=NOW)
    (line,) = await source.authorities(NOW)
    assert line.vendor == ""
    assert line.phones.startswith("refused")
    cas.say(ROOT.sha256, OperatorRule(TrustRule.CN_MAC))
    (line,) = await source.authorities(NOW)
    assert line.vendor == "own"
    assert "MAC in the CN" in line.phones
    source.close()
    database.close()


@pytest.mark.parametrize("days", [-1, 3])
async def test_a_certificate_that_ends_is_renewed_and_reloaded_not_restarted(
    tmp_path: Path, days: int
) -> None:
    database = open_database(StateDir.open(tmp_path / "state"))
    source = StoreSource(database, url="", certificate=lambda: ROOT, started_at=NOW)
    overview = await source.overview(ROOT.not_after - timedelta(days=days))
    assert overview.notes[0].endswith("renew it, then reload linekey (SIGHUP).")
    source.close()
    database.close()
