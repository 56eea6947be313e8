"""The registry's phones as a check has them: by kinds, and yet each as it is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.certificates import ca, ec, leaf

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.certs.pem import to_pem
from linekey.check.classes import classes_of
from linekey.check.phones import Setup, gather_each
from linekey.check.registered import set_up
from linekey.cli.check_inputs import fleet_phones
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import (
    CertificateEntry,
    FunctionKey,
    Layer,
    Mark,
    Setting,
    merge,
)
from linekey.store.devices import Change, Devices
from linekey.store.layers import Layers, Scope
from linekey.store.opening import open_store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAME = "prov.example.com"
BARE = Setup(authorities=())  # without Mozilla's list, which takes long to lay out
ENTRY = CertificateEntry(ca("fleet root").certificate.der)

SETTINGS = st.builds(
    Setting,
    st.sampled_from(
        (
            *("check_fqdn_against_server_cert", "Check_FQDN_against_server_cert"),
            *("host_name_validation_flags", "tls_server_authentication", "zzyzx"),
            *("empty_tls_client_cert", "phone_cert_type", "user_pass", "user_name"),
            *("language", "dkey_snom", "user_name1"),
        )
    ),
    st.sampled_from(["on", "off", "99", "x", "", "a\u0085b", "\u200b", "y" * 2_000]),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "R", "!", "&"]),
    st.sampled_from([None, None, Mark.SECRET]),
)
LAYERS = st.builds(
    lambda settings, keys, trusted: (
        Layer(certificates=(ENTRY,) if trusted else ())
        .with_settings(*settings)
        .with_function_keys(*keys)
    ),
    st.lists(SETTINGS, max_size=4),
    st.lists(st.just(FunctionKey(1, "speed", "1")), max_size=1),
    st.booleans(),
)
PHONES = st.lists(
    st.tuples(
        st.sampled_from(["D785", "D735", "320", None]),
        st.sampled_from(["active", "active", "revoked"]),
        LAYERS,
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet") / "state"
    with open_store(folder, create=True):
        return folder


@settings(max_examples=15)
@given(PHONES, LAYERS)
def test_phones_by_kinds_are_the_phones_one_by_one(
    state: Path, phones: list[tuple[str | None, str, Layer]], shared: Layer
) -> None:
    devices = [
        Device(Mac(f"00041300{n:04X}"), "snom", model, state=is_, layer=layer)  # type: ignore[arg-type]
        for n, (model, is_, layer) in enumerate([*phones, ("D785", "active", Layer())])
    ]
    with open_store(state) as database:
        there = Devices(database)
        there.apply(lambda _: [[Change(d, None) for d in there.all()]], NOW)
        there.add_all(devices, NOW)
        Layers(database).change(Scope.fleet(), lambda _: shared, NOW)
        stored = list(there.all())
        fleet = Layers(database).get(Scope.fleet())
    found = fleet_phones(state, BARE, NAME, now=NOW)
    alone = gather_each(
        (
            (
                (phone := profile(d.model, newest_firmware(find_model(d.model)))),
                f"{phone.model.name} {d.mac}",
                set_up(BARE, merge(fleet, d.layer), ()),
            )
            for d in stored
            if d.state == "active" and d.model is not None
        ),
        NAME,
        now=NOW,
    )
    assert found.notes == alone.notes
    assert [p.label for p in found.phones] == [p.label for p in alone.phones]
    assert [c.pairs for c in classes_of(found.phones)] == [
        c.pairs for c in classes_of(alone.phones)
    ]
    for ours, slow in zip(found.phones, alone.phones, strict=True):
        assert ours.hello == slow.hello
        assert ours.state.tls_settings == slow.state.tls_settings
        assert ours.state.trust == slow.state.trust
        assert ours.profile == slow.profile


def test_another_makers_phones_have_the_root_of_this_servers_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    root = ca("check root", own=ec("check root"))
    own = leaf(root, "prov.test", leaf_key=ec("check leaf"))
    with open_store(state, create=True) as database:
        Devices(database).add(Device(Mac("001565000001"), "yealink", "T46U"), NOW)
    (state / "chain.pem").write_text(to_pem(own))
    (state / "root.pem").write_text(to_pem(root.certificate))
    toml = 'certificate = "chain.pem"\n'
    (state / "linekey.toml").write_text(toml)
    (phone,) = fleet_phones(state, BARE, NAME, now=NOW).phones
    assert root.certificate not in phone.state.trusted.anchors
    assert "the root above" in capsys.readouterr().err
    (state / "linekey.toml").write_text(f'{toml}[trust_anchor]\nfile = "root.pem"\n')
    (phone,) = fleet_phones(state, BARE, NAME, now=NOW).phones
    assert root.certificate in phone.state.trusted.anchors
    assert capsys.readouterr().err == ""
