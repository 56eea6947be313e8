from dataclasses import replace

import pytest
from tests.pending import NOW, A, B, C, D

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.pending import AdoptionRule, MacRange, parse_range
from linekey.store.adoption import Adopter, AdoptionRules
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.registry import Registry

RULE = AdoptionRule("van", (parse_range(f"{A}-{B}"),), label="new", model="D785")


def put(database: Database, rule: AdoptionRule) -> AdoptionRule:
    return AdoptionRules(database).put(rule.name, lambda _: rule, NOW)


def test_rules_are_kept_changed_and_removed_on_record(database: Database) -> None:
    rules = AdoptionRules(database)
    assert put(database, RULE) == RULE
    assert rules.all() == [RULE]
    rules.put("van", lambda rule: replace(rule or RULE, label="newer"), NOW)
    assert rules.get("van").label == "newer"
    put(database, rules.get("van"))
    rules.remove("van", NOW)
    assert rules.all() == []
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch(subject="rule van"))
    assert [line.action for line in lines] == ["remove", "change", "add"]
    with pytest.raises(InputError, match="no rule"):
        rules.remove("van", NOW)


def test_no_two_rules_speak_of_one_phone(database: Database) -> None:
    put(database, RULE)
    with pytest.raises(InputError, match="'van' speaks of") as told:
        put(database, replace(RULE, name="other", ranges=(parse_range(f"{B}-{D}"),)))
    assert "rules show van" in told.value.hint
    put(database, replace(RULE, name="other", ranges=(parse_range(f"{C}-{D}"),)))


def test_a_group_that_is_not_there_is_told(database: Database) -> None:
    with pytest.raises(InputError, match="no group"):
        put(database, replace(RULE, group="acme"))
    assert AdoptionRules(database).all() == []


def test_who_is_limited_to_groups_sees_no_rules(database: Database) -> None:
    put(database, RULE)
    limited = database.acting(database.actor, frozenset({"acme"}))
    assert AdoptionRules(limited).all() == []


def test_a_large_delivery_is_one_rule(database: Database) -> None:
    each = tuple(
        MacRange(mac, mac)
        for mac in (Mac(f"00041300{n:04X}") for n in range(0, 9000, 2))
    )
    put(database, replace(RULE, ranges=each))
    assert AdoptionRules(database).get("van").count == 4500
    with database.read() as connection:
        (line,) = read_changes(connection, ChangeSearch(subject="rule van"))
    assert "4480 more, 4500 MACs in all" in str([d.after for d in line.details])


async def test_the_readers_notice_rules_and_refusals(database: Database) -> None:
    with Registry(database) as registry:
        assert (await registry.adoption(await registry.revision())).rules == ()
        put(database, RULE)
        at = await registry.revision()
        assert (await registry.adoption(at)).find(A, "snom") == RULE
        assert not await registry.is_refused(A)


async def test_the_server_registers_in_a_thread_of_its_own(database: Database) -> None:
    put(database, RULE)
    newcomer = Newcomer(A, "4711", "snom", "CN=Snom")
    with Adopter(database) as adopter:
        assert await adopter.adopt(newcomer, "van", "192.0.2.7", NOW)
        assert not await adopter.adopt(newcomer, "van", "192.0.2.7", NOW)
        assert not await adopter.adopt(newcomer, "gone", "192.0.2.7", NOW)
    assert Devices(database).get(A).label == "new"
