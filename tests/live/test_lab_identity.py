"""The command that ``linekey lab identity`` prints, run as it is printed."""

from pathlib import Path

import pytest
from tests.live.conftest import PASSWORD, make_place
from typer.testing import CliRunner

from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import LAB_VENDOR
from linekey.cli.lab import app
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.devices import Devices

MACS = {"sha1": Mac("000413AABB01"), "sha256": Mac("000413AABBCC")}


@pytest.mark.peer("curl")
@pytest.mark.parametrize("generation", list(MACS))
async def test_the_printed_curl_command_fetches_the_phones_file(
    tmp_path: Path, generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    place = make_place(tmp_path)
    secret = Layer().with_settings(Setting("user_pass", PASSWORD, 1))
    firmware = Firmware.parse("10.1.33.33")
    Devices(place.database).add(
        Device(MACS["sha1"], LAB_VENDOR, "D715", firmware, layer=secret), utc_now()
    )
    async with place.serving() as server:
        place.lab.record_urls(server.url)
        said = CliRunner().invoke(
            app,
            [
                "identity", str(MACS[generation]), "--generation", generation,
                "--out", str(tmp_path / "out dir"), "--state", str(place.state.root),
            ],
        )  # fmt: skip
        assert said.exit_code == 0, said.output
        (line,) = (x for x in said.stderr.splitlines() if x.startswith("then: "))
        command = line.removeprefix("then: ")
        got = await place.run("sh", "-c", command)
    place.database.close()
    assert PASSWORD in got.out, (command, got.said)
    assert place.events[-1].generation == generation
