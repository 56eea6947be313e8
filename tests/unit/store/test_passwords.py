from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.passwords import LENGTH, with_new_passwords

DEVICE = Device(
    Mac("000413AABBCC"),
    "snom",
    layer=Layer(
        (
            Setting("user_name", "4711", 1),
            Setting("user_pass", "a", 1, "R", Mark.SECRET),
            Setting("user_pass", "b", 2),
            Setting("user_pass", "", 3),
        )
    ),
)


def passwords(device: Device) -> dict[int | None, str]:
    return {s.idx: s.value for s in device.layer.settings if s.name == "user_pass"}


def test_each_account_with_a_password_gets_another_one() -> None:
    after = with_new_passwords(DEVICE)
    found = passwords(after)
    assert [len(found[idx]) for idx in (1, 2, 3)] == [LENGTH, LENGTH, 0]
    assert found[1] != found[2] != passwords(with_new_passwords(DEVICE))[2]
    one = after.layer.settings[1]
    assert (one.perm, one.mark, one.secret) == ("R", Mark.SECRET, True)
    assert after.layer.settings[0] == DEVICE.layer.settings[0]


def test_only_the_accounts_that_are_named() -> None:
    found = passwords(with_new_passwords(DEVICE, [2]))
    assert (found[1], found[3]) == ("a", "")
    assert found[2] != "b"
    assert with_new_passwords(DEVICE, [3, 9]) == DEVICE


def test_a_phone_of_any_maker_gets_one_password_for_an_account() -> None:
    layer = Layer(
        (
            Setting("any.account.password", "old", 1), Setting("user_pass", "old", 1),
            Setting("any.account.password", "other", 2),
        )
    )  # fmt: skip
    after = with_new_passwords(Device(Mac("001565AABBCC"), "yealink", layer=layer))
    values = {s.slot: s.value for s in after.layer.settings}
    assert values["any.account.password", 1] == values["user_pass", 1] != "old"
    assert values["any.account.password", 2] not in ("other", values["user_pass", 1])
