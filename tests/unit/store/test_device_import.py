from collections.abc import Callable
from datetime import datetime

import pytest

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.document import FunctionKey, Layer, Mark, Setting
from linekey.store.database import Database
from linekey.store.device_csv import parse_device_table
from linekey.store.device_export import table_rows
from linekey.store.device_import import How, ImportRefused, import_table
from linekey.store.devices import Devices, Done

A, B, C = (Mac(f"000413AABBC{n}") for n in (1, 2, 3))
CANARY = "canary-password"


@pytest.fixture
def devices(database: Database, now: datetime) -> Devices:
    found = Devices(database)
    found.add_all(
        [
            Device(
                A, "snom", "D785", label="Hall",
                digest=DigestCredential.create("phone", REALM, "canary-digest"),
                layer=Layer(
                    (Setting("user_name", "4711", 1, "R"), Setting("language", ""),
                     Setting("user_pass", CANARY, 1),
                     Setting("zzyzx", "own", None, None, Mark.SECRET)),
                    (FunctionKey(0, "speed", "1"),),
                ),
            ),
            Device(B, "poly", "VVX400", label=" =1+1"),
            Device(C, "snom", state="revoked", revoked_reason="-stolen"),
        ],
        now,
    )  # fmt: skip
    return found


@pytest.fixture
def lay(devices: Devices, now: datetime) -> Callable[..., list[Done]]:
    def lay(text: str, how: How = How.SYNC, **options: object) -> list[Done]:
        table = parse_device_table(
            text.encode(), vendors=devices.vendors(), in_use=devices.slots
        )
        return import_table(devices, table, how, now, **options)  # type: ignore[arg-type]

    return lay


def exported(devices: Devices, secrets: bool = False) -> str:
    return "".join(table_rows(devices.all(), devices.slots(), secrets=secrets))


def told(done: list[Done]) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (one.mac.digits[-1], d.what, d.before, d.after)
        for one in done
        for d in one.details
    ]


@pytest.mark.parametrize("how", [How.UPDATE, How.SYNC])
@pytest.mark.parametrize("secrets", [False, True])
def test_an_export_is_what_is_there(
    devices: Devices, lay: Callable[..., list[Done]], how: How, secrets: bool
) -> None:
    before = list(devices.all())
    text = exported(devices, secrets)
    assert lay(text, how) == []
    assert list(devices.all()) == before
    assert (CANARY in text) is secrets
    assert "canary-digest" not in text


