"""What a token that is limited to groups is told depends on nothing beyond them.

Two databases hold the same in the token's groups, and whatever elsewhere. The same calls
of the real API get the same answers, to the byte, while elsewhere things go on
differently: totals, cursors, ETags, errors, numbers of lines and all.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.console.api.conftest import NOW, World

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.group import Group
from linekey.provisioning.pending import AdoptionRule, MacRange, pending_code
from linekey.settings import ApiSettings
from linekey.store.adoption import AdoptionRules
from linekey.store.database import Database, open_database
from linekey.store.decisions import COLUMNS, LogEntry
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.layers import Layers
from linekey.store.layers import Scope as LayerScope
from linekey.store.paths import StateDir
from linekey.store.pending import Pending, PendingSearch
from linekey.store.schema import decision_log, pending, to_us
from linekey.store.sightings import rows_of, statement
from linekey.store.tokens import ApiTokens, Scope

CASES = max(3, int(os.environ.get("LINEKEY_PROPERTY_CASES", "0")) // 5000)
"""Pairs of databases; most of the time goes into making the API for each."""
MACS = [f"000413AABB{n:02d}" for n in range(8)]
MINE, OTHERS = ("acme", "beta"), ("corp", "delta")
WORDS = ["", "Hall", "corp", "Room 1", "x*"]

labels = st.sampled_from(WORDS)
macs = st.sampled_from(MACS)


@dataclass(frozen=True)
class Phone:
    group: str | None
    label: str
    language: str
    revoked: bool

    def device(self, mac: str) -> Device:
        return Device(
            Mac(mac), "snom", "D785", label=self.label, group=self.group,
            state="revoked" if self.revoked else "active",
            layer=Layer((Setting("language", self.language),)),
        )  # fmt: skip


def phones(*groups: str | None) -> st.SearchStrategy[Phone]:
    return st.builds(Phone, st.sampled_from(groups), labels, labels, st.booleans())


elsewhere = phones(None, *OTHERS)
mine = st.dictionaries(macs, phones(*MINE), min_size=1, max_size=4)
pending_mine = st.dictionaries(macs, st.sampled_from(MINE), max_size=3)
"""Phones that a rule means for a group, and that nobody registered."""
# Who asked for what, in the token's groups: also for phones of others.
asked = st.lists(st.tuples(macs, macs, st.integers(0, 3)), max_size=6)


@dataclass(frozen=True)
class Deed:
    """Something that is done elsewhere; of a phone that is in the token's groups, what
    nobody there may notice is done."""

    what: str
    mac: str
    phone: Phone

    def do(self, database: Database, of_token: Collection[str]) -> None:
        devices, groups = Devices(database), Groups(database)
        free = self.mac not in of_token
        there = free and devices.find(Mac(self.mac)) is not None
        group = self.phone.group or OTHERS[0]
        if self.what == "put" and free:
            new = self.phone.device(self.mac)
            if there:
                devices.change(Mac(self.mac), lambda _: new, NOW)
            else:
                devices.add(new, NOW)
        elif self.what == "remove" and there:
            devices.remove(Mac(self.mac), NOW)
        elif self.what == "layer":
            layer = Layer((Setting("language", self.phone.language),))
            Layers(database).change(LayerScope.group(group), lambda _: layer, NOW)
        elif self.what == "remake group":
            groups.remove(group, NOW, ungroup=True)
            groups.add(Group(group, self.phone.label), NOW)
        elif self.what == "token":
            ApiTokens(database).add(
                f"t{NOW.timestamp()}", Scope.READ, None, NOW, [group]
            )
            ApiTokens(database).revoke(f"t{NOW.timestamp()}", NOW)
        elif self.what == "pending" and free and not there:
            put_pending(database, self.mac, self.phone.group)
        elif self.what == "rule" and free:
            put_rule(database, f"of-{self.mac}", self.mac, group)
        elif self.what == "decide" and free:
            those = PendingSearch(macs=frozenset({Mac(self.mac)}))
            with contextlib.suppress(InputError):
                Pending(database).refuse(those, self.phone.label, NOW)
        elif self.what == "visit" and there:
            put_visit(database, self.mac, self.phone)
        elif self.what == "log":
            # A phone of others, or nobody, asks for one of these phones' files, too.
            other = next(
                (mac for mac in reversed(MACS) if mac not in of_token), "F" * 12
            )
            write_lines(database, [(other, self.mac, 1)], self.phone.group)


deeds = st.lists(
    st.builds(
        Deed,
        st.sampled_from(["put", "put", "remove", "layer", "remake group", "token", "log",
                         "pending", "rule", "decide", "visit"]),
        macs, elsewhere,
    ),
    max_size=3,
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Any = None
    header: tuple[str, str] | None = None


def lists(path: str, **parameters: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    more = st.fixed_dictionaries({"limit": st.integers(1, 3)}, optional=parameters)
    return more.map(
        lambda given: Call(
            "GET", path + "?" + "&".join(f"{n}={v}" for n, v in given.items())
        )
    )


def calls_of(
    methods: list[str], paths: st.SearchStrategy[str], bodies: st.SearchStrategy[Any]
) -> st.SearchStrategy[Call]:
    header = st.sampled_from(
        [None, None, ("If-Match", "*"), ("If-Match", '"stale"'), ("If-None-Match", "*")]
    )
    return st.builds(Call, st.sampled_from(methods), paths, bodies, header)


def places_of() -> st.SearchStrategy[str]:
    def text(*place: Any) -> str:
        plain = json.dumps(place, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(plain).decode().rstrip("=")

    now = to_us(NOW)
    return st.one_of(
        macs.map(lambda mac: f"devices?limit=2&cursor={text('mac', mac)}"),
        st.builds(
            lambda label, mac: f"devices?sort=-label&cursor={text('-label', label, mac)}",
            labels, macs,
        ),
        macs.map(lambda mac: f"devices?sort=changed&cursor={text('changed', now, mac)}"),
        macs.map(lambda mac: f"pending?cursor={text(now, mac)}"),
        st.sampled_from(["decisions", "changes"]).flatmap(
            lambda path: st.sampled_from([f"{now}.0", f"{now}.2", f"{now + 1}.1", "7"])
            .map(lambda cursor: f"{path}?limit=2&cursor={cursor}")
        ),
    )  # fmt: skip


names = st.sampled_from([*MINE, *OTHERS, "nobody", "no name"])
group_or_none = st.sampled_from([*MINE, *OTHERS, "nobody", None])
entry = st.builds(
    lambda name, value, secret: {"name": name, "value": value, "secret": secret},
    st.sampled_from(["language", "timezone", "unheard_of"]), labels, st.booleans(),
)  # fmt: skip
changed = st.fixed_dictionaries(
    {},
    optional={
        "label": labels, "group": group_or_none,
        "layer": st.builds(lambda one: {"set": [one]}, entry),
    },
)  # fmt: skip
whole = st.fixed_dictionaries(
    {},
    optional={
        "label": labels, "group": group_or_none, "model": st.just("D785"),
        "version": st.integers(0, 9),
        "layer": st.builds(lambda one: {"settings": [one]}, entry),
    },
)  # fmt: skip
selected = st.one_of(
    st.just({"all": True}),
    st.builds(lambda them: {"macs": them}, st.lists(macs, min_size=1, max_size=3)),
    st.builds(lambda name: {"group": name}, st.sampled_from([*MINE, *OTHERS, "*", ""])),
    st.builds(lambda text: {"where": [f"label={text}"]}, labels),
)
bulk = st.builds(
    lambda select, change, expected, dry: {
        "select": select, "change": change, "expected": expected, "dry_run": dry,
    },
    selected, changed, st.sampled_from([None, None, 0, 1, 2]), st.booleans(),
)  # fmt: skip
acted = st.builds(
    lambda select, action, dry: {"select": select, "action": action, "dry_run": dry},
    selected, st.sampled_from(["revoke", "restore", "rotate_passwords"]), st.booleans(),
)  # fmt: skip
ahead = st.fixed_dictionaries(
    {},
    optional={
        "macs": st.lists(macs, min_size=1, max_size=3),
        "group": st.sampled_from([*MINE, *OTHERS, "*", ""]),
        "model": st.just("D7*"),
    },
)  # fmt: skip
decided = st.builds(
    lambda select, action, expected, dry: {
        "select": select, "action": action, "expected": expected, "dry_run": dry,
    },
    st.one_of(
        st.just({"all": True}),
        st.builds(lambda them: {"macs": them}, st.lists(macs, min_size=1, max_size=2)),
        st.builds(lambda name: {"group": name}, st.sampled_from([*MINE, *OTHERS, "*"])),
    ),
    st.sampled_from(["approve", "approve", "refuse", "forget"]),
    st.sampled_from([None, None, 0, 1]), st.booleans(),
)  # fmt: skip
approved = st.fixed_dictionaries(
    {}, optional={"label": labels, "group": group_or_none, "model": st.just("D785")}
)
scopes = st.one_of(
    names.map(lambda name: f"group:{name}"), st.sampled_from(["fleet", "model:D785"])
)
nothing = st.none()
calls = st.lists(
    st.one_of(
        lists(
            "devices", q=st.sampled_from(["Hall", "AABB0", "corp", "192.0.2.1"]),
            sort=st.sampled_from(["mac", "-label", "group", "changed"]),
            group=st.sampled_from([*MINE, *OTHERS, "*", ""]),
            where=st.sampled_from([
                "language=x*", "group=corp", "label=", "seen=never", "seen=ever",
                "refused_since=2026-01-01", "not_seen_since=2026-01-01",
                "certificate_ends_before=2027-12-31", "last_reason=own_file",
            ]),
        ),
        lists(
            "pending", q=st.sampled_from(["Hall", "AABB0", "4711"]),
            group=st.sampled_from([*MINE, *OTHERS, "*", ""]),
            state=st.sampled_from(["open", "refused"]),
        ),
        calls_of(["GET", "DELETE"], macs.map(lambda m: f"pending/{m}"), nothing),
        calls_of(["POST"], macs.map(lambda m: f"pending/{m}/refuse"), nothing),
        calls_of(["POST"], macs.map(lambda m: f"pending/{m}/approve"), approved),
        calls_of(["POST"], st.just("pending/bulk"), decided),
        calls_of(["GET"], st.just("adoption-rules"), nothing),
        lists("decisions", mac=macs, reason=st.just("own_file"), group=names),
        lists("changes", mac=macs, who=st.sampled_from(["root", "token"]), group=names),
        calls_of(["GET"], names.map(lambda n: f"forecast?group={n}"), nothing),
        calls_of(["POST"], st.just("forecast"), ahead),
        calls_of(["GET", "DELETE"], macs.map(lambda m: f"devices/{m}"), nothing),
        calls_of(["PUT"], macs.map(lambda m: f"devices/{m}"), whole),
        calls_of(["PATCH"], macs.map(lambda m: f"devices/{m}"), changed),
        calls_of(["POST"], macs.map(lambda m: f"devices/{m}/revoke"), nothing),
        calls_of(["POST"], macs.map(lambda m: f"devices/{m}/token"), nothing),
        calls_of(["GET"], macs.map(lambda m: f"devices/{m}/file"), nothing),
        calls_of(["GET"], macs.map(lambda m: f"devices/{m}/settings"), nothing),
        calls_of(["GET"], st.just("decisions/counts"), nothing),
        calls_of(["POST"], st.just("devices/bulk"), bulk | acted),
        calls_of(["POST"], macs.map(lambda m: f"devices/{m}/digest"),
                 st.just({"username": "desk", "password": "x" * 20})),
        # Cursors of one's own making: a place among phones of others, or in time.
        calls_of(["GET"], places_of(), nothing),
        calls_of(["POST"], macs.map(lambda m: f"devices/{m}/replace"), nothing),
        calls_of(["GET"], scopes.map(lambda s: f"layers/{s}"), nothing),
        calls_of(
            ["PATCH"], scopes.map(lambda s: f"layers/{s}"),
            st.builds(lambda one: {"set": [one]}, entry),
        ),
        calls_of(["GET", "DELETE", "PUT"], names.map(lambda n: f"groups/{n}"), nothing),
        calls_of(["GET"], st.sampled_from(["layers", "groups", "vendor-cas", "health",
                                           "x", "alerts", "alerts/messages", "metrics",
                                           "decisions/follow", "openapi.json"]), nothing),
    ),
    min_size=8, max_size=20,
)  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the groups, to be copied: a migration takes longer."""
    state = StateDir.open(tmp_path_factory.mktemp("template") / "state")
    with open_database(state) as database:
        for name in (*MINE, *OTHERS):
            Groups(database).add(Group(name), NOW)
        for scope in (*(f"group:{name}" for name in MINE), "fleet", "model:D785"):
            layer = Layer((Setting("timezone", scope),))
            Layers(database).change(
                LayerScope.parse(scope), lambda _, new=layer: new, NOW
            )
    return state.root


