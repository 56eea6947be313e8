"""What the phone tells of itself, for every model and firmware."""

import json

import pytest
from tests.certificates import MAC, device

from linekey.catalog.known_settings import known_settings
from linekey.catalog.profile import all_profiles
from linekey.phone.defaults import default_of
from linekey.phone.report import (
    describe_certificates,
    describe_phone,
    describe_settings,
)
from linekey.phone.state import new_phone
from linekey.phone.user_agent import user_agent


@pytest.mark.parametrize("row", all_profiles(), ids=lambda r: r.name)
def test_every_phone_of_the_catalogue_can_be_made_and_told_of(row) -> None:
    state = new_phone(
        MAC,
        row.model.name,
        row.firmware,
        builtin=device(MAC, row.builtin_generation.value),
    )
    json.dumps(describe_phone(state), default=str)
    json.dumps(describe_certificates(state), default=str)
    assert describe_settings(state) == []
    assert state.authenticates_servers is (row.firmware.branch >= (10, 0))
    said = user_agent(row.model, row.firmware, MAC)
    named = (
        f"Snom {row.model.name} "
        if row.model.is_dect_base
        else f"{row.model.user_agent_name}-SIP "
    )
    assert f"compatible; {named}{row.firmware}" in said
    for name in known_settings():
        assert isinstance(default_of(name, row), str)