def test_a_file_with_secrets_makes_the_same_phones_elsewhere(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    text = exported(devices, secrets=True)
    lay("mac\n000413AABBC9\n", removals=3)
    assert [device.mac.digits[-1] for device in devices.all()] == ["9"]
    lay(text.replace("zzyzx[]", "web_language"), removals=1)
    assert devices.get(A).label == "Hall"
    assert devices.get(B).label == " =1+1"
    assert devices.get(C).revoked_reason == "-stolen"
    assert {s.slot: s.value for s in devices.get(A).layer.settings} == {
        ("user_name", 1): "4711", ("user_pass", 1): CANARY, ("language", None): "",
        ("web_language", None): "own",
    }  # fmt: skip


def test_a_cleared_cell_removes_by_sync_and_leaves_by_update(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    text = "mac,label,user_name[1]\n" + "".join(f"{mac},,\n" for mac in (A, B, C))
    assert lay(text, How.UPDATE) == []
    assert told(lay(text)) == [
        ("1", "label", "Hall", None),
        ("1", "setting user_name[1]", "4711 [perm R]", None),
        ("2", "label", " =1+1", None),
    ]
    layer = devices.get(A).layer
    assert ("user_pass", 1) in {s.slot for s in layer.settings}, "it has no column"
    assert layer.function_keys


def test_a_changed_secret_is_told_without_its_value(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    done = lay(f"mac,user_pass[1],user_name[1]\n{A},canary-new,9\n", How.UPDATE)
    assert sorted(told(done)) == [
        ("1", "setting user_name[1]", "4711 [perm R]", "9 [perm R]"),
        ("1", "setting user_pass[1]", "secret", "changed"),
    ]
    assert "canary" not in repr(done)


def test_a_trial_tells_the_same_and_changes_nothing(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    text = f"mac,label\n{A},x\n000413AABBC9,new\n"
    before = list(devices.all())
    trial = lay(text, dry_run=True)
    assert list(devices.all()) == before
    assert lay(text, removals=2) == trial
    assert [(one.action, one.mac.digits[-1]) for one in trial] == [
        ("remove", "2"), ("remove", "3"), ("change", "1"), ("add", "9"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"mac,user_pass[1]\n{A},x\n{B},(kept)\n", "has none"),
        (f"mac,user_pass[1]\n{A},x\n000413AABBC9,(kept)\n", "not registered yet"),
        (f"mac,model\n{A},D735\n{C},D9999\n", "unknown"),
        (f"mac,state\n{A},revoked\n{B},gone\n", "not a state"),
        (f"mac,generations\n{A},sha256\n{B},md5\n", "not a generation"),
    ],
)
@pytest.mark.parametrize("how", [How.UPDATE, How.SYNC])
def test_one_bad_row_and_nothing_is_changed(
    devices: Devices,
    lay: Callable[..., list[Done]],
    text: str,
    reason: str,
    how: How,
) -> None:
    before = list(devices.all())
    with pytest.raises(ImportRefused) as caught:
        lay(text, how, removals=9)
    (problem,) = caught.value.problems
    assert problem.line == 3
    assert reason in problem.reason
    assert list(devices.all()) == before


def test_the_last_of_many_rows_undoes_the_first(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    rows = "".join(f"{n:012X},\n" for n in range(1, 1200))
    with pytest.raises(ImportRefused):
        lay(f"mac,user_pass[1]\n{rows}{B},(kept)\n", How.UPDATE)
    assert devices.count() == 3


def test_sync_removes_one_in_ten_unasked_and_more_only_as_allowed(
    devices: Devices, lay: Callable[..., list[Done]], now: datetime
) -> None:
    macs = [f"{n:012X}" for n in range(1, 18)]
    lay("mac\n" + "\n".join(macs), How.UPDATE)  # twenty
    keep = [*macs, str(A), str(B)]
    lay("mac\n" + "\n".join(keep[1:]))
    assert devices.count() == 18
    for allowed in (None, 1):
        with pytest.raises(InputError, match="2 of 18 phones") as caught:
            lay("mac\n" + "\n".join(keep[3:]), removals=allowed)
        assert "--allow-removals 2" in caught.value.hint
    assert devices.count() == 18
    lay("mac\n" + "\n".join(keep[3:]), removals=2)
    assert devices.count() == 16


def test_an_empty_table_removes_nobody(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    for text in ("mac\n", "mac,label\n\n", "mac\n,\n"):
        with pytest.raises(InputError, match=r"empty table|cannot be imported"):
            lay(text, removals=1000)
    with pytest.raises(InputError, match="file is empty"):
        lay("", removals=1000)
    assert devices.count() == 3


def test_another_systems_table_restores_only_what_it_disabled(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    def table(a: str, c: str) -> str:
        return f"device_mac_address,device_enabled\n{A},{a}\n{B},true\n{C},{c}\n"

    assert told(lay(table("true", "true"))) == [], "C was revoked here"
    assert told(lay(table("false", "false")))[0] == ("1", "state", "active", "revoked")
    assert devices.get(C).revoked_reason == "-stolen"
    assert told(lay(table("true", "true")))[0] == ("1", "state", "revoked", "active")
    assert devices.get(C).state == "revoked"


def test_a_line_that_is_gone_from_another_systems_table_goes_here(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    head = "device_mac_address,line_number,user_id,password\n"
    lay(f"{head}{A},1,4711,x\n{A},2,4712,y\n", How.UPDATE)
    assert told(lay(f"{head}{A},1,4711,x\n", removals=2)) == [
        ("1", "setting user_name[2]", "4712", None),
        ("1", "setting user_pass[2]", "secret", None),
    ]


def test_our_own_table_revokes_and_restores(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    lay(f"mac,state,revoked_reason\n{A},revoked,lost\n{C},active,\n", How.UPDATE)
    assert (devices.get(A).state, devices.get(A).revoked_reason) == ("revoked", "lost")
    assert (devices.get(C).state, devices.get(C).revoked_reason) == ("active", "")


def test_a_row_without_a_vendor_is_read_as_its_phones(
    devices: Devices, lay: Callable[..., list[Done]]
) -> None:
    lay(f"mac,model\n{B},VVX 500\n", How.UPDATE)
    assert (devices.get(B).vendor, devices.get(B).model) == ("poly", "VVX500")
