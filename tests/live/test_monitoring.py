"""The files for monitoring, by the programs they are for."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import NOW
from tests.live.peers import free_port
from tests.live.test_serve_command import PROGRAM, clean_environment, fetch, serve
from tests.live.test_serve_command import put_server_files as put_files

from linekey.server.counters import Counters
from linekey.server.metrics import Facts, registry
from linekey.store.tokens import ApiTokens, Scope

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("curl")]

RULE_TESTS = Path(__file__).with_name("linekey.rules.test.yml")
GUARD_S = 60
"""Only so that a failure does not hang."""


async def run(*words: str, cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *words, cwd=cwd, env=clean_environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def write_files(place: Any) -> Path:
    folder = place.folder / "monitoring"
    words = ("--out", str(folder), "--state", str(place.state.root))
    await run(*PROGRAM, "monitoring", *words, cwd=place.folder)
    return folder


async def test_promtool_takes_the_rules_and_they_fire_when_they_should(
    place: Any,
) -> None:
    folder = await write_files(place)
    promtool = str(peer_path("promtool"))
    await run(promtool, "check", "rules", "linekey.rules.yml", cwd=folder)
    await run(promtool, "check", "config", "prometheus.yml", cwd=folder)
    shutil.copy(RULE_TESTS, folder)
    await run(promtool, "test", "rules", RULE_TESTS.name, cwd=folder)


async def test_rules_and_dashboard_name_only_metrics_that_there_are(place: Any) -> None:
    folder = await write_files(place)
    known = {
        name
        for family in registry(Counters(), Facts(NOW, NOW, ())).collect()
        for name in (family.name, f"{family.name}_total", f"{family.name}_bucket")
    }
    known |= {"linekey_build_info"}
    for name in ("linekey.rules.yml", "linekey.dashboard.json"):
        text = (folder / name).read_text(encoding="utf-8")
        named = set(re.findall(r"\blinekey_\w+", text))
        assert len(named) > 7, "the expressions are found no longer"
        assert named <= known


async def test_prometheus_itself_scrapes_a_server(place: Any, tmp_path: Path) -> None:
    put_files(place)
    async with serve(place) as serving:
        await fetch(place, serving)
        folder = await write_files(place)
        job = (
            (folder / "prometheus.yml")
            .read_text()
            .replace("127.0.0.1:0", serving.status_url.split("/")[2])
        )
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1s}\n" + job)
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            "prometheus", "--config.file=prometheus.yml",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            cwd=folder, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            found = await ask(place, port, 'linekey_decisions_total{reason="own_file"}')
            assert [one["value"][1] for one in found] == ["1"]
            ends = await ask(
                place, port, "linekey_vendor_ca_not_after_timestamp_seconds"
            )
            assert {one["metric"]["job"] for one in ends} == {"linekey"}
        finally:
            process.terminate()
            await process.wait()


async def test_prometheus_scrapes_the_listener_that_needs_a_token(
    place: Any, tmp_path: Path
) -> None:
    put_files(place)
    port = free_port()
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write(f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    folder = await write_files(place)
    job = folder / "prometheus.yml"
    assert "credentials_file: linekey.token" in job.read_text()
    assert (folder / "linekey.token").stat().st_mode & 0o777 == 0o600
    await run(str(peer_path("promtool")), "check", "config", job.name, cwd=folder)
    job.write_text("global: {scrape_interval: 1s}\n" + job.read_text())
    async with serve(place, "--workers", "2"):
        without = await place.curl(
            "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/metrics"
        )
        assert without.out == "401"
        own = free_port()
        process = await asyncio.create_subprocess_exec(
            "prometheus", "--config.file=prometheus.yml",
            f"--web.listen-address=127.0.0.1:{own}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            cwd=folder, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            (up,) = await ask(place, own, 'up{job="linekey"} == 1')
            assert up["metric"]["instance"] == f"127.0.0.1:{port}"
            (made,) = await ask(place, own, "linekey_forecast_timestamp_seconds")
            assert float(made["value"][1]) > 0
        finally:
            process.terminate()
            await process.wait()


async def ask(place: Any, port: int, query: str) -> list[Any]:
    """Ask Prometheus until it knows."""
    async with asyncio.timeout(GUARD_S):
        while True:
            got = await place.curl(
                "-G", "--data-urlencode", f"query={query}",
                f"http://127.0.0.1:{port}/api/v1/query",
            )  # fmt: skip
            is_up = got.out.startswith("{")  # it answers in words while it starts
            if is_up and (found := json.loads(got.out)["data"]["result"]):
                return list(found)
            await asyncio.sleep(0.2)


async def test_beyond_loopback_the_numbers_need_tls_and_a_token(place: Any) -> None:
    put_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write('host = "0.0.0.0"\ncertificate = "server.pem"\nkey = "server.key"\n')
    token = ApiTokens(place.database).add("prometheus", Scope.READ, None, NOW)
    job = (await write_files(place) / "prometheus.yml").read_text()
    path = re.search(r"metrics_path: (\S+)", job)
    assert path is not None
    async with serve(place) as serving:
        port = serving.status_url.rstrip("/").rpartition(":")[2]
        url = f"https://127.0.0.1:{port}{path[1]}"
        words = ("-k", "-w", "\n%{http_code}")
        refused = await place.curl(*words, url)
        assert refused.out.endswith("\n401")
        given = ("-H", f"Authorization: Bearer {token}")
        got = await place.curl(*words, *given, url)
        assert got.out.endswith("\n200")
        assert "linekey_build_info{" in got.out
