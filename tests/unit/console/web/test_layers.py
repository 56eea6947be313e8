"""Layers in the browser: edited by name, and names are checked."""

from tests.unit.console.web.conftest import World, text_of

from linekey.store.layers import Layers, Scope


async def test_a_layer_is_begun_edited_and_emptied(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        to = await browser.post("layers", {"kind": "model", "name": "D785"})
        assert to.headers["location"] == "/console/layers/model:D785"
        form = {"setting": "language", "value": "Deutsch", "perm": "RW"}
        saved = await browser.post("layers/model:D785", form)
        assert saved.headers["location"].endswith("?done=saved")
        layer = Layers(world.database).get(Scope.model("D785"))
        assert [(s.name, s.value, s.perm) for s in layer.settings] == [
            ("language", "Deutsch", "RW")
        ]
        assert "model:D785" in text_of(await browser.get("layers"))
        secret = {"setting": "admin_mode_password", "value": "hidden-4711"}
        await browser.post("layers/model:D785", secret)
        page = await browser.get("layers/model:D785")
        assert "hidden-4711" not in page.text
        await browser.post("layers/model:D785", {"unset": "language"})
        page = await browser.get("layers/model:D785")
        assert "language" not in text_of(page).partition("Set a setting")[0]


async def test_bad_input_is_told(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        for form in (
            {"setting": "lanugage", "value": "x"}, {"setting": "", "value": "x"},
            {"unset": "language"}, {"pem": "nonsense"}, {"unset_certificate": "ab"},
            {"setting": "language", "value": "x", "tag": '"stale"'},
        ):  # fmt: skip
            answer = await browser.post("layers/fleet", form)
            assert answer.status_code in (412, 422), form
            assert 'role="alert"' in answer.text
        for path in ("layers/nothing", "layers/group:none", "layers/000413AABBCC"):
            assert (await browser.get(path)).status_code in (400, 404, 422)
        wrong = await browser.post("layers", {"kind": "x"})
        assert wrong.status_code == 422


async def test_names_are_proposed(world: World) -> None:
    world.user("clara", "viewer")
    async with world.console("clara") as browser:
        assert "language" in (await browser.get("setting-names?q=lang")).json()
        assert "language" in (await browser.get("setting-names?q=lanugage")).json()
        form = {"setting": "language", "value": "x"}
        answer = await browser.post("layers/fleet", form, "layers")
        assert answer.status_code == 403
