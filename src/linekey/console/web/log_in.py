"""Log-in, log-out, proof again, and the language: pages for who is not in yet, too."""

from starlette.responses import RedirectResponse, Response

from linekey.console.web.cookies import Cookies
from linekey.console.web.entry import Refused
from linekey.console.web.forms import FormError, safe_next
from linekey.console.web.language import LANGUAGES
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit
from linekey.said import mark

WRONG = mark("That is not the name and the password of a user.")
LINK_USED = mark("This link logs nobody in: it was used, or has ended.")


async def show_log_in(visit: Visit) -> Response:
    """The form; who is in already goes on."""
    if visit.session is not None:
        return RedirectResponse(safe_next(visit.query("next")), 303)
    return _log_in_page(visit)


async def log_in(visit: Visit) -> Response:
    """Look at a name and a password."""
    name, password = visit.form.get("name"), visit.form.raw("password")
    now = visit.parts.desk.clock()
    made = await visit.entry.log_in(
        name, password, visit.address, visit.source, now,
        instead_of=visit.cookie if visit.session else "",
    )  # fmt: skip
    if isinstance(made, Refused):
        return _refused(visit, made, _log_in_page, name=name)
    return _in(visit, made, safe_next(visit.form.get("next")))


async def log_out(visit: Visit) -> Response:
    """End the session."""
    assert visit.session is not None
    await visit.entry.log_out(visit.session, visit.actor, visit.parts.desk.clock())
    answer = visit.to("log-in", out=1)
    Cookies(visit.parts).end(answer)
    return answer


async def show_link(visit: Visit) -> Response:
    """Ask before a link is used up: what looks at links in mails must not do that."""
    return visit.page(
        "link.html", visit.t("Log in"), token=visit.query("token"), problem=""
    )


async def log_in_by_link(visit: Visit) -> Response:
    """Use a link."""
    now = visit.parts.desk.clock()
    made = await visit.entry.log_in_by_link(
        visit.form.get("token")[:200], visit.address, visit.source, now,
        instead_of=visit.cookie if visit.session else "",
    )  # fmt: skip
    if made is None:
        problem = visit.t(LINK_USED)
        return visit.page(
            "link.html", visit.t("Log in"), 401, token="", problem=problem
        )
    return _in(visit, made, "/console/")


async def show_proof(visit: Visit) -> Response:
    """Ask for the password once more."""
    return _proof_page(visit)


async def prove(visit: Visit) -> Response:
    """Look at the password; a new session takes the place of this one."""
    now, user = visit.parts.desk.clock(), visit.user
    made = await visit.entry.log_in(
        user.name, visit.form.raw("password"), visit.address, visit.source, now,
        instead_of=visit.cookie,
    )  # fmt: skip
    if isinstance(made, Refused):
        return _refused(visit, made, _proof_page)
    return _in(visit, made, safe_next(visit.form.get("next")))


async def set_language(visit: Visit) -> Response:
    """Remember a language: with the user, or in a cookie."""
    code = visit.form.get("language")
    if code not in LANGUAGES:
        raise FormError(400, mark("There is no such language."))
    answer = RedirectResponse(safe_next(visit.form.get("next")), 303)
    if visit.session is not None:
        name = visit.user.name
        await visit.entry.users(
            visit.actor, lambda users: users.set_language(name, code)
        )
    Cookies(visit.parts).set_language(answer, code)
    return answer


def _in(visit: Visit, token: str, path: str) -> Response:
    answer = RedirectResponse(path, 303)
    Cookies(visit.parts).begin(answer, token)
    return answer


def _refused(visit: Visit, refused: Refused, page: object, **values: str) -> Response:
    problem = visit.t(WRONG)
    if refused.wait_s:
        wait = visit.language.n(
            "Too many wrong passwords: wait %(n)s second.",
            "Too many wrong passwords: wait %(n)s seconds.",
            refused.wait_s,
        )
        problem = wait
    assert callable(page)
    answer: Response = page(
        visit, problem=problem, status=429 if refused.wait_s else 401, **values
    )
    if refused.wait_s:
        answer.headers["Retry-After"] = str(refused.wait_s)
    return answer


def _log_in_page(
    visit: Visit, problem: str = "", status: int = 200, name: str = ""
) -> Response:
    oidc = visit.parts.settings.oidc
    path = visit.query("next") or visit.form.get("next")
    return visit.page(
        "log_in.html", visit.t("Log in"), status, problem=problem, name=name,
        next=safe_next(path), provider=oidc.name if oidc.issuer else "",
        out=bool(visit.query("out")), ended=bool(visit.query("ended")),
    )  # fmt: skip


def _proof_page(visit: Visit, problem: str = "", status: int = 200) -> Response:
    oidc = visit.parts.settings.oidc
    path = safe_next(visit.query("next") or visit.form.get("next"))
    return visit.page(
        "proof.html", visit.t("Is it you?"), status, problem=problem, next=path,
        provider=oidc.name if oidc.issuer and visit.user.subject else "",
        has_password=visit.user.has_password,
    )  # fmt: skip


ROUTES = (
    Route("log-in", show_log_in, log_in, is_open=True),
    Route("link", show_link, log_in_by_link, is_open=True),
    Route("language", None, set_language, is_open=True),
    Route("log-out", None, log_out),
    Route("proof", show_proof, prove),
)
