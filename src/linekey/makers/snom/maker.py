"""Snom, as the lint and the pages of makers see it.

Its models, rules and files have their own modules (``catalog``, ``provisioning``).
"""

from typing import Final

from linekey.makers.maker import Guard, Maker
from linekey.makers.snom import settings
from linekey.makers.snom.grammar import SNOM

GUARDS: Final = (
    Guard(
        r"check_fqdn_against_server_cert", frozenset({"on"}),
        "the phone does not look at the server's name", "SNOM-SETTING", "H",
        checks="name",
    ),
    Guard(
        r"tls_server_authentication", frozenset({"on"}),
        "the phone accepts any server's certificate", "SNOM-TLS", "H",
    ),
)  # fmt: skip

MAKER: Final = Maker(
    id="snom",
    title="Snom",
    ouis=(("000413", "H"),),
    grammars=(SNOM,),
    files=(),
    user_agents=(),
    models=(),
    map=settings.MAP,
    own=settings.own,
    guards=GUARDS,
    snom_like=True,
    sources=("SNOM-TLS", "SNOM-FILES", "SNOM-SETTING"),
)
