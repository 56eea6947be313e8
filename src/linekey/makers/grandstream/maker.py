"""Grandstream, whole."""

from typing import Final

from linekey.makers.grandstream import settings
from linekey.makers.grandstream.grammar import NAMES, NUMBERS
from linekey.makers.grandstream.models import MODELS
from linekey.makers.maker import Fact, FileKind, FileName, Maker

_GUIDE: Final = "GRANDSTREAM-GUIDE"

MAKER: Final = Maker(
    id="grandstream",
    title="Grandstream",
    ouis=(("000B82", "H"), ("C074AD", "H"), ("EC74D7", "M")),
    grammars=(NUMBERS, NAMES),
    files=(
        FileName("cfg{mac}", FileKind.PACKED, _GUIDE, "H", served=False,
                 note="binary; not there, so the phone goes on"),
        FileName("cfg{mac}.bin", FileKind.PACKED, _GUIDE, "M", served=False,
                 note="the same in the newest guide"),
        FileName("cfg{mac}.xml", FileKind.OWN, _GUIDE, "H"),
        FileName("cfg{model}.xml", FileKind.COMMON, _GUIDE, "H"),
        FileName("cfg.xml", FileKind.COMMON, _GUIDE, "H",
                 note="asked for where the others are missing, or with P8467 = 1"),
    ),
    user_agents=(
        "Grandstream Model HW {model} SW {firmware} DevId {mac}",
        "Grandstream Model HW {model} V1.1A SW {firmware} DevId {mac}",
    ),
    models=MODELS,
    map=settings.MAP,
    guards=settings.GUARDS,
    known=settings.KNOWN,
    trust=settings.trust,
    trust_source="PBX-FUSION; PBX-FSPBX",
    trust_confidence="M",
    own_read=settings.own_read,
    translate=settings.translate,
    sources=(
        "GRANDSTREAM-GUIDE", "PBX-FUSION", "PBX-WAZO", "PBX-FSPBX", "MTLS-PROTECT"
    ),
    facts=(
        Fact("checks of chains and names are off by default on GRP and GXP17xx phones;"
             " linekey switches them on", "PBX-FUSION", "M"),
        Fact("the first authority (RSA-1024, MD5) ends on 2027-06-11; the second has"
             " P-384 keys and ends in 2055", "MTLS-PROTECT", "H"),
        Fact("a leaf that is signed with MD5 is refused whatever the policy for ended"
             " certificates says, since MD5 proves nothing: a certificate with the same"
             " MD5 can be made; the policy helps leaves of the first authority that are"
             " signed with SHA-1", "RFC 6151 section 2.1", "H"),
        Fact("many units move to the second by firmware and a factory reset",
             "MTLS-PROTECT", "M"),
        Fact("account 1 has numbers of its own; those of account N from 2 on begin with"
             " N + 2: user P404, P504, password P406, P506",
             "PBX-WAZO; PBX-FUSION", "H"),
        Fact("a registration's length is in minutes", "PBX-FUSION", "H"),
        Fact("the MAC in file names is in lower case", _GUIDE, "H"),
        Fact("a factory-new phone asks the maker's server and is redirected",
             "GRANDSTREAM-GUIDE, HT502", "H"),
        Fact("whether P8463 governs provisioning over HTTPS is concluded from its name",
             "PBX-FUSION", "L"),
        Fact("places for CAs (P8433 to P8438) are taken to hold PEM with line breaks,"
             " and to count on GRP phones", "PBX-FUSION", "L"),
        Fact("the type of a BLF key is 1 here and 11 in a manual for GXP phones",
             "PBX-FUSION; public manuals", "L"),
    ),
    unknown=(
        "which TLS versions and suites it offers, by model and firmware",
        "which CAs are built in",
        "what it does when a server's certificate fails, and when it tries again",
        "whether it sends logs to the provisioning server (none was seen)",
        "how many accounts each model has",
    ),
)  # fmt: skip
