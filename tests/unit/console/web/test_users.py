"""Users and tokens in the browser: for administrators who have just proved it."""

from datetime import timedelta

from tests.unit.console.web.conftest import PASSWORD, World, text_of

from linekey.store.tokens import ApiTokens
from linekey.store.users import Users


async def test_a_user_is_added_changed_and_revoked(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        made = await browser.post("users", {"name": "ben", "role": "viewer"})
        link = text_of(made).partition("once: ")[2].partition(" ")[0]
        assert link.startswith("http://127.0.0.1:8480/console/link?token=")
        form = {"name": "carl", "role": "admin", "password": PASSWORD}
        await browser.post("users", form)
        assert Users(world.database).check_password("carl", PASSWORD) is not None
        await browser.post("users/ben/role", {"role": "helpdesk"}, "users")
        assert Users(world.database).get("ben").role == "helpdesk"
        await browser.post("users/ben/revoke", {}, "users")
        assert Users(world.database).get("ben").revoked_at is not None
        page = await browser.get("users")
        assert PASSWORD not in page.text
        short = await browser.post(
            "users", {"name": "d", "role": "admin", "password": "x"}
        )
        assert short.status_code == 422
        own = await browser.post("users/anna/revoke", {}, "users")
        assert own.status_code == 422
    async with world.console() as browser:
        answer = await browser.http.get(link)
        assert "logs you in once" in text_of(answer)


async def test_a_token_is_made_shown_once_and_revoked(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        form = {"name": "pbx", "scope": "read", "days": "30"}
        made = await browser.post("tokens", form, "users")
        token = text_of(made).partition("only now: ")[2].partition(" ")[0]
        found = ApiTokens(world.database).find(token)
        assert found is not None
        assert found.expires_at == world.now + timedelta(days=30)
        assert token not in (await browser.get("users")).text
        await browser.post("tokens/pbx/revoke", {}, "users")
        assert ApiTokens(world.database).all()[0].revoked_at is not None
        for bad in ({"scope": "root"}, {"days": "0"}, {"days": "x"}, {"name": "a b"}):
            answer = await browser.post("tokens", form | {"name": "p2"} | bad, "users")
            assert answer.status_code == 422


async def test_others_may_not_and_an_old_proof_does_not_do(world: World) -> None:
    world.user("anna", "admin")
    world.user("ben", "helpdesk")
    async with world.console("ben") as browser:
        assert (await browser.get("users")).status_code == 403
        form = {"name": "x", "role": "admin", "scope": "admin"}
        for path in ("users", "tokens", "users/ben/role"):
            assert (await browser.post(path, form, "")).status_code == 403
    async with world.console("anna") as browser:
        world.now += timedelta(minutes=10)
        for answer in (
            await browser.get("users"),
            await browser.post("tokens", {"name": "x", "scope": "admin"}, ""),
        ):
            assert (
                answer.headers["location"] == "/console/proof?next=%2Fconsole%2Fusers"
            )
    assert ApiTokens(world.database).all() == []
