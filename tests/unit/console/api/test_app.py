"""Whatever a parameter holds, the answer is a problem with its cure, or none at all."""

from typing import Any

from tests.unit.console.api.conftest import MAC, World, shared_app

from linekey.settings import ApiSettings

LONG = 10_000
"""Characters: what a log file, a paste or an attack puts into a search."""
ODD = [
    "a" * LONG,
    "*b" * (LONG // 2),
    "%00%F0%9F%98%80",
    "%ED%A0%80",
    "=cmd%3Cb%3E1e999",
]


def parameters() -> list[tuple[str, str]]:
    """Every path that is read, with ``{}`` in the place of one of its parameters."""
    document = shared_app().openapi()
    found = []
    for path, methods in document["paths"].items():
        said: list[dict[str, Any]] = methods.get("get", {}).get("parameters", [])
        for one in said:
            name = one["name"]
            if one["in"] == "path":
                found.append((name, path.replace(f"{{{name}}}", "{}")))
            elif one["in"] == "query":
                found.append((name, path.replace("{mac}", MAC) + f"?{name}={{}}"))
    return found


async def test_no_parameter_is_a_fault_or_answered_at_length(world: World) -> None:
    world.settings = ApiSettings(requests_each_minute=1_000_000)
    wanted = parameters()
    assert len(wanted) > 60
    async with world.client() as http:
        for name, path in wanted:
            for value in ODD:
                address = path.replace("{}", value).removeprefix("/")
                if "decisions/follow" in address and "wait" not in address:
                    address += "&wait=0"
                answer = await http.get(address)
                told = (name, path, value[:20], answer.text[:300])
                assert answer.status_code < 500, told
                assert len(answer.content) < 3000 or answer.status_code == 200, told
                if answer.status_code != 200:
                    assert answer.status_code in (400, 404, 422), told
                    assert answer.json()["cure"], told
