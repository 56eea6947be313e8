"""Log-in at an identity provider: OpenID Connect's authorization code flow, with PKCE.

What the provider says is believed when it is signed with a key of the provider's, by an
algorithm with two keys, and when issuer, audience, nonce and times are right (OpenID
Connect Core 1.0 §3.1.3.7; Authlib and joserfc check them). The answer must belong to
this browser: state, nonce and verifier are sealed in a cookie of ten minutes.

Rules: nobody becomes a user by that, unless the settings say which of the provider's
groups is which role (``grants``). Else a user's record says which subject it is, so a
provider can only log in whom an administrator named. Requests to the provider have
bounds of time and size and follow no redirect; its errors are shown as texts.
"""

import asyncio
import base64
import hmac
import json
import logging
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx2
from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped]
    create_s256_code_challenge,
)
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import KeySet
from starlette.responses import RedirectResponse, Response

from linekey.console.web.cookies import Cookies
from linekey.console.web.forms import safe_next
from linekey.console.web.grants import grant_of, names_for
from linekey.console.web.parts import Parts
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit
from linekey.endpoint import is_safe_origin
from linekey.errors import StorageError
from linekey.said import mark
from linekey.settings import OidcSettings
from linekey.store.database import Database

_log = logging.getLogger("linekey.console")

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA",
)  # fmt: skip
"""With two keys alone: ``none`` proves nothing, and HMAC's key is the client's, too."""
BACK = "/console/provider/back"
_FLOW = "console log-in at the identity provider"
_FLOW_FOR = timedelta(minutes=10)
_KEPT_FOR = timedelta(minutes=10)
_LEEWAY_S = 60
"""Seconds by which the provider's clock may differ."""
_WITHIN_S = 10.0
_MAX_ANSWER = 256 * 1024

_CLAIMS = {
    "iss": mark("the identity provider's answer is another issuer's"),
    "aud": mark("the identity provider's answer is for another application"),
    "azp": mark("the identity provider's answer is for another application"),
    "nonce": mark("the identity provider's answer is not to our question"),
    "exp": mark("the identity provider's answer has expired"),
    "auth_time": mark("the identity provider did not ask you again"),
}
_SIGNATURE = mark("the identity provider's answer is not signed with its key")
_UNREADABLE = mark("the identity provider's answer cannot be read")
_STATE = mark("this is not the answer to a log-in that this browser began")
_UNREACHABLE = mark("the identity provider cannot be reached")
_METADATA = mark("the identity provider's metadata is another issuer's, or not right")
_SAID = mark("the identity provider did not log you in")
_NOBODY = mark("the identity provider knows you, but no user here is you")
_NO_ROLE = mark("the identity provider gives you none of the roles here")


