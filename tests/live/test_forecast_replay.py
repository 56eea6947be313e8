"""2021-09-30 again: whom the forecast says to fail is who really failed that day.

The chain has Let's Encrypt's shapes and dates (the CA's own page on the expiry of DST
Root CA X3): leaf, R3, and ISRG Root X1 as signed by DST Root CA X3, which ended on that
day at 14:01:15. Names, dates, key sizes and hashes are theirs, the keys are not; a
phone's list is Mozilla's of its date, these two roots exchanged for ours.

The referees are OpenSSL's lines, with their clocks held at the second in question.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.live.line_cases import NAME
from tests.live.openssl_lines import verdicts_on

from linekey.catalog.profile import profile
from linekey.catalog.roots import roots_at
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.lines import Line
from linekey.certs.pem import PrivateKey
from linekey.check.classes import Phone
from linekey.check.forecast import Event, Kind, Served, forecast
from linekey.check.phones import Setup, gather_each

LINES: dict[str, Line] = {"1.0.1u": "1.0.1", "1.0.2s": "1.0.2", "1.1.1k": "1.1.1"}
TICK = timedelta(seconds=1)
DAY_1 = datetime(2021, 9, 1, tzinfo=UTC)
END = datetime(2021, 9, 30, 14, 1, 15, tzinfo=UTC)
UNTIL = datetime(2021, 11, 1, tzinfo=UTC)


def called(organisation: str, name: str, country: str = "") -> Name:
    pairs = [("C", country)] if country else []
    return Name.build([*pairs, ("O", organisation), ("CN", name)])


DST = called("Digital Signature Trust Co.", "DST Root CA X3")
ISRG = called("Internet Security Research Group", "ISRG Root X1", "US")
R3 = called("Let's Encrypt", "R3", "US")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@cache
def key(label: str) -> PrivateKey:
    return new_key("rsa", 4096 if label == "isrg" else 2048)


def authority(
    name: Name, label: str, above: Issuer | None, begins: str, ends: str, **fields: Any
) -> Issuer:
    made = issue(
        name, key(label), above, serial=len(label) + len(begins + ends),
        not_before=moment(begins), not_after=moment(ends), ca=True, ca_critical=True,
        key_usage=("keyCertSign", "cRLSign"), **fields,
    )  # fmt: skip
    return Issuer(made, key(label))


@cache
def chain() -> dict[str, Certificate]:
    dst = authority(
        DST, "dst", None, "2000-09-30T21:12:19", "2021-09-30T14:01:15", hash="sha1"
    )
    isrg = authority(ISRG, "isrg", None, "2015-06-04T11:04:38", "2035-06-04T11:04:38")
    crossed = authority(ISRG, "isrg", dst, "2021-01-20T19:14:03", "2024-09-30T18:14:03")
    r3 = authority(
        R3, "r3", isrg, "2020-09-04T00:00:00", "2025-09-15T16:00:00", path_length=0,
        extended_key_usage=("clientAuth", "serverAuth"),
    )  # fmt: skip
    leaf = issue(
        Name.build([("CN", NAME)]), key("leaf"), r3, serial=4711, dns_names=(NAME,),
        not_before=moment("2021-08-20T10:00:00"),
        not_after=moment("2021-11-18T09:59:59"), ca=False, ca_critical=True,
        key_usage=("digitalSignature", "keyEncipherment"),
        extended_key_usage=("serverAuth", "clientAuth"),
    )  # fmt: skip
    return {
        "leaf": leaf, "r3": r3.certificate, "crossed": crossed.certificate,
        "isrg": isrg.certificate, "dst": dst.certificate,
    }  # fmt: skip


def mozillas(day: date, *without: Name) -> tuple[Certificate, ...]:
    """Mozilla's list of that day, with our DST Root CA X3 and ISRG Root X1."""
    ours = {c.subject.canonical: c for c in (chain()["dst"], chain()["isrg"])}
    listed = [ours.get(root.subject.canonical, root) for root in roots_at(day)]
    out = {name.canonical for name in without}
    return tuple(c for c in listed if c.subject.canonical not in out)


