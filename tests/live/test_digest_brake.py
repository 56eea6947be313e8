"""Guessing a password with curl: two workers on SQLite, two servers on PostgreSQL."""

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.test_key_rotation import (
    KNOCKER,
    RIGHT,
    USER,
    copy_key,
    put_devices,
    put_settings,
)
from tests.live.test_serve_bad_input import port_of
from tests.live.test_serve_behind_balancer import balancer
from tests.live.test_serve_command import serve

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.attempts import AttemptStore
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir

NOW = datetime(2026, 5, 1, tzinfo=UTC)


async def try_(place: Place, url: str, password: str, address: str) -> str:
    """The status after the challenge, and the seconds to wait if it names some."""
    got = await place.curl(
        "-i", "--digest", "-u", f"{USER}:{password}", "--interface", address,
        f"{url.replace('localhost', '127.0.0.1')}/snomD785-{KNOCKER}.htm",
        "--insecure",
    )  # fmt: skip
    status = re.findall(r"HTTP/1.1 (\d+)", got.out)[-1]
    if status == "200":
        assert PASSWORD in got.out
    if status == "429":
        assert re.search(r"(?i)retry-after: [1-9]", got.out)
    return str(status)


@pytest.mark.peer("curl")
async def test_two_workers_count_together_and_the_phone_comes_in(place: Place) -> None:
    put_devices(place)
    put_settings(place)
    async with serve(place, "--workers", "2") as serving:
        assert await try_(place, serving.url, RIGHT, "127.0.0.2") == "200"
        guesses = [
            await try_(place, serving.url, f"wrong {n}", "127.0.0.1") for n in range(30)
        ]
        assert guesses[:3] == ["401"] * 3
        # While thirty are tried, pauses of 1, 2 and 4 seconds may end; not more.
        assert 3 <= guesses.count("401") <= 6
        assert guesses.count("401") + guesses.count("429") == 30
        for _ in range(3):
            assert await try_(place, serving.url, RIGHT, "127.0.0.2") == "200"
        assert await serving.end() == 0
    async with serve(place) as serving:  # the counts are kept
        assert await try_(place, serving.url, RIGHT, "127.0.0.2") == "200"
        assert await serving.end() == 0
    reasons = Counter[str]()
    for entry in place.log():  # some of these refusals are counted in one line
        reasons[entry.reason] += entry.times
    assert reasons["digest_wrong"] == guesses.count("401")
    assert reasons["digest_paused"] == guesses.count("429")


@pytest.mark.peer("postgres")
async def test_two_servers_judge_one_guess_after_the_other(
    url: str, tmp_path: Path
) -> None:
    one, other = StateDir.open(tmp_path / "one"), StateDir.open(tmp_path / "other")
    macs = [Mac(f"00041300000{n}") for n in range(4)]
    with open_database(one, url) as first:
        copy_key(one, other)
        Devices(first).add_all([Device(mac, "snom") for mac in macs], NOW)
        with (
            open_database(other, url) as second,
            AttemptStore(first) as here,
            AttemptStore(second) as there,
        ):
            verdicts = [
                verdict
                for n in range(60)  # a few at once: each has its time to answer
                for verdict in await asyncio.gather(
                    *(
                        store.judge(mac, f"192.0.2.{n % 3}", None, right=False, now=NOW)
                        for mac in macs
                        for store in (here, there)
                    )
                )
            ]
            read = sum(verdict.read for verdict in verdicts)
            assert read == 3 * 3 * len(macs), "three for each device and source"
            right = await there.judge(macs[0], "192.0.2.99", None, right=True, now=NOW)
            assert right.read
            strangers = [
                await here.judge(macs[0], f"198.51.100.{n}", None, right=False, now=NOW)
                for n in range(40)
            ]
            assert sum(verdict.read for verdict in strangers) == 20 - 9
            at_home = await here.judge(macs[0], "192.0.2.99", None, right=True, now=NOW)
            assert at_home.read


@pytest.mark.peer("curl")
@pytest.mark.peer("haproxy")
async def test_behind_a_balancer_each_phone_is_its_own_source(place: Place) -> None:
    put_devices(place)
    options = {
        "proxy__protocol_from": ("127.0.0.1",),
        "rules__second_factor_without_certificate": True,
    }
    async with (
        place.serving(**options) as server,
        balancer(port_of(server), "send-proxy-v2") as port,
    ):
        url = f"https://127.0.0.1:{port}"
        guesses = [await try_(place, url, f"wrong {n}", "127.0.0.2") for n in range(5)]
        assert guesses[:3] == ["401"] * 3
        assert "429" in guesses
        assert await try_(place, url, RIGHT, "127.0.0.3") == "200"
    refused = [e.peer for e in place.log() if e.reason == "digest_paused"]
    assert set(refused) == {"127.0.0.2"}
