"""Who is looking at the phone's pages, and in which mode.

Rules: a session is a random cookie (Secure, HttpOnly, SameSite=Strict) and a random
form token that every form must send back, so that no other site can press a button
here. User mode looks; admin mode changes. Without ``http_user`` everybody who reaches
the pages is in user mode, as on the phone (SNOM-SETTING; M). Wrong passwords cost
growing pauses. Nothing outlives the process.

The clock comes in as ``monotonic`` seconds.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from enum import IntEnum

from linekey.phone.state import PhoneState

IDLE_S = 1800
"""Seconds after which an unused session ends."""
MOST_SESSIONS = 64
_FREE_TRIES = 3
_LONGEST_PAUSE_S = 300


class Mode(IntEnum):
    """What a visitor may do; each includes the ones before."""

    NOBODY = 0
    USER = 1
    ADMIN = 2


@dataclass(slots=True)
class Session:
    """One browser."""

    mode: Mode
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    used_at: float = 0.0
    flash: tuple[bool, str, str] | None = None
    """What the last action came to (fine?, text, hint), shown once."""


@dataclass(slots=True)
class Sessions:
    """All sessions of one phone, and its count of wrong passwords."""

    _by_cookie: dict[str, Session] = field(default_factory=dict)
    _failures: int = 0
    _closed_until: float = 0.0

    def find(
        self, cookie: str | None, monotonic: float, *, used: bool = True
    ) -> Session | None:
        """The session of a cookie, if it is known and was used of late.

        ``used`` False looks without prolonging it.
        """
        session = self._by_cookie.get(cookie or "")
        if session is None:
            return None
        if monotonic - session.used_at > IDLE_S:
            del self._by_cookie[cookie or ""]
            return None
        if used:
            session.used_at = monotonic
        return session

    def begin(self, mode: Mode, monotonic: float) -> tuple[str, Session]:
        """Begin a session; return its cookie. The least used one gives way."""
        if len(self._by_cookie) >= MOST_SESSIONS:
            oldest = min(self._by_cookie, key=lambda c: self._by_cookie[c].used_at)
            del self._by_cookie[oldest]
        cookie = secrets.token_urlsafe(24)
        session = Session(mode, used_at=monotonic)
        self._by_cookie[cookie] = session
        return cookie, session

    def end(self, cookie: str | None) -> None:
        """Log out."""
        self._by_cookie.pop(cookie or "", None)

    def end_all(self) -> None:
        """Log everybody out: the passwords changed, or the phone was reset."""
        self._by_cookie.clear()

    def pause_s(self, monotonic: float) -> float:
        """How long passwords are not looked at, in seconds."""
        return max(0.0, self._closed_until - monotonic)

    def log_in(
        self, state: PhoneState, user: str, password: str, monotonic: float
    ) -> Mode:
        """The mode that name and password open; NOBODY while pausing, too."""
        if self.pause_s(monotonic):
            return Mode.NOBODY
        mode = _mode_of(state, user, password)
        if mode is Mode.NOBODY:
            self._failures += 1
            over = self._failures - _FREE_TRIES
            if over >= 0:
                self._closed_until = monotonic + min(_LONGEST_PAUSE_S, 2.0**over)
        else:
            self._failures = 0
        return mode


def first_mode(state: PhoneState) -> Mode:
    """The mode of somebody who did not log in."""
    return Mode.NOBODY if state.setting("http_user") else Mode.USER


def needs_password(state: PhoneState) -> bool:
    """Whether no administrator's password is set yet (the default from 10.1.185.0)."""
    return not state.setting("admin_mode_password")


def _mode_of(state: PhoneState, user: str, password: str) -> Mode:
    admin = state.setting("admin_mode_password")
    if user.strip().lower() in ("", "admin") and admin and _equal(password, admin):
        return Mode.ADMIN
    name, own = state.setting("http_user"), state.setting("http_pass")
    if name and own and _equal(user, name) and _equal(password, own):
        return Mode.USER
    return Mode.NOBODY


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
