"""Everything on one empty machine: lab authorities, the server, one virtual phone.

``async with Stage(…)`` makes what is missing (authorities, trust in them, the phone's
record), starts the provisioning server and the phone, and stops both when it is left.
It is what ``linekey up`` runs; ``report`` is what ``--json`` prints.

Rule: what is in the state folder already is used as it is. A record that an operator
changed is never changed back; files are made once. The phone of a lab that stays is
kept there and answers ``linekey phone …``; one that passes by leaves no trace of it.
"""

import asyncio
import contextlib
import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.profile import Profile, newest_firmware, profile
from linekey.catalog.vendors import LAB_PREFIX
from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem
from linekey.lab import line, menu
from linekey.lab.authority import LabAuthority
from linekey.lab.registrar import Registrar, Said
from linekey.mac import Mac
from linekey.makers.all import maker_of
from linekey.phone.edge.control import control
from linekey.phone.edge.disk import PhoneFolder, PhoneStore
from linekey.phone.edge.runner import Service, VirtualPhone
from linekey.phone.identity import DeviceIdentity
from linekey.phone.pages.server import PhoneServer
from linekey.phone.resume import resume
from linekey.phone.state import LogEntry as PhoneLine
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.server.preflight.checks import ServerFiles
from linekey.server.server import ProvisioningServer
from linekey.settings import Settings
from linekey.store.database import Database, open_database
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.users import Users, link_url
from linekey.store.vendor_cas import VendorCas, describe_ca
from linekey.trust.anchors import anchors_of
from linekey.wire.door.listener import bind

_log = logging.getLogger("linekey.lab")

MODEL, FIRMWARE = "D785", "10.1.33.33"
"""The phone of the lab, unless another is asked for."""
ADMINISTRATOR = "admin"
"""The user of the lab's console, made where there is none."""
_REGISTERED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Cast:
    """Which phone plays, and the ports of the server on loopback (0: a free one)."""

    profile: Profile
    mac: Mac
    port: int
    status_port: int


def cast(
    model: str, firmware: str | None, mac: Mac | None, *, port: int, status_port: int
) -> Cast:
    """Choose the phone. Raises InputError for an unknown model or version.

    ``firmware`` None is the lab's usual one for its usual phone, else the newest that
    is known of the model.
    """
    found = find_model(model)
    if firmware is None:
        usual = found.name == MODEL
        version = Firmware.parse(FIRMWARE) if usual else newest_firmware(found)
    else:
        version = Firmware.parse(firmware)
    row = profile(found, version)
    return Cast(row, mac or lab_mac(row), port, status_port)


def lab_mac(row: Profile) -> Mac:
    """A MAC for the lab's phone, the same for one model and firmware each time.

    In its maker's block, since rules may look at it; it stands for no phone that is
    known.
    """
    maker = maker_of(row.model.maker)
    block = maker.ouis[0][0] if maker is not None and maker.ouis else "000413"
    return Mac(f"{block}{zlib.crc32(row.name.encode()) & 0xFFFFFF:06X}")


