"""A phone that is killed: what it was is still there, and it can be run again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.certificates import MAC, authority, device, server
from tests.phone_server import Route, accept, serve

from linekey.phone.edge.disk import PhoneStore
from linekey.phone.state import Status

XML = b"<settings><phone-settings><language perm='RW'>English</language></phone-settings></settings>"


async def run(*words: object) -> asyncio.subprocess.Process:
    environment = {k: v for k, v in os.environ.items() if k != "LINEKEY_STATE"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from linekey.cli.main import main; main()", "phone", *map(str, words),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip


async def finish(*words: object) -> tuple[int, str, str]:
    process = await run(*words)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def wait_for(stream: asyncio.StreamReader | None, text: str) -> str:
    assert stream is not None
    said = ""
    async with asyncio.timeout(30):
        while text not in said:
            line = await stream.readline()
            assert line, said
            said += line.decode()
    return said


async def test_a_killed_phone_has_everything_it_had_and_runs_again(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    (tmp_path / "identity.pem").write_bytes(device(MAC).to_pem())
    (tmp_path / "root.der").write_bytes(authority().certificate.der)
    async with serve(server(), verify=accept, require=True) as site:
        site.answer = lambda asked: Route(XML)
        words = ("run", "--mac", MAC, "--model", "D785", "--firmware", "10.1.33.33", "--setting-server", site.url,
                 "--identity", tmp_path / "identity.pem", "--trust", tmp_path / "root.der", "--state", state)  # fmt: skip
        process = await run(*words)
        await wait_for(process.stderr, "provisioning ended: provisioned")
        code, out, err = await finish("set", "language", "Deutsch", "--state", state)
        assert (code, err) == (0, ""), err
        assert "was set" in out
        code, _, err = await finish(*words)
        assert code == 3
        assert "runs in another process" in err
        process.send_signal(signal.SIGKILL)
        await process.wait()

        kept = PhoneStore(state / "phones").folder(MAC)
        assert not kept.running
        after = kept.load()
        assert after.settings.get("language") == "Deutsch"
        assert after.status is Status.PROVISIONED
        assert [
            str(e.certificate.subject) for e in after.trust.server_certificates
        ] == [str(authority().certificate.subject)]
        assert kept.read_log()[-1].text == "language was set on the phone"

        process = await run("run", "--mac", MAC, "--state", state)
        await wait_for(process.stderr, "provisioning ended: provisioned")
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
        assert process.returncode == 0, err
    code, out, _ = await finish("show", "--json", "--state", state)
    assert code == 0
    assert json.loads(out)["state"] == "provisioned"
