"""The console's languages: its words, its numbers, its times.

The words are in ``locale/xx.po``, read when the server starts: there is nothing to
compile. What has no translation is English; a test holds that everything has one.
"""

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined

from linekey.console.web.recorded import Recorded
from linekey.reasons import sentence
from linekey.said import fill, words_of

ROLE_NAMES = {"viewer": "viewer", "helpdesk": "help desk", "admin": "administrator"}
ACTION_NAMES = {
    "add": "added", "change": "changed", "remove": "removed", "log-in": "logged in",
    "log-out": "logged out", "refused": "log-in refused",
}  # fmt: skip
STATES = {
    "granted": "granted", "blanked": "without secrets", "refused": "refused",
    "absent": "not there", "active": "active", "revoked": "revoked", "ready": "yes",
    "not ready": "no",
    "expired": "expired", "root": "root", "intermediate": "intermediate",
    "none": "none", "unused": "unused", "open": "waiting",
}  # fmt: skip
LANGUAGES = {"en": "English", "de": "Deutsch"}
"""By code, each in its own words."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language in a time zone."""

    code: str
    words: gettext.NullTranslations
    recorded: Recorded
    """What the sentences of the log were made of."""
    zone: tzinfo

    def t(self, text: str) -> str:
        """Translate; what is empty stays empty."""
        return self.words.gettext(text) if text else ""

    def n(self, one: str, many: str, count: int) -> str:
        """Translate by number; ``%(n)s`` is the number as people write it."""
        text = self.words.ngettext(one, many, count)
        return text.replace("%(n)s", self.number(count))

    def tell(self, sentence: str, words: Mapping[str, Any] | None = None) -> str:
        """Say a sentence that ``linekey.said`` made; any other stays as it is.

        ``words`` is what the API gives with sentences (``said.words_of``); without, the
        sentence itself is asked.
        """
        known = words_of([sentence]) if words is None else words
        if self.code == "en" or sentence not in known:
            return sentence
        made = known[sentence]
        values = {
            name: self.tell(value, known) if isinstance(value, str) else value
            for name, value in made["values"].items()
        }
        return fill(self.t(made["text"]), values, self.number)

    def in_words(
        self, text: str, words: Mapping[str, Any] | None = None
    ) -> tuple[str, bool]:
        """Say a sentence that ``linekey.said`` made, here or before it was recorded;
        and whether it stays English in a page of another language."""
        if self.code == "en" or not text:
            return text, False
        if text in (words or ()):
            told = self.tell(text, words)
        else:
            found = self.recorded.find(text)
            told = self.t(text) if found is None else self.tell(found)
        return told, told == text

    def number(self, value: float) -> str:
        """Write a number with its thousands apart."""
        return format_decimal(value, locale=self._locale)

    def moment(self, at: datetime | str | None) -> str:
        """Write a time with its zone."""
        if at is None or at == "":
            return "–"
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
        here = when.astimezone(self.zone)
        zone = here.tzname() or ""
        if self.code == "en":
            return f"{here:%Y-%m-%d %H:%M:%S} {zone}"
        text = format_datetime(here, "dd.MM.yyyy HH:mm:ss", locale=self._locale)
        return f"{text} {zone}"

    def day(self, at: datetime | date | str | None) -> str:
        """Write a date."""
        if at is None or at == "":
            return "–"
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
        if isinstance(when, datetime):
            when = when.astimezone(self.zone).date()
        if self.code == "en":
            return when.isoformat()
        return format_date(when, "dd.MM.yyyy", locale=self._locale)

    def hour(self, at: str, span: str) -> str:
        """Write a place on a time axis: the hour, or the day of a week."""
        here = datetime.fromisoformat(at).astimezone(self.zone)
        if span == "day":
            return f"{here:%H:%M}"
        return format_date(
            here.date(),
            "E d.M." if self.code == "de" else "E d MMM",
            locale=self._locale,
        )

    @property
    def _locale(self) -> Locale:
        return _locale(self.code)


@lru_cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)


def choose(header: str, wanted: str | None) -> str:
    """Choose by what the user said, else by Accept-Language (RFC 9110 §12.5.4)."""
    if wanted in LANGUAGES:
        return wanted
    ranked = []
    for number, part in enumerate(header[:500].split(",")):
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        ranked.append((-quality, number, tag.strip().lower().partition("-")[0]))
    for quality, _, code in sorted(ranked):
        if code in LANGUAGES and quality < 0:
            return code
    return "en"


def languages(zone: tzinfo) -> dict[str, Language]:
    """Read all languages."""
    return {code: Language(code, *_read(code), zone) for code in LANGUAGES}


def words(code: str) -> gettext.NullTranslations:
    """Read a language's words."""
    return _read(code)[0]


@lru_cache
def _read(code: str) -> tuple[gettext.NullTranslations, Recorded]:
    file = files("linekey.console.web") / "locale" / f"{code}.po"
    if not file.is_file():
        return gettext.NullTranslations(), Recorded(())
    catalogue = read_po(io.BytesIO(file.read_bytes()), locale=code)
    mo = io.BytesIO()
    write_mo(mo, catalogue)
    mo.seek(0)
    texts = (message.id for message in catalogue if isinstance(message.id, str))
    return gettext.GNUTranslations(mo), Recorded(texts)


def environment(
    language: Language, package: str = "linekey.console.web"
) -> Environment:
    """Return the templates of a package in a language."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(
        moment=language.moment, day=language.day, number=language.number, t=language.t,
        sentence=sentence, tell=language.tell, hour=language.hour,
        role=lambda name: language.t(ROLE_NAMES[name]),
        action=lambda name: language.t(ACTION_NAMES.get(str(name), str(name))),
        state=lambda name: language.t(STATES.get(str(name), str(name))),
    )  # fmt: skip
    made.globals.update(lang=language.code, languages=LANGUAGES)
    return made
