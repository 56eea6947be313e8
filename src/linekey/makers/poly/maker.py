"""Poly, whole."""

from typing import Final

from linekey.makers.maker import Fact, FileKind, FileName, Maker, Upload
from linekey.makers.poly import settings
from linekey.makers.poly.grammar import POLY
from linekey.makers.poly.models import MODELS

_GUIDE: Final = "POLY-UCS, SIP 3.1 guide appendix A"
OWN_FILE: Final = "{mac}-user.cfg"
"""The file with the settings; the masters name it. Another server has it so, too."""
_SEEN: Final = "PBX-WAZO; PBX-ORYK"

MAKER: Final = Maker(
    id="poly",
    title="Poly (Polycom UC software)",
    ouis=(("0004F2", "H"), ("64167F", "M"), ("482567", "M")),
    grammars=(POLY,),
    files=(
        FileName("{mac}.cfg", FileKind.MASTER, _GUIDE, "H"),
        FileName("000000000000.cfg", FileKind.MASTER, _GUIDE, "H",
                 note="asked for where {mac}.cfg is missing"),
        FileName(OWN_FILE, FileKind.OWN, _SEEN, "H",
                 note="named by both masters in CONFIG_FILES"),
        FileName("{mac}-phone.cfg", FileKind.LOCAL, _SEEN, "H", served=False),
        FileName("{mac}-web.cfg", FileKind.LOCAL, _SEEN, "H", served=False),
        FileName("000000000000-license.cfg", FileKind.COMMON, _SEEN, "H", served=False),
        FileName("{mac}-license.cfg", FileKind.COMMON, _SEEN, "H", served=False),
        FileName("{mac}-calls.xml", FileKind.LOCAL, _SEEN, "H", served=False),
        FileName("{mac}-directory.xml", FileKind.LOCAL, _SEEN, "H", served=False),
        FileName("000000000000-directory.xml", FileKind.COMMON, _SEEN, "H",
                 served=False),
    ),
    user_agents=(
        "FileTransport {model}-UA/{firmware} Type/Application",
        "FileTransport {model}-UA/{firmware} Type/Updater",
        "FileTransport {model}-UA/{firmware} (SN:{mac}) Type/Application",
        "FileTransport {model}-UA/{firmware}",
    ),
    models=MODELS,
    map=settings.MAP,
    guards=settings.GUARDS,
    known=settings.KNOWN,
    uploads=(
        *(Upload(f"{{mac}}-{name}.log", "PUT", _SEEN, "M") for name in ("boot", "app")),
        *(Upload(f"{{mac}}-{name}", "PUT", _SEEN, "M", "the user's changes")
          for name in ("phone.cfg", "web.cfg", "directory.xml", "calls.xml")),
    ),
    trust=settings.trust,
    trust_source="PBX-FUSION; PBX-FSPBX; PBX-TELEPROVISIONER",
    trust_confidence="M",
    cas_add_up=False,
    own=settings.own,
    own_read=settings.own_read,
    sources=("POLY-UCS", "PBX-WAZO", "PBX-FUSION", "PBX-FSPBX", "PBX-TELEPROVISIONER"),
    facts=(
        Fact("each phone has a factory certificate whose CN is its MAC, since SIP 3.2",
             "POLY-UCS TB 52609", "H"),
        Fact("the issuing authorities end on 2039-03-09, the root on 2044-03-09",
             "MTLS-PROTECT", "H"),
        Fact("an unknown CA fails; no switch that turns that off was seen",
             "PBX-FUSION pull 4315", "L"),
        Fact("the check of names is probably on by default",
             "PBX-FUSION pull 4315", "L"),
        Fact("the first file in CONFIG_FILES wins", "POLY-UCS 1.4 guide", "H"),
        Fact("the MAC in file names was seen in lower case; by the manual it may be"
             " either",
             _SEEN, "H"),
        Fact("application certificates are not for provisioning, syslog and 802.1X",
             "POLY-UCS Feature Profile 37148", "H"),
        Fact("logs are sent with PUT, the application's after a HEAD", _SEEN, "M"),
        Fact("the maker's redirection (ZTP): a file that says where to ask"
             " (any.provisioning.url) switches it off with device.prov.ztpEnabled,"
             " unless a setting of yours says otherwise",
             "PBX-TELEPROVISIONER; PBX-FUSION", "H"),
        Fact("a public root is not given to a phone: the CA that a profile is given"
             " counts in place of those built in (read so)",
             "PBX-TELEPROVISIONER", "L"),
    ),
    unknown=(
        "key and hash of the factory certificate",
        "which public CAs are built in, by release",
        "which TLS versions are on by default",
        "its ClientHello, by model and firmware: one of a phone of unknown model is"
        " published; one of a SoundPoint IP 550 is attached to issue 93 of"
        " asterisk/asterisk, and is not in here",
        "what it shows when a server's certificate fails, and when it tries again",
        "how many lines and keys each model has",
        "whether a profile takes two CAs",
    ),
)  # fmt: skip