def put_pending(database: Database, mac: str, group: str | None) -> None:
    """A pending phone; a rule means it for a group."""
    with database.write() as connection:
        connection.execute(sa.delete(pending).where(pending.c.mac == mac))
        connection.execute(
            sa.insert(pending).values(
                mac=mac, code=pending_code(Mac(mac), None), vendor="snom", model="D785",
                model_by="file", issuer="CN=Snom", peer="192.0.2.1", group=group,
                first_at=to_us(NOW), last_at=to_us(NOW), count=1, waited=1,
            )
        )  # fmt: skip


def put_rule(database: Database, name: str, mac: str, group: str) -> None:
    one = MacRange(Mac(mac), Mac(mac))
    rule = AdoptionRule(name.lower(), (one,), "by rule", group, adopts=False)
    AdoptionRules(database).put(rule.name, lambda _: rule, NOW)


def put_visit(database: Database, mac: str, phone: Phone, seconds: int = 0) -> None:
    """A phone comes, as one of its group, from an address that says who it was."""
    entry = LogEntry(
        at=NOW + timedelta(seconds=seconds), kind="decision", mac=Mac(mac),
        outcome="refused" if phone.revoked else "granted", reason="own_file",
        target_mac=Mac(mac) if phone.label else None, group=phone.group,
        peer=f"192.0.2.{WORDS.index(phone.label)}", user_agent=phone.language,
        generation="sha256", certificate_ends_at=NOW + timedelta(days=seconds + 9),
        issuer_key_sha256="cd" * 32,
    )  # fmt: skip
    mark = "?" if database.is_sqlite else "%s"
    for row in rows_of([entry]):
        with database.write() as connection:
            connection.exec_driver_sql(statement(1, mark), row)


