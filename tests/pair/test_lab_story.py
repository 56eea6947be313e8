"""What the lab tells at a terminal, of its server, its phone and its registrar."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from linekey.lab.registrar import Said
from linekey.lab.stage import Stage, cast
from linekey.lab.story import Narrator
from linekey.phone.events import SettingEntered
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.store.paths import StateDir


async def test_the_story_tells_registrations_and_refusals_and_no_ordinary_challenge(
    tmp_path: Path,
) -> None:
    narrator, story = Narrator(), []

    def registrar_said(at: datetime, said: Said) -> None:
        story.append([text.plain for text in narrator.registrar(at, said)])

    stage = Stage(
        StateDir.open(tmp_path / "s"),
        cast("D785", "10.1.33.33", None, port=0, status_port=0),
        tell_server=lambda entry: None,
        tell_phone=lambda entry: None,
        tell_registrar=registrar_said,
        passing=True,
    )
    async with stage:
        await stage.power_on()
        await stage.phone.round_ended()
        assert await stage.registered()
        await stage.phone.do(SettingEntered("user_pass", "not-the-one", 1))
        async with asyncio.timeout(20):
            await stage.phone.wait_for(
                lambda state: state.part(Lines).lines[0].state is LineState.WAITING
            )
    lines = [line for lines in story for line in lines]
    assert [line.split(maxsplit=1)[1] for line in lines if "cure:" not in line] == [
        "sip    100 registered for 3600 s over TLSv1.2",
        "sip    100 unregistered",
        "sip    refused '100': the password is wrong",
    ]
    assert [line.strip() for line in lines if "cure:" in line] == [
        "cure: user_pass must be the one in the phone's record; provision the phone"
    ]
    assert "not-the-one" not in str(story)


def test_a_refusal_is_followed_by_its_cure_and_nothing_else_is() -> None:
    at, narrator = datetime.now(UTC), Narrator()
    assert len(narrator.registrar(at, Said("401 unregistered"))) == 1
    first, cure = narrator.registrar(at, Said("refused '401': x", "do y"))
    assert first.plain.endswith("sip    refused '401': x")
    assert cure.plain.strip() == "cure: do y"
