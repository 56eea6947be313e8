"""What phones get after the end of their certificates, said in the browser."""

from tests.certificates import ca
from tests.unit.console.web.conftest import World, text_of

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.expired import Expired
from linekey.store.devices import Devices
from linekey.store.vendor_cas import VendorCas, describe_ca

CA = ca("Phones that end").certificate
MAC = Mac("000413AABBCC")


def fill(world: World) -> None:
    said = OperatorRule(TrustRule.CN_MAC)
    VendorCas(world.database).add([describe_ca(CA, world.now, said)])
    Devices(world.database).add(Device(MAC, "snom", "D785"), world.now)
    for name, role in (("anna", "admin"), ("clara", "viewer")):
        world.user(name, role)


def word(world: World) -> Expired | None:
    return VendorCas(world.database).find(CA.sha256).expired


async def test_the_word_on_a_ca_is_set_and_shown(world: World) -> None:
    fill(world)
    path = f"authorities/{CA.sha256}/expired"
    async with world.console("anna") as browser:
        assert "as linekey.toml says" in text_of(await browser.get("authorities"))
        saved = await browser.post(path, {"expired": "registered"}, "authorities")
        assert saved.headers["location"].endswith("done=saved")
        assert word(world) is Expired.REGISTERED
        odd = await browser.post(path, {"expired": "always"}, "authorities")
        assert odd.status_code == 422
        await browser.post(path, {"expired": ""}, "authorities")
        assert word(world) is None
    VendorCas(world.database).say_of_expired(CA.sha256, Expired.ACCEPT)
    async with world.console("clara") as browser:
        page = await browser.get("authorities")
        assert "accepted" in text_of(page)
        assert "<select" not in page.text
        refused = await browser.post(path, {"expired": "refuse"}, "authorities")
        assert refused.status_code == 403
    assert word(world) is Expired.ACCEPT


async def test_the_word_on_a_phone_is_set_with_its_record(world: World) -> None:
    fill(world)
    here = f"phones/{MAC.digits}"
    async with world.console("anna") as browser:
        form = {"vendor": "snom", "model": "D785", "expired": "accept"}
        saved = await browser.post(here, form, here)
        assert saved.headers["location"].endswith("done=saved"), saved.text
        assert Devices(world.database).get(MAC).expired is Expired.ACCEPT
        assert "accepted" in text_of(await browser.get(here))
        # A form without the field leaves it.
        await browser.post(here, {"vendor": "snom", "label": "Hall"}, here)
        assert Devices(world.database).get(MAC).expired is Expired.ACCEPT
        await browser.post(here, {"vendor": "snom", "expired": ""}, here)
    assert Devices(world.database).get(MAC).expired is None