def write_lines(
    database: Database, lines: list[tuple[str, str, int]], group: str | None
) -> None:
    for mac, target, seconds in lines:
        entry = LogEntry(
            at=NOW + timedelta(seconds=seconds), kind="decision", outcome="granted",
            reason="own_file", peer="192.0.2.1", mac=Mac(mac), target_mac=Mac(target),
            resource=f"/{target}.xml", group=group,
        )  # fmt: skip
        values = dict(zip(COLUMNS, entry.values(), strict=True))
        with database.write() as connection:
            connection.execute(sa.insert(decision_log).values(values))


def fill(
    database: Database,
    of_token: dict[str, Phone],
    before: list[Phone],
    history: list[tuple[str, str, int]],
    first: list[list[Deed]],
    waiting: dict[str, str],
) -> None:
    """Put the token's phones in, each from elsewhere, where it was something else."""
    devices = Devices(database)
    steps = iter(first)
    theirs = {**of_token, **dict.fromkeys(waiting)}
    for mac, group in sorted(waiting.items()):
        for deed in next(steps, []):
            deed.do(database, theirs)
        put_rule(database, f"mine-{mac}", mac, group)
        put_pending(database, mac, group)
    for number, (mac, phone) in enumerate(sorted(of_token.items())):
        for deed in next(steps, []):
            deed.do(database, theirs)
        was = before[number % len(before)]
        devices.add(was.device(mac), NOW)
        if was.revoked:
            put_visit(database, mac, was, -60)
        new = phone.device(mac)
        devices.change(Mac(mac), lambda _, new=new: new, NOW)
        if phone.label:
            put_visit(database, mac, phone, number)
    for mac, target, seconds in history:
        for deed in next(steps, []):
            deed.do(database, theirs)
        if mac in of_token:
            write_lines(database, [(mac, target, seconds)], of_token[mac].group)