class ProviderError(Exception):
    """The provider, or what it says, is not to be believed; ``why`` is translated."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why)
        self.why, self.detail = why, detail


class Provider:
    """One identity provider. Its metadata and keys are kept for some minutes."""

    def __init__(self, settings: OidcSettings, parts: Parts) -> None:
        self._settings, self._parts = settings, parts
        self._kept: dict[str, tuple[datetime, Any]] = {}

    async def metadata(self) -> Mapping[str, Any]:
        """Discover it (OpenID Connect Discovery 1.0 §4). Raises ProviderError."""
        issuer = self._settings.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await self._document(url)
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        right = found.get("issuer") == issuer and all(
            isinstance(found.get(name), str) and is_safe_origin(found[name])
            for name in names
        )
        if not right:
            raise ProviderError(_METADATA)
        return found

    async def exchange(
        self, metadata: Mapping[str, Any], code: str, verifier: str
    ) -> str:
        """Give the code, get the ID token. Raises ProviderError."""
        form = {
            "grant_type": "authorization_code", "code": code,
            "redirect_uri": f"{self._parts.base}{BACK}", "code_verifier": verifier,
            "client_id": self._settings.client_id,
        }  # fmt: skip
        secret, headers = self._settings.client_secret, {}
        if secret is not None:
            ways = metadata.get("token_endpoint_auth_methods_supported") or []
            if "client_secret_basic" in ways or not ways:
                parts = (self._settings.client_id, secret.get_secret_value())
                both = ":".join(map(quote_plus, parts))  # RFC 6749 §2.3.1
                word = base64.b64encode(both.encode()).decode()
                headers["Authorization"] = f"Basic {word}"
            else:
                form["client_secret"] = secret.get_secret_value()
        answer = await self._ask("POST", metadata["token_endpoint"], form, headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderError(_SAID, str(answer.get("error", ""))[:200])
        return token

    async def claims(
        self,
        metadata: Mapping[str, Any],
        token: str,
        nonce: str,
        *,
        proved_after: datetime | None,
    ) -> Mapping[str, Any]:
        """Return what an ID token says of whom it names. Raises ProviderError."""
        now = self._parts.desk.clock()
        url = metadata["jwks_uri"]
        try:
            decoded = jwt.decode(token, await self._keys(url), ALGORITHMS)
        except (JoseError, ValueError):
            self._kept.pop(url, None)  # it may have a new key
            decoded = _decoded(token, await self._keys(url))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
                "sub": {"essential": True},
                "exp": {"essential": True},
                "nonce": {"essential": True, "value": nonce},
            },
            params={"nonce": nonce, "client_id": self._settings.client_id},
        )
        _validate(claims, now)
        if proved_after is not None:
            at = claims.get("auth_time")
            least = proved_after.timestamp() - _LEEWAY_S
            if not isinstance(at, int | float) or at < least:
                raise ProviderError(_CLAIMS["auth_time"])
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise ProviderError(_UNREADABLE)
        return dict(claims)

    async def _keys(self, url: str) -> KeySet:
        document = await self._document(url)
        try:
            return KeySet.import_key_set({"keys": document["keys"]})
        except (JoseError, ValueError, KeyError, TypeError):
            raise ProviderError(_UNREADABLE) from None

    async def _document(self, url: str) -> dict[str, Any]:
        now = self._parts.desk.clock()
        at, found = self._kept.get(url, (now, None))
        if found is None or now - at >= _KEPT_FOR:
            found = await self._ask("GET", url)
            self._kept[url] = (now, found)
        return dict(found)

    async def _ask(
        self,
        method: str,
        url: str,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        ca = self._settings.ca
        file = None if ca is None else str(self._parts.folder / ca)
        try:
            verify = await asyncio.to_thread(ssl.create_default_context, cafile=file)
            async with (
                asyncio.timeout(_WITHIN_S),
                httpx2.AsyncClient(verify=verify, trust_env=False) as http,
                http.stream(method, url, data=form, headers=headers) as answer,
            ):
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > _MAX_ANSWER:
                        raise ProviderError(_UNREADABLE)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            raise ProviderError(_UNREACHABLE, type(error).__name__) from None
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ProviderError(_UNREADABLE, f"HTTP {answer.status_code}")
        return found


def _decoded(token: str, keys: KeySet) -> jwt.Token:
    try:
        return jwt.decode(token, keys, ALGORITHMS)
    except BadSignatureError:
        raise ProviderError(_SIGNATURE) from None
    except (JoseError, ValueError) as error:
        # Also where the header names no key of the provider's, or ``none``.
        raise ProviderError(_SIGNATURE, type(error).__name__) from None


def _validate(claims: CodeIDToken, now: datetime) -> None:
    try:
        claims.validate(now=int(now.timestamp()), leeway=_LEEWAY_S)
    except ExpiredTokenError:
        raise ProviderError(_CLAIMS["exp"]) from None
    except (InvalidClaimError, MissingClaimError) as error:
        why = _CLAIMS.get(str(error.claim), _UNREADABLE)
        raise ProviderError(why, str(error.claim)) from None
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderError(_UNREADABLE, type(error).__name__) from None


def provider_of(visit: Visit) -> Provider:
    """The provider of the settings. Raises ProviderError where there is none."""
    found = visit.entry.provider
    if found is None:
        settings = visit.parts.settings.oidc
        if not settings.issuer:
            raise ProviderError(mark("no identity provider is set"))
        found = visit.entry.provider = Provider(settings, visit.parts)
    assert isinstance(found, Provider)
    return found


async def begin(visit: Visit) -> Response:
    """Send the browser to the provider."""
    try:
        metadata = await provider_of(visit).metadata()
    except ProviderError as error:
        return _refused(visit, error)
    again = bool(visit.query("again")) and visit.session is not None
    flow = {
        "state": generate_token(43), "nonce": generate_token(43),
        "verifier": generate_token(64), "next": safe_next(visit.query("next")),
        "user": visit.user.name if again else None,
        "at": visit.parts.desk.clock().isoformat(),
    }  # fmt: skip
    query = {
        "response_type": "code", "client_id": visit.parts.settings.oidc.client_id,
        "redirect_uri": f"{visit.parts.base}{BACK}",
        "scope": visit.parts.settings.oidc.scope,
        "state": flow["state"], "nonce": flow["nonce"],
        "code_challenge": create_s256_code_challenge(flow["verifier"]),
        "code_challenge_method": "S256",
    }  # fmt: skip
    if again:
        query |= {"prompt": "login", "max_age": "0"}
    endpoint = metadata["authorization_endpoint"]
    joint = "&" if "?" in endpoint else "?"
    answer = RedirectResponse(f"{endpoint}{joint}{urlencode(query)}", 303)
    Cookies(visit.parts).set_flow(answer, _seal(visit.parts.database, flow))
    return answer


async def back(visit: Visit) -> Response:
    """Take the provider's answer, and log in whom it names."""
    try:
        answer = await _back(visit)
    except ProviderError as error:
        answer = _refused(visit, error)
    Cookies(visit.parts).set_flow(answer, "")
    return answer


