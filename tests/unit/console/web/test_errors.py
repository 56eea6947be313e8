"""What did not work is said in the user's language, with its cure."""

import re
from datetime import timedelta

import pytest
from tests.unit.console.web.conftest import NOW, World, english_in, text_of

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import to_pem
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.said import Said, say, swapped
from linekey.store.devices import Devices

MAC = "000413AABBCC"
GERMAN = {"accept-language": "de"}

READ = [
    ("phones/000413FFFFFF", "kein Gerät 000413FFFFFF"),
    ("phones/nonsense", "keine MAC-Adresse"),
    ("phones?cursor=x", "gehört nicht zu dieser Liste"),
    ("phones?sort=labl", "war label gemeint?"),
    ("phones?q=" + "x" * 2000, "ein Muster hat höchstens"),
    ("decisions?cursor=x", "gehört nicht zu dieser Liste"),
    ("layers/model:NOPE", "unbekanntes Telefonmodell: 'NOPE'"),
    ("layers/nonsense", "keine Ebene: 'nonsense'"),
]
SENT = [
    ("users", {"name": "a b", "role": "viewer"}, "kein Name eines Benutzers"),
    ("users", {"name": "anna", "role": "viewer"}, "gibt es schon"),
    ("tokens", {"name": "a b", "scope": "read"}, "kein Name eines Tokens"),
    (f"phones/{MAC}", {"label": "x", "model": "D7"}, "unbekanntes Telefonmodell"),
    (f"phones/{MAC}/do/replace", {"new_mac": MAC}, "kann sich nicht selbst ersetzen"),
    (
        f"phones/{MAC}/setting",
        {"setting": "lanuage", "value": "German"},
        "war language gemeint?",
    ),
]


@pytest.fixture
def administered(world: World) -> World:
    world.user("anna", "admin")
    Devices(world.database).add(Device(Mac(MAC), "snom", "D785"), world.now)
    return world


@pytest.mark.parametrize(("path", "german"), READ)
async def test_what_cannot_be_shown(
    administered: World, path: str, german: str
) -> None:
    async with administered.console("anna") as browser:
        page = await browser.get(path, **GERMAN)
        assert page.status_code in (400, 404, 422)
        assert german.casefold() in text_of(page).casefold()
        assert not re.search(r'class="card"[^>]*lang="en"', page.text)
        assert english_in([text_of(page)]) == set()
        english = await browser.get(path, **{"accept-language": "en"})
        assert german.casefold() not in text_of(english).casefold()


@pytest.mark.parametrize(("path", "form", "german"), SENT)
async def test_what_cannot_be_taken(
    administered: World, path: str, form: dict[str, str], german: str
) -> None:
    async with administered.console("anna") as browser:
        browser.http.headers.update(GERMAN)
        page = await browser.post(path, form, "")
        assert page.status_code in (400, 404, 422), text_of(page)
        assert german.casefold() in text_of(page).casefold()
        assert not re.search(r'class="card"[^>]*lang="en"', page.text)
        assert english_in([text_of(page)]) == set()


PASTED = [
    ("", "Pem: es ist leer"),
    (" ", "kein Zertifikat: leere Eingabe"),
    ("x" * 2_000_000, "es hat mehr als"),
    ("not one", "andere"),
    ("-----BEGIN CERTIFICATE-----\nMIIB", "ohne seine END-Zeile"),
    ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "Zertifikat 1 der"),
    ("-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----", "eine PKCS#7-Datei"),
    ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "ein privater Schl"),
    ("-----BEGIN X-----\nMIIB\n-----END X-----", "ein Block anderer Art (x)"),
]  # fmt: skip


@pytest.mark.parametrize(("pasted", "german"), PASTED)
async def test_what_is_no_certificate(
    administered: World, pasted: str, german: str
) -> None:
    async with administered.console("anna") as browser:
        browser.http.headers.update(GERMAN)
        page = await browser.post("authorities", {"pem": pasted}, "")
        assert page.status_code in (400, 422), text_of(page)
        assert german.casefold() in text_of(page).casefold()
        assert not re.search(r'class="card"[^>]*lang="en"', page.text)
        assert english_in([text_of(page)]) == set()


async def test_what_is_no_ca(administered: World) -> None:
    leaf = issue(
        Name.build([("CN", MAC)]), new_key(), None, serial=1, ca=False,
        not_before=NOW - timedelta(days=1), not_after=NOW + timedelta(days=1),
    )  # fmt: skip
    async with administered.console("anna") as browser:
        browser.http.headers.update(GERMAN)
        page = await browser.post("authorities", {"pem": to_pem(leaf)}, "")
        assert "als CA könnte sein Inhaber" in text_of(page)
        assert english_in([text_of(page)]) == set()


def test_a_words_place_is_taken_in_the_sentences_values_too() -> None:
    inner = say("%(option)s does it", option="--allow-unknown")
    whole = say("%(why)s: %(how)s", why="a rule", how=inner)
    found = swapped(whole, "--allow-unknown", "?allow_unknown=true")
    assert found == "a rule: ?allow_unknown=true does it"
    assert isinstance(found, Said)
    assert found.text == whole.text
    assert swapped("plain --x", "--x", "y") == "plain y"