async def answers(
    world: World, token: str, wanted: list[Call], between: Callable[[], None]
) -> list[Any]:
    found: list[Any] = []
    async with world.client(token=token) as http:
        for call in wanted:
            between()
            path: str | None = call.path
            while path is not None:
                answer = await http.request(
                    call.method, path, json=call.body,
                    headers=dict([call.header] if call.header else []),
                )  # fmt: skip
                said = answer.text
                path = None
                if answer.headers.get("content-type", "").startswith(
                    "application/json"
                ):
                    document = answer.json()
                    path = document.get("next")
                    if call.path.endswith("/token"):
                        said = str(sorted(document))
                found.append(
                    (call, answer.status_code, answer.headers.get("etag"), said)
                )
    return found


@settings(
    max_examples=CASES, deadline=None,
    phases=[Phase.reuse, Phase.generate],  # to make it smaller takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                           HealthCheck.data_too_large],
)  # fmt: skip
@given(data=st.data())
def test_no_answer_depends_on_what_is_beyond_the_tokens_groups(
    template: Path, tmp_path: Path, data: st.DataObject
) -> None:
    limits = data.draw(st.sampled_from([MINE, MINE[:1]]))
    of_token = {
        mac: phone for mac, phone in data.draw(mine).items() if phone.group in limits
    }
    waiting = {
        mac: group for mac, group in data.draw(pending_mine).items()
        if mac not in of_token and group in limits
    }  # fmt: skip
    theirs = {**of_token, **dict.fromkeys(waiting)}
    history, wanted = data.draw(asked), data.draw(calls)
    worlds = []
    for name in "ab":
        root = tmp_path / name
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root)
        before = data.draw(st.lists(elsewhere, min_size=1, max_size=3))
        first = data.draw(st.lists(deeds, max_size=5))
        going_on = data.draw(st.lists(deeds, max_size=6))
        with open_database(StateDir.open(root)) as database:
            fill(database, of_token, before, history, first, waiting)
            limit = ApiSettings(requests_each_minute=100_000)
            world = World(database, settings=limit)
            token = ApiTokens(database).add("token", Scope.ADMIN, None, NOW, limits)
            steps = iter(going_on)

            def between(database: Database = database, steps: Any = steps) -> None:
                for deed in next(steps, []):
                    deed.do(database, theirs)

            worlds.append(asyncio.run(answers(world, token, wanted, between)))
    for one, other in zip(*worlds, strict=True):
        assert one == other
