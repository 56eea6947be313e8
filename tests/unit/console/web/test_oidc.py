"""An identity provider that lies is refused, and the page says why."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr
from tests.unit.console.web.conftest import NOW, World, text_of

from linekey.console.web import oidc
from linekey.console.web.grants import names_for
from linekey.console.web.oidc import Provider
from linekey.provisioning.group import Group
from linekey.settings import ConsoleSettings, OidcSettings
from linekey.store.groups import Groups
from linekey.store.users import Users

ISSUER = "https://id.example.com"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1"})


@dataclass
class Liar:
    """What the provider answers; tests change it."""

    metadata: dict[str, Any] = field(
        default_factory=lambda: {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth?x=1",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
    )
    claims: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    key: Any = field(default_factory=lambda: KEY)
    algorithm: str = "RS256"
    token: Any = None
    nonce: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def ask(
        self, provider: Provider, method: str, url: str, form: Any = None,
        headers: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        self.asked.append((method, url))
        if url.endswith("openid-configuration"):
            return self.metadata
        if url.endswith("/keys"):
            return {"keys": [KEY.as_dict(private=False)]}
        if self.token is not None:
            return {"id_token": self.token, "error": "odd"}
        now = int(NOW.timestamp())
        claims = {
            "iss": ISSUER, "aud": "linekey", "sub": "u1", "exp": now + 300, "iat": now,
            "auth_time": now, "nonce": self.nonce,
        } | self.claims  # fmt: skip
        for name in self.left_out:
            del claims[name]
        header = {"alg": self.algorithm, "kid": "k1"}
        algorithms = [self.algorithm]
        return {"id_token": jwt.encode(header, claims, self.key, algorithms)}


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> Liar:
    found = Liar()
    monkeypatch.setattr(
        oidc.Provider, "_ask", lambda self, *given: found.ask(self, *given)
    )
    return found


async def log_in(world: World, liar: Liar, back: str = "", **settings: Any) -> Any:
    world.base = "https://pbx.example.com"
    world.settings = ConsoleSettings(
        url=world.base,
        oidc=OidcSettings(
            issuer=ISSUER, client_id="linekey", client_secret=SecretStr("s"), **settings
        ),
    )
    if Users(world.database).find("anna") is None:
        Users(world.database).add(
            "anna", "admin", world.now, issuer=ISSUER, subject="u1"
        )
    async with world.console() as browser:
        sent = await browser.get("provider?next=/console/phones")
        if sent.status_code != 303:
            return sent
        query = parse_qs(urlsplit(sent.headers["location"]).query)
        assert query["code_challenge_method"] == ["S256"]
        assert query["x"] == ["1"]
        liar.nonce = liar.nonce or query["nonce"][0]
        back = back or f"state={query['state'][0]}&code=c"
        return await browser.get(f"provider/back?{back}")


async def test_the_truth_logs_in(world: World, liar: Liar) -> None:
    answer = await log_in(world, liar)
    assert answer.status_code == 303, text_of(answer)
    assert answer.headers["location"] == "/console/phones"
    cookies = answer.headers.get_list("set-cookie")
    assert any(one.startswith("__Host-linekey-session=") for one in cookies)
    assert any('__Host-linekey-flow=""' in one for one in cookies)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://evil.example"}, "another issuer's"),
        ({"aud": "another"}, "for another application"),
        ({"aud": ["another", "third"]}, "for another application"),
        ({"nonce": "old"}, "not to our question"),
        ({"exp": int(NOW.timestamp()) - 120}, "has expired"),
        ({"sub": ""}, "cannot be read"),
        ({"sub": "x" * 300}, "cannot be read"),
        ({"iat": "soon"}, "cannot be read"),
        ({"sub": "u2"}, "no user here is you"),
    ],
    ids=str,
)
async def test_a_lie_in_a_claim_is_refused(
    world: World, liar: Liar, claims: dict[str, Any], said: str
) -> None:
    liar.claims = claims
    answer = await log_in(world, liar)
    assert answer.status_code == 403
    assert said in text_of(answer)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "nonce", "iat"])
async def test_a_claim_that_is_not_there_is_refused(
    world: World, liar: Liar, name: str
) -> None:
    liar.left_out = (name,)
    assert (await log_in(world, liar)).status_code == 403


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.", "", "a.b", "a.b.c", "ä.b.c", 7, None,
        {"alg": "none"},
    ],
    ids=repr,
)  # fmt: skip
async def test_no_signature_is_refused(world: World, liar: Liar, token: Any) -> None:
    liar.token = 0 if token is None else token
    assert (await log_in(world, liar)).status_code == 403


async def test_anothers_signature_is_refused(world: World, liar: Liar) -> None:
    liar.key = OTHER_KEY
    answer = await log_in(world, liar)
    assert "not signed with its key" in text_of(answer)
    assert answer.status_code == 403


async def test_the_public_key_as_a_secret_is_refused(world: World, liar: Liar) -> None:
    """The attack on libraries that let the token choose the kind of its algorithm."""
    liar.algorithm = "HS256"
    liar.key = OctKey.import_key(b"0" * 32)
    assert (await log_in(world, liar)).status_code == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "https://evil.example"), ("issuer", None),
        ("token_endpoint", "http://id.example.com/token"), ("jwks_uri", None),
        ("authorization_endpoint", "javascript:alert(1)"),
    ],
)  # fmt: skip
async def test_metadata_that_lies_is_refused(
    world: World, liar: Liar, name: str, value: Any
) -> None:
    liar.metadata[name] = value
    answer = await log_in(world, liar)
    assert answer.status_code == 403
    assert "metadata" in text_of(answer)


async def test_an_answer_of_another_issuer_or_state_is_refused(
    world: World, liar: Liar
) -> None:
    for back in ("", "state=x&code=c", "code=c", "state=%00&code=c"):
        if back:
            assert (await log_in(world, liar, back)).status_code == 403
    liar.metadata["authorization_response_iss_parameter_supported"] = True
    assert (await log_in(world, liar)).status_code == 403


async def test_an_old_proof_is_none(world: World, liar: Liar) -> None:
    await log_in(world, liar)
    async with world.console() as browser:
        browser.http.cookies.set(
            "__Host-linekey-session", world.session("anna"), "pbx.example.com", "/"
        )
        sent = await browser.get("provider?again=1&next=/console/users")
        query = parse_qs(urlsplit(sent.headers["location"]).query)
        assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
        liar.nonce = query["nonce"][0]
        liar.claims = {"auth_time": int((NOW - timedelta(hours=1)).timestamp())}
        back = await browser.get(f"provider/back?state={query['state'][0]}&code=c")
        assert "did not ask you again" in text_of(back)


async def test_a_provider_that_is_not_there_is_told(world: World) -> None:
    world.settings = ConsoleSettings(
        url="http://127.0.0.1:8480",
        oidc=OidcSettings(issuer="http://127.0.0.1:9", client_id="linekey"),
    )
    async with world.console() as browser:
        answer = await browser.get("provider")
        assert answer.status_code == 403
        assert "cannot be reached" in text_of(answer)
    world.settings = ConsoleSettings()
    async with world.console() as browser:
        assert "is set" in text_of(await browser.get("provider"))


ROLES = {"phone-admins": "admin", "acme-it": "helpdesk acme", "staff": "viewer"}


@pytest.mark.parametrize(
    ("said", "role", "groups"),
    [
        (["staff", "phone-admins"], "admin", None),
        (["other", "acme-it"], "helpdesk", {"acme"}), ("staff", "viewer", None),
    ],
)  # fmt: skip
async def test_roles_and_groups_are_the_providers_where_the_settings_say_so(
    world: World, liar: Liar, said: Any, role: str, groups: set[str] | None
) -> None:
    Groups(world.database).add(Group("acme"), world.now)
    users = Users(world.database)
    users.add("dora", "viewer", world.now)  # somebody else
    liar.claims = {"sub": "u7", "groups": said, "preferred_username": "dora"}
    liar.claims["email"] = "dora d@example.com"
    assert (await log_in(world, liar, roles=ROLES)).status_code == 303
    made = users.find_subject(ISSUER, "u7")
    assert made is not None
    assert (made.name, made.role, made.groups) == ("dora-d@example.com", role, groups)
    assert users.get("dora").subject is None
    liar.claims["groups"], liar.nonce = "staff", ""
    assert (await log_in(world, liar, roles=ROLES)).status_code == 303
    now = users.get(made.name)
    assert (now.role, now.groups) == ("viewer", None)
    users.revoke(made.name, world.now)
    liar.nonce = ""
    assert (await log_in(world, liar, roles=ROLES)).status_code == 403


@pytest.mark.parametrize(
    "said", [None, [], "", ["admin"], ["Staff"], {"staff": 1}, 7, [["staff"]],
             ["staff"] * 3000],
    ids=lambda said: str(said)[:20],
)  # fmt: skip
async def test_who_has_no_role_there_stays_out(
    world: World, liar: Liar, said: Any
) -> None:
    """Also who has a record: the provider took the role away."""
    liar.claims = {} if said is None else {"groups": said}
    answer = await log_in(world, liar, roles=ROLES)
    assert answer.status_code == 403
    assert "none of the roles here" in text_of(answer)
    assert Users(world.database).get("anna").used_at is None


async def test_a_group_that_is_not_there_is_told(world: World, liar: Liar) -> None:
    liar.claims = {"groups": "acme-it"}
    answer = await log_in(world, liar, roles=ROLES)
    assert answer.status_code == 422
    assert "acme" in text_of(answer)


def test_names_of_new_users() -> None:
    odd = {"preferred_username": "../ä<b>", "email": 7, "sub": "--"}
    names = names_for(odd)
    assert names[0] == "b-"
    assert re.fullmatch(r"provider-[0-9a-f]{16}", names[-1])
    assert len(names) == 2


@pytest.mark.parametrize(
    "settings", [{"roles": {"x": "root"}}, {"roles": {"x": ""}}, {"scope": "groups"}],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be_meant(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"viewer|openid"):
        OidcSettings(**settings)
