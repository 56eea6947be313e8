"""A phone's report (``phone.report.describe_phone``) in words, for a terminal.

Rule: what servers and pages brought is printed with its control characters escaped.
"""

from collections.abc import Mapping
from typing import Any

from linekey.cli.opening import printable
from linekey.phone.report import TABS

Document = Mapping[str, Any]
Row = tuple[str, str]


def show_rows(phone: Document) -> list[Row]:
    """What ``linekey phone show`` prints, a label and a text each."""
    auth, own = phone["server_authentication"], phone["certificate"]
    active = "on" if auth["active"] else "off"
    shown = own and f"{own['kind']}, {own['generation']}, {own['key']}"
    return [
        ("phone", f"{phone['mac']}  {phone['model']} {phone['firmware']}"),
        ("state", printable(f"{phone['state']}: {phone['reason']}")),
        *_line_rows(phone),
        ("setting server", phone["setting_server"] or "none"),
        ("speaks", ", ".join(phone["speaks"]["versions"])),
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
    match apps["in_front"]:
        case "page":
            lines = _page_lines(apps["minibrowser"])
        case "directory":
            lines = _directory_lines(apps["directory"])
        case _:
            lines = [phone["name"], phone["state"]]
    if apps["opening"]:
        lines.append(f"opening {apps['opening']} …")
    message = apps["message"]
    if message is not None:
        hint = f" ({message['hint']})" if message["hint"] else ""
        lines.append(f"message: {message['text']}{hint}")
    lines += [f"{label}: {text}" for label, text in _line_rows(phone)]
    keys = [f"{k['idx']} {k['label']}" for k in phone["function_keys"]]
    lines.append("function keys: " + (", ".join(keys) or "none"))
    return [*notice_lines(phone), *(printable(line) for line in lines)]


def _page_lines(page: Document) -> list[str]:
    lines = [text for text in (page["title"], page["prompt"]) if text]
    lines += [f"  {text}" for text in page["lines"]]
    if page["kind"] == "image":
        lines.append(f"  an image ({page['image'] or 'not there'})")
    for entry in page["entries"]:
        telephone = f"  {entry['telephone']}" if entry["telephone"] else ""
        lines.append(f"  {entry['number'] + 1}  {entry['label']}{telephone}")
    lines += [f"  [{field['label']}] {field['value']}" for field in page["fields"]]
    soft = [f"{key['key']} {key['label']}" for key in page["soft_keys"]]
    lines.append("soft keys: " + ", ".join([*soft, "CANCEL", "EXIT"]))
    return lines


def _directory_lines(found: Document) -> list[str]:
    lines = [f"directory: {found['text']}"]
    lines += [text for text in (found["problem"], found["cure"]) if text]
    for entry in found["entries"]:
        lines.append(f"  {entry['name']}  {numbers_of(entry)}")
    return [*lines, *found["notes"]]


def numbers_of(entry: Document) -> str:
    """The numbers of one entry of the directory."""
    return ", ".join(row["number"] for row in entry["numbers"])


def _line_rows(phone: Document) -> list[Row]:
    if not phone["running"]:
        return [("lines", "not known, as the phone does not run")]
    rows = [
        (f"line {line['idx']}", printable(_line_text(line))) for line in phone["lines"]
    ]
    return rows or [("lines", "none")]


def _line_text(line: Document) -> str:
    """Where a registration stands, such as ``registered as … for 3600 s over TLS``."""
    if line["state"] == "registered":
        return f"{line['reason']}{' over TLS' if line['tls'] else ''}"
    return ": ".join(filter(None, (line["state"], line["reason"])))


def _lower(title: str) -> str:
    return " ".join(w if w[:1].isdigit() else w.lower() for w in title.split())
