"""The promise: no value that was ever a secret is seen where it does not belong.

A case is a history of layers: settings given plainly, as secrets and as public, changed
and removed, in the fleet's, a model's and two devices' layers, and function keys. Each
value is a canary. Whatever was marked, or is a secret by its name or content, must not
stand in the database's files, in what the commands print, in a common or blanked file,
or in another phone's file; and its own phone must get it.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from linekey.catalog.known_settings import find_known
from linekey.catalog.secrecy import is_secret
from linekey.cli.layer_text import layer_lines
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Mark, Setting, merge
from linekey.provisioning.render import render
from linekey.provisioning.shown import device_json, layer_json
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MACS = (Mac("000413AABBC0"), Mac("000413AABBC1"))
SCOPES = ("fleet", "model:D785", *(f"device:{mac}" for mac in MACS))
NAMES = (
    "language", "phone_name", "setting_server", "user_pass", "user_realname",
    "snmp_community", "site_code", "user_pasword", "sip_passwort", "x_note",
)  # fmt: skip
FORMS = ("{}", "https://u:{}@h/", "https://h/?access%5Ftoken={}", "sip:a@h;password={}")

steps = st.lists(
    st.tuples(
        st.sampled_from(SCOPES),
        st.sampled_from(["plain", "plain", "secret", "public", "unset", "key"]),
        st.sampled_from(NAMES),
        st.sampled_from(FORMS + ("{}",) * 6),
    ),
    min_size=1,
    max_size=12,
)


@dataclass
class History:
    """What was given where, and what of it is a secret."""

    database: Database
    secret: set[str] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    now: dict[tuple[str, str], str] = field(default_factory=dict)
    public: set[tuple[str, str]] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=count)

    def step(self, scope: str, kind: str, name: str, form: str) -> None:
        canary = f"canary-{next(self.numbers)}-7f3a91"
        value = form.format(canary)
        parsed, layers = Scope.parse(scope), Layers(self.database)
        if kind == "key":
            mark = Mark.SECRET if form == "{}" else None
            key = FunctionKey(0, "url", value, mark=mark)
            layers.change(parsed, lambda old: old.with_function_keys(key), NOW)
            self.secret.add(canary)
            return
        if kind == "unset":
            layers.change(parsed, lambda old: old.without_setting(name), NOW)
            self.now.pop((scope, name), None)
            self.public.discard((scope, name))
            return
        mark = {"secret": Mark.SECRET, "public": Mark.PUBLIC}.get(kind)
        setting = Setting(name, value, mark=mark)
        with suppress(InputError):  # public, and the name is marked
            layers.change(parsed, lambda old: old.with_settings(setting), NOW)
            self.now[scope, name] = canary
            if kind == "public":
                self.public.add((scope, name))
            if kind == "secret":
                self.marked.add(name)
                self.public = {(s, n) for s, n in self.public if n != name}
                self.secret |= {c for (_, n), c in self.now.items() if n == name}
            # The operator's word stays with its place, and wins over a guess only.
            let_in = (scope, name) in self.public and find_known(name) is None
            guessed = is_secret(name) and not let_in
            if name in self.marked or guessed or form != "{}":
                self.secret.add(canary)


def files(history: History) -> Iterator[tuple[str, bytes, Layer]]:
    """Every file that phones can get: name, bytes, and the layer that is its own."""
    layers = Layers(history.database)
    fleet, model = (layers.get(Scope.parse(s)) for s in SCOPES[:2])

    def written(layer: Layer, *, blank: bool) -> bytes:
        return render(
            layer, firmware=None, mac=None, model=None, blank_secrets=blank,
            certificate_url=lambda c: c.sha256,
        )  # fmt: skip

    yield "common fleet", written(merge(fleet), blank=True), Layer()
    yield "common model", written(merge(fleet, model), blank=True), Layer()
    for mac in MACS:
        own = layers.get(Scope.device(mac))
        merged = merge(fleet, model, own)
        yield f"blanked {mac}", written(merged, blank=True), Layer()
        yield f"file {mac}", written(merged, blank=False), merged


@example(
    [
        ("fleet", "public", "snmp_community", "{}"),
        ("model:D785", "plain", "snmp_community", "{}"),
    ]
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_no_secret_is_seen_where_it_does_not_belong(
    history_steps: list[tuple[str, str, str, str]],
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_database(StateDir.open(Path(folder) / "s")) as database,
    ):
        Devices(database).add_all([Device(mac, "snom", "D785") for mac in MACS], NOW)
        history = History(database)
        for step in history_steps:
            history.step(*step)
        root = database.state.root
        at_rest = b"".join(p.read_bytes() for p in root.glob("linekey.db*"))
        printed = [
            json.dumps(device_json(d), default=str) for d in Devices(database).all()
        ]
        for scope in SCOPES:
            layer = Layers(database).get(Scope.parse(scope))
            printed += [
                repr(layer),
                "\n".join(layer_lines(layer)),
                json.dumps(layer_json(layer), default=str),
            ]
        shown = "\n".join(printed)
        for canary in history.secret:
            assert canary.encode() not in at_rest, history_steps
            assert canary not in shown, history_steps
        for name, body, own in files(history):
            values = {s.value for s in own.settings} | {
                k.value for k in own.function_keys
            }
            for canary in history.secret:
                belongs = any(canary in value for value in values)
                assert (canary.encode() in body) is belongs, (name, history_steps)
        # Nothing unknown is in a common file unless it was let in.
        for name, body, _ in files(history):
            if name.startswith("common"):
                for (scope, setting), canary in history.now.items():
                    if canary.encode() in body:
                        layer = Layers(database).get(Scope.parse(scope))
                        found = next(s for s in layer.settings if s.name == setting)
                        known = find_known(setting) is not None
                        assert known or found.mark is Mark.PUBLIC