def as_line(phone: Phone, line: Line) -> Phone:
    """A phone that verifies by this line. The catalogue has none with 1.1.1 yet, and
    those with 1.0.1 know no SHA-256: the line alone is exchanged."""
    match = phone.profile.match
    other = replace(
        phone.profile, match=replace(match, row=replace(match.row, era=line))
    )
    return replace(phone, state=replace(phone.state, profile=other))


@cache
def fleet() -> dict[str, tuple[int, Setup]]:
    """What a phone trusts: by a name, how many phones, and how it was set up."""
    isrg = chain()["isrg"]
    before = mozillas(date(2016, 8, 1))
    return {
        "list of 2016, DST alone": (412, Setup(authorities=before)),
        "list of 2016, ISRG provisioned": (
            96,
            Setup(authorities=before, certificates=(isrg,)),
        ),
        "list of that day, both": (1970, Setup(authorities=mozillas(date(2021, 9, 1)))),
        "list of that day, DST taken out": (
            30,
            Setup(authorities=mozillas(date(2021, 9, 1), DST)),
        ),
        "neither": (
            7,
            Setup(authorities=mozillas(date(2021, 9, 1), DST, ISRG)),
        ),
    }


def kinds(line: Line) -> dict[str, Kind]:
    """One kind a set-up; a MAC says which."""
    d785 = profile("D785", "10.1.73.16")
    entries = [(d785, "", setup) for _, setup in fleet().values()]
    phones = gather_each(entries, NAME, now=DAY_1).phones
    return {
        what: Kind(as_line(phone, line), tuple(f"{what} {n}" for n in range(count)))
        for (what, (count, _)), phone in zip(fleet().items(), phones, strict=True)
    }


def who(events: tuple[Event, ...]) -> set[str]:
    return {mac.rsplit(" ", 1)[0] for event in events for mac in event.macs}


@pytest.mark.peer("faketime")
@pytest.mark.parametrize(
    "version", [pytest.param(v, marks=pytest.mark.peer(f"OpenSSL {v}")) for v in LINES]
)
async def test_who_fails_is_who_the_lines_themselves_refuse(
    version: str, tmp_path: Path, record_property: Any, record_interop: Any
) -> None:
    phones = kinds(LINES[version])
    long = tuple(chain()[n] for n in ("leaf", "r3", "crossed"))
    short = long[:2]

    async def accepted(sent: tuple[Certificate, ...], at: datetime) -> set[str]:
        """Of the fleet, whose lists the line itself accepts this chain with."""
        asked = [
            ([c.der for c in sent], [c.der for c in kind.phone.state.trust.anchors])
            for kind in phones.values()
        ]
        said = await verdicts_on(version, asked, tmp_path, key("leaf"), at=at)
        assert not [s for s in said if "error" in s or s == "no verdict"], said
        return {n for n, s in zip(phones, said, strict=True) if s == "accepted"}

    found = forecast(
        list(phones.values()),
        [Served("the server", NAME, long)],
        (),
        now=DAY_1,
        until=UNTIL,
        phones=sum(len(k.macs) for k in phones.values()),
        renewal=Served("the short chain", NAME, short),
    )
    ours = tuple(e for e in found.events if e.server == "the server")
    before = await accepted(long, END - TICK)
    after = await accepted(long, END)
    refused = {e for e in ours if e.kind == "accepts"}
    assert {e.at for e in refused} == {END}
    assert len(ours) == len(refused), "nobody begins to accept it"
    assert (
        who(found.already) == set(phones) - await accepted(long, DAY_1) == {"neither"}
    )
    assert who(ours) == before - after
    assert await accepted(long, UNTIL) == after
    assert all(e.cause.startswith(f"{chain()['dst'].label} expire") for e in refused)

    # Who renews to the chain without the cross-sign, on that morning.
    renewal = found.renewal
    assert renewal is not None
    new = await accepted(short, DAY_1)
    assert who(renewal.lost) == before - new
    assert who(renewal.gained) == new - before
    assert renewal.kept == sum(len(phones[n].macs) for n in new)

    lost = sum(len(phones[n].macs) for n in before - after)
    assert after
    assert lost
    record_interop(f"OpenSSL {version}", "2021-09-30: who fails, and who does not")
    record_property(
        "counted",
        f"2021-09-30 as OpenSSL {version}: {lost:,} phones lost, survivors: "
        f"{', '.join(sorted(after))}",
    )