async def _back(visit: Visit) -> Response:
    flow = _flow(visit)
    provider, oidc = provider_of(visit), visit.parts.settings.oidc
    metadata = await provider.metadata()
    issuer = visit.query("iss")  # RFC 9207
    wanted = metadata.get("authorization_response_iss_parameter_supported") is True
    if (issuer or wanted) and issuer != oidc.issuer:
        raise ProviderError(_CLAIMS["iss"])
    if visit.query("error") or not visit.query("code"):
        raise ProviderError(_SAID, visit.query("error")[:200])
    token = await provider.exchange(metadata, visit.query("code"), flow["verifier"])
    began = datetime.fromisoformat(flow["at"])
    claims = await provider.claims(
        metadata, token, flow["nonce"], proved_after=began if flow["user"] else None
    )
    subject: str = claims["sub"]
    if oidc.roles:
        grant = grant_of(claims.get(oidc.claim), oidc.roles)
        if grant is None:
            raise ProviderError(_NO_ROLE, oidc.claim)
        await visit.entry.grant(
            oidc.issuer, subject, names_for(claims), grant, visit.address,
            visit.parts.desk.clock(),
        )  # fmt: skip
    made = await visit.entry.log_in_by_provider(
        oidc.issuer, subject, visit.address, visit.source, visit.parts.desk.clock(),
        instead_of=visit.cookie if visit.session else "", only=flow["user"],
    )  # fmt: skip
    if made is None:
        raise ProviderError(_NOBODY, subject)
    answer = RedirectResponse(safe_next(flow["next"]), 303)
    Cookies(visit.parts).begin(answer, made)
    return answer


def _seal(database: Database, flow: dict[str, Any]) -> str:
    sealed = database.keys.seal(json.dumps(flow).encode(), _FLOW)
    return base64.urlsafe_b64encode(sealed).decode()


def _flow(visit: Visit) -> dict[str, Any]:
    """What this browser began. Raises ProviderError."""
    try:
        sealed = base64.urlsafe_b64decode(Cookies(visit.parts).flow(visit.request))
        flow: dict[str, Any] = json.loads(
            visit.parts.database.keys.unseal(sealed, _FLOW)
        )
    except (ValueError, StorageError):
        raise ProviderError(_STATE) from None
    state = visit.query("state").encode("utf-8", "replace")
    fresh = visit.parts.desk.clock() - datetime.fromisoformat(flow["at"]) < _FLOW_FOR
    if not fresh or not hmac.compare_digest(flow["state"].encode(), state):
        raise ProviderError(_STATE)
    return flow


def _refused(visit: Visit, error: ProviderError) -> Response:
    _log.warning(
        "a log-in at the identity provider was refused: %s (%s)", error.why,
        error.detail,
    )  # fmt: skip
    cure = ""
    if error.why == _NOBODY:
        cure = f"linekey user subject NAME {error.detail}"
    return visit.page(
        "error.html", visit.t("That did not work"), 403, message=visit.t(error.why),
        cure=cure, foreign=False,
    )  # fmt: skip


ROUTES = (
    Route("provider", begin, is_open=True),
    Route("provider/back", back, is_open=True),
)