@dataclass(slots=True)
class Stage:
    """The lab, running. The story goes to ``tell_…`` as it happens."""

    state: StateDir
    cast: Cast
    tell_server: Callable[[LogEntry], None]
    tell_phone: Callable[[PhoneLine], None]
    tell_registrar: Callable[[datetime, Said], None]
    """With the moment it was said."""
    web_port: int = 0
    """Of the phone's own pages, on loopback; 0 takes a free one."""
    sip_port: int = 0
    """Of the lab's registrar, on loopback; 0 takes a free one."""
    unregistered: bool = False
    """Whether the phone is left without a record, if it has none, and waits."""
    passing: bool = False
    """Whether it ends by itself: then a lab that stays keeps its URL on record."""
    decisions: list[LogEntry] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """What was not there and was made, a sentence each."""
    server: ProvisioningServer = field(init=False)
    phone: VirtualPhone = field(init=False)
    lab: LabAuthority = field(init=False)
    phone_url: str = field(init=False, default="")
    """The phone's own pages."""
    registrar: Registrar = field(init=False)
    menu_url: str = field(init=False, default="")
    """Of the minibrowser menu for the phone's function key."""
    log_in_link: str | None = field(init=False, default=None)
    """What logs the administrator in to the console, once."""
    at_registrar: bool = field(init=False, default=False)
    """Whether the phone's line is one at the lab's registrar."""
    _kept: dict[str, Any] | None = field(init=False, default=None)
    _stack: contextlib.AsyncExitStack = field(
        init=False, default_factory=contextlib.AsyncExitStack
    )

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        now = datetime.now(UTC)
        # First: where the database is lost, nothing is made.
        database = stack.enter_context(open_database(self.state))
        if not (self.state.lab / "server" / "ca.pem").exists():
            self.made.append(f"a lab vendor CA and a lab server CA in {self.state.lab}")
        self.lab = LabAuthority.open(self.state.lab)
        self._trust(database, now)
        listener = bind("127.0.0.1", self.sip_port)
        stack.callback(listener.close)
        self.registrar = await stack.enter_async_context(
            line.registrar(
                self.lab,
                database,
                self.cast.mac,
                listener,
                self._said,
                self._authorities(),
            )
        )
        listener = bind("127.0.0.1", 0)
        stack.callback(listener.close)
        self.menu_url = menu.menu_url(listener)
        await stack.enter_async_context(menu.menu_door(self.lab, listener))
        token = self._register(database, now)
        settings = Settings.model_validate(
            {
                "host": "127.0.0.1",
                "port": self.cast.port,
                "status": {"port": self.cast.status_port},
                "names": ("localhost",),
                "pending": {"policy": "waiting" if self.unregistered else "refuse"},
            }
        )
        chain, key = self.lab.server_identity()
        anchors = anchors_of((chain,), (self.lab.server_root(),))
        files = ServerFiles(chain, key, anchors=anchors)
        self.server = await stack.enter_async_context(
            ProvisioningServer(settings, database, files)
        )
        stack.callback(self.server.subscribe(self._decided))
        if not self.passing or self.lab.server_url() is None:
            self.lab.record_urls(
                self.server.url, self.server.api_url, self.server.console_url
            )
        self._let_in(database, now)
        listener = bind("127.0.0.1", self.web_port)
        stack.callback(listener.close)
        pages = PhoneServer(listener)
        self.phone_url = pages.url
        services: tuple[Service, ...] = (pages, SipLines())
        folder = None
        if not self.passing:
            folder = PhoneStore(self.state.root / "phones").folder(self.cast.mac)
            stack.enter_context(folder.lock())
            services = (control(folder.control_path), *services)
        phone = self._phone_state(now, token, folder)
        if folder is not None:
            folder.save(phone)
        self.phone = VirtualPhone(
            phone, keeper=folder, tell=self.tell_phone, services=services
        )

    async def power_on(self) -> None:
        """Switch the phone on; it stays on until the stage is left."""
        await self._stack.enter_async_context(self.phone)

    async def registered(self) -> bool:
        """Wait until the phone's line is registered; False if it does not come to it.

        A line that an operator pointed elsewhere is not waited for.
        """
        if not self.at_registrar:
            return False
        try:
            async with asyncio.timeout(_REGISTERED_WITHIN_S):
                await self.phone.wait_for(
                    lambda state: any(
                        x.state is LineState.REGISTERED for x in state.part(Lines).lines
                    )
                )
        except TimeoutError:
            return False
        return True

    def _said(self, said: Said) -> None:
        _log.info("the lab's registrar: %s", said.sentence)
        self.tell_registrar(datetime.now(UTC), said)

    def _decided(self, entry: LogEntry) -> None:
        self.decisions.append(entry)
        self.tell_server(entry)

    def _let_in(self, database: Database, now: datetime) -> None:
        """Make a link that logs a person in to the console, whoever comes first."""
        if self.server.console_url is None or self.passing:
            return
        users = Users(database)
        if not (there := [one for one in users.all() if one.revoked_at is None]):
            there = [users.add(ADMINISTRATOR, "admin", now)]
            self.made.append("an administrator of the console (linekey user list)")
        names = [one.name for one in there]
        if ADMINISTRATOR in names:
            token = users.new_link(ADMINISTRATOR, now)
            self.log_in_link = link_url(self.server.console_url, token)

    @property
    def has_snoms(self) -> bool:
        """Whether the phone reads Snom's settings: then it has a Snom's lab."""
        maker = maker_of(self.cast.profile.model.maker)
        return maker is None or maker.snom_like

    def _authorities(self) -> tuple[Certificate, ...]:
        """The authorities of the phone's maker, the root first."""
        return self.lab.makers_authorities(self.cast.profile)

    def _trust(self, database: Database, now: datetime) -> None:
        authorities = VendorCas(database)
        there = {ca.certificate.sha256 for ca in authorities.all()}
        its = [*self._authorities()]
        for shape in self.lab.made_makers():  # by linekey lab identity --maker
            its += [issuer.certificate for issuer in self.lab.open_maker(shape)]
        wanted = tuple(
            dict.fromkeys(
                (*self.lab.vendor_roots(), *self.lab.vendor_intermediates(), *its)
            )
        )
        missing = [c for c in wanted if c.sha256 not in there]
        if missing:
            authorities.add([describe_ca(c, now) for c in missing])
            self.made.append("trust in the lab vendor CA (linekey trust list)")

    def _register(self, database: Database, now: datetime) -> str:
        """Put the phone on record; return a one-time token if it needs one."""
        devices, row = Devices(database), self.cast.profile
        port = self.registrar.port
        if devices.find(self.cast.mac) is None:
            if self.unregistered:
                return ""
            self._add(devices, now)
        device = devices.change(
            self.cast.mac,
            lambda before: menu.follow_url(
                line.follow_port(before, port), self.menu_url
            ),
            now,
        )
        self.at_registrar = line.is_at_lab(device, port)
        if not row.shared_certificate:
            return ""
        self.made.append(
            "a one-time token for the phone's URL: its certificate is shared by many"
            " phones and proves the vendor alone"
        )
        return devices.new_token(self.cast.mac, now)

    def _add(self, devices: Devices, now: datetime) -> None:
        row = self.cast.profile
        snoms = self.has_snoms
        devices.add(
            Device(
                mac=self.cast.mac,
                vendor=f"{LAB_PREFIX}{row.model.maker}",
                model=row.model.name,
                firmware=row.firmware,
                label="the lab's phone",
                layer=_lab_layer(self.registrar.port, self.menu_url)
                if snoms
                else _neutral_layer(self.registrar.port),
            ),
            now,
        )
        self.made.append(f"a record of the phone {self.cast.mac} (linekey device list)")

    def _phone_state(
        self, now: datetime, token: str, folder: PhoneFolder | None
    ) -> PhoneState:
        """The phone as it was left, or fresh from its box."""
        row = self.cast.profile
        if folder is not None and folder.exists:
            state = resume(folder.load(), row.model.name, row.firmware, now)
        else:
            state = new_phone(self.cast.mac, row.model.name, row.firmware)
        builtin = state.builtin
        if builtin is None:
            chain, key = self.lab.phone_identity(row, self.cast.mac)
            builtin = DeviceIdentity(chain, private_key_to_pem(key))
        state = state.with_usual_roots(self._authorities())
        trust = state.trust
        if row.model.is_known or row.server_auth_default:
            # As if an earlier round had provisioned it: how a phone that verifies comes
            # to know a private server CA. One that does not learns it from its file.
            state = state.counting_all_cas()
            root = self.lab.server_root()
            trust = state.trust.provision(root, at=now, signed_by_rule=False).store
        return replace(
            state,
            bootstrap_server=f"{self.server.url}/t/{token}/"
            if token
            else f"{self.server.url}/",
            builtin=builtin,
            trust=trust,
        )

    def keep_report(self) -> None:
        """Make ``report`` tell of this moment, not of what is left after the end."""
        self._kept = self.report()

    def report(self) -> dict[str, Any]:
        """What happened, as one JSON document."""
        if self._kept is not None:
            return self._kept
        return {
            "server": {"url": self.server.url, "status_url": self.server.status_url},
            "phone": self.phone.report(),
            "decisions": [
                {
                    "mac": None if entry.mac is None else str(entry.mac),
                    "resource": entry.resource,
                    "outcome": entry.outcome,
                    "reason": entry.reason,
                    "detail": entry.detail,
                }
                for entry in self.decisions
            ],
        }


def _neutral_layer(sip_port: int) -> Layer:
    """The same for another maker's phone, in neutral settings.

    No layer holds the lab server's CA: the server adds the root of its chain itself.
    """
    return Layer(
        settings=(
            *line.line_settings(sip_port, line.NEUTRAL),
            Setting("any.account.label", "Line 1", idx=1),
            Setting("any.account.srtp", "required", idx=1),
            Setting("any.key.type", "line", idx=1),
            Setting("any.key.account", "1", idx=1),
            Setting("any.language", "en"),
        ),
    )


def _lab_layer(sip_port: int, menu_url: str) -> Layer:
    """A configuration to look at: an account at the lab's registrar, function keys."""
    return Layer(
        settings=(
            *line.line_settings(sip_port),
            Setting("user_srtp", "on", idx=1),
            Setting("user_savp", "mandatory", idx=1),
            Setting("language", "English", perm="RW"),
        ),
        function_keys=(
            FunctionKey(0, "line", label="Line 1"),
            menu.menu_key(menu_url),
        ),
    )
