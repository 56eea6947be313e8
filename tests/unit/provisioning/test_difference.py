from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.difference import MAX_VALUE, between_devices
from linekey.provisioning.document import Layer, Setting

MAC = Mac("000413AABBCC")


def test_only_what_differs_is_told_and_no_secret() -> None:
    before = Device(
        MAC, "snom", "D785", label="Hall",
        layer=Layer((Setting("user_name", "1", 1), Setting("user_pass", "canary1", 1))),
    )  # fmt: skip
    after = Device(
        MAC, "snom", "D785", label="Room", token_sha256="a" * 64,
        digest=DigestCredential.create("phone", REALM, "canary2"),
        layer=Layer((Setting("user_pass", "canary3", 1), Setting("zzyzx", "canary4"))),
    )  # fmt: skip
    told = {one.what: (one.before, one.after) for one in between_devices(before, after)}
    assert told == {
        "label": ("Hall", "Room"),
        "digest_user": (None, "phone"),
        "one-time token": (None, "changed"),
        "digest password": (None, "changed"),
        "setting user_name[1]": ("1", None),
        "setting user_pass[1]": ("secret", "changed"),
        "setting zzyzx": (None, "changed"),
    }
    assert between_devices(before, before) == ()


def test_a_long_value_is_told_by_its_length_and_digest() -> None:
    (one,) = between_devices(
        Device(MAC, "snom", label="x"), Device(MAC, "snom", label="y" * MAX_VALUE * 2)
    )
    assert one.after is not None
    assert one.after.startswith("(2048 characters, SHA-256 ")
