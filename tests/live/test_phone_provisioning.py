"""The virtual phone against nginx, exported, before ``linekey serve --behind-proxy``."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import exported_peer
from tests.live.test_phone_nginx import phone
from tests.live.test_serve_behind_proxy import serving
from tests.phone_clock import Timers

from linekey.catalog.models import Generation
from linekey.export.request import Endpoint
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.state import Status
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.layers import Layers, Scope

pytestmark = pytest.mark.peer("nginx")


def set_for_all(place: Place, **values: str) -> None:
    """Change the fleet's layer, as ``linekey layer`` does."""

    def changed(layer: Layer) -> Layer:
        return layer.with_settings(*(Setting(k, v) for k, v in values.items()))

    Layers(place.database).change(Scope.fleet(), changed, utc_now())


async def test_a_phone_is_provisioned_through_nginx_and_fetches_again_by_its_timer(
    place: Place, record_interop: Any
) -> None:
    set_for_all(place, settings_refresh_timer="3600")
    timers = Timers()
    async with (
        serving(place, "--behind-proxy", "127.0.0.1") as (port, said),
        exported_peer(place, "nginx", backend=Endpoint("127.0.0.1", port)) as peer,
    ):
        state = phone(place, peer.url, user_pass="")
        state = replace(state, bootstrap_server=f"{peer.url}/")
        async with (
            asyncio.timeout(60),
            VirtualPhone(state, later=timers.later) as running,
        ):
            ended = await running.round_ended()
            assert ended.status is Status.PROVISIONED, (
                ended.log[-5:],
                peer.log(),
                said,
            )
            assert ended.settings.get("language") == "Deutsch"
            assert ended.settings.get("user_pass", 1) == PASSWORD
            assert [t.after_s for t in timers.waiting] == [3600.0]
            set_for_all(place, language="Français", settings_refresh_timer="7200")
            timers.fire()
            await running.wait_for(lambda s: s.settings.get("language") == "Français")
            ended = await running.round_ended()
            assert [t.after_s for t in timers.waiting] == [7200.0]
    assert ended.status is Status.PROVISIONED
    own = [e for e in place.log() if e.reason == "own_file"]
    assert [e.mac for e in own] == [place.phone, place.phone]
    assert {e.generation for e in own} == {Generation.SHA256}
    assert "verify=SUCCESS" in peer.log()
    record_interop("nginx", "virtual phone: provisioned by linekey serve --behind-proxy, mutual TLS")  # fmt: skip
    record_interop("nginx", "virtual phone: settings_refresh_timer fetches a changed setting")  # fmt: skip
