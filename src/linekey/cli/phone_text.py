"""A phone's report (``phone.report.describe_phone``) in words, for a terminal.

Rule: what servers and pages brought is printed with its control characters escaped.
"""

from linekey.cli.on_use import on_use
from linekey.cli.opening import printable

with on_use():
    from linekey.phone.report import TABS
    from linekey.phone.uses.all import USES
    from linekey.phone.uses.use import Document, Row


def show_rows(phone: Document) -> list[Row]:
    """What ``linekey phone show`` prints, a label and a text each."""
    auth, own = phone["server_authentication"], phone["certificate"]
    active = "on" if auth["active"] else "off"
    shown = own and f"{own['kind']}, {own['generation']}, {own['key']}"
    return [
        ("phone", f"{phone['mac']}  {phone['model']} {phone['firmware']}"),
        ("state", printable(f"{phone['state']}: {phone['reason']}")),
        *_use_rows(phone),
        ("setting server", phone["setting_server"] or "none"),
        ("TLS versions", ", ".join(phone["speaks"]["versions"])),
        ("certificate", shown or "none"),
        (
            "server authentication",
            active + (" (cannot be disabled)" if auth["forced"] else ""),
        ),
        ("name check", "on" if auth["check_fqdn"] else "off"),
        ("settings", str(phone["settings"])),
        *((_lower(TABS[s]), str(n)) for s, n in phone["tabs"].items()),
        *(
            (
                f"fetched {f['status'] or '—'}",
                printable(": ".join(filter(None, (f["url"], f["reason"])))),
            )
            for f in phone["fetched"]
        ),
    ]


def notice_lines(phone: Document) -> list[str]:
    """The notifications on the phone's screen, newest first."""
    lines = []
    for notice in phone["notifications"]:
        lines.append(printable(f"{notice['title']}: {notice['text']}"))
        lines.append(f"  {printable(notice['cure'])}")
    return lines


def screen_lines(phone: Document) -> list[str]:
    """What the phone's display shows, and which keys may be pressed."""
    apps = phone["apps"]
    shows = {name: of for use in USES for name, of in use.in_front.items()}
    of_use = shows.get(apps["in_front"])
    lines = [phone["name"], phone["state"]] if of_use is None else of_use(phone)
    if apps["opening"]:
        lines.append(f"opening {apps['opening']} …")
    message = apps["message"]
    if message is not None:
        hint = f" ({message['hint']})" if message["hint"] else ""
        lines.append(f"message: {message['text']}{hint}")
    lines += [f"{label}: {text}" for label, text in _use_rows(phone)]
    keys = [f"{k['idx']} {k['label']}" for k in phone["function_keys"]]
    lines.append("function keys: " + (", ".join(keys) or "none"))
    return [*notice_lines(phone), *(printable(line) for line in lines)]


def _use_rows(phone: Document) -> list[Row]:
    return [(label, printable(text)) for use in USES for label, text in use.rows(phone)]


def _lower(title: str) -> str:
    return " ".join(w if w[:1].isdigit() else w.lower() for w in title.split())
