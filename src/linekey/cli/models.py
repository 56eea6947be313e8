"""``linekey models``: what a phone supports in TLS, and which source says so.

Without a model: one line for each. With one: everything at a firmware, the newest that
the cipher matrix names unless ``--firmware`` says another.
"""

from collections.abc import Iterable

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from linekey.catalog.evidence import CONFIDENCE_MEANING, SOURCES_MEANING
from linekey.catalog.models import MODELS, Model, find_model
from linekey.cli.on_use import on_use
from linekey.cli.opening import make_verb
from linekey.cli.output import console, emit_json, warn
from linekey.errors import InputError
from linekey.tls.suites import SUITES

with on_use():
    from linekey.catalog.describe import (
        ORIGIN_WORDS,
        branch_words,
        certificate_words,
        hash_words,
        model_document,
        profile_document,
    )
    from linekey.catalog.profile import Profile, newest_firmware, profile
    from linekey.makers.all import models_of, other_model_json

app = make_verb()

_STYLE = {"H": "green", "M": "yellow", "L": "magenta"}


@app.command()
def models(
    model: str = typer.Argument(
        "",
        metavar="MODEL",
        help="Model, such as D785, snomD785 or 'snom 710'. Without it: list all.",
    ),
    firmware: str = typer.Option(
        "",
        "--firmware",
        metavar="V",
        help="Firmware version. Default: the newest that linekey has data for.",
    ),
    maker: str = typer.Option(
        "",
        "--maker",
        metavar="MAKER",
        help="List the models of this maker: snom, yealink, poly, grandstream or "
        "gigaset.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Show what a phone model with a firmware supports in TLS.

    For each fact it shows the source, and how certain it is. For example:
    `linekey models D785 --firmware 10.1.33.33`.
    """
    if maker and (model or firmware):
        raise InputError(
            "--maker lists models; it goes with no model and no firmware",
            hint=f"linekey models --maker {maker}, or linekey models {model or 'T46U'}",
        )
    if maker and maker.lower() != "snom":
        _show_maker(maker, as_json=as_json)
    elif model:
        _show_one(find_model(model), firmware, as_json=as_json)
    elif firmware:
        raise InputError(
            "--firmware was given without a model",
            hint=f"name the model: linekey models D785 --firmware {firmware}",
        )
    else:
        _show_all(as_json=as_json)


def _show_all(*, as_json: bool) -> None:
    if as_json:
        emit_json({"models": [model_document(model) for model in MODELS.values()]})
        return
    table = Table(
        box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1), pad_edge=False
    )
    for column in ("model", "hashes", "built-in certificate", "firmware"):
        table.add_column(column, no_wrap=True)
    table.add_column("sure", justify="center")
    origin = "table"
    for model in MODELS.values():
        if model.origin != origin:
            origin = model.origin
            table.add_section()
        table.add_row(
            Text(model.name, style="bold"),
            hash_words(model),
            certificate_words(model),
            branch_words(model),
            _grade(model.confidence),
        )
    console.print(table)
    console.print(_legend())
    console.print("Details: linekey models D785 --firmware 10.1.33.33", style="dim")
    console.print("Other makers' phones: linekey models --maker yealink", style="dim")


def _show_maker(maker: str, *, as_json: bool) -> None:
    found = models_of(maker)
    if as_json:
        emit_json({"models": [other_model_json(model) for model in found]})
        return
    table = Table(
        box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1), pad_edge=False
    )
    for column in ("model", "User-Agent", "accounts", "keys", "source"):
        table.add_column(column, no_wrap=True)
    table.add_column("sure", justify="center")
    for model in found:
        said = other_model_json(model)
        table.add_row(
            Text(model.name, style="bold"),
            model.user_agent_name,
            *("" if said[key] is None else str(said[key]) for key in _COUNTS),
            model.source,
            _grade(model.confidence),
        )
    console.print(table)
    console.print(_legend())
    console.print(
        "An empty cell: no source tells it. What they can do in TLS is unknown.",
        style="dim",
    )


_COUNTS = ("accounts", "keys")


def _show_one(model: Model, firmware: str, *, as_json: bool) -> None:
    phone = profile(model, firmware or newest_firmware(model))
    if as_json:
        emit_json(profile_document(phone))
        return
    for warning in phone.warnings:
        warn(warning, "the nearest row of the cipher matrix is shown")
    console.print(
        Panel(_summary(phone), title=f"[bold]{phone.name}", title_align="left")
    )
    if not phone.is_unknown:
        console.print(_suites(phone), "")
    console.print(_rules(phone))
    console.print(_legend())


def _summary(phone: Profile) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for label, value in _lines(phone):
        grid.add_row(label, value)
    return grid


def _lines(phone: Profile) -> Iterable[tuple[str, str | Text]]:
    model = phone.model
    if phone.is_unknown:
        yield from _lines_of_another(phone)
        return
    yield "source", f"{ORIGIN_WORDS[model.origin]}"
    yield "protocol", ", ".join(phone.version_labels)
    yield (
        "cipher suites",
        Text.assemble(
            f"{len(phone.suites)}; {phone.match.how} ", _grade(phone.confidence)
        ),
    )
    yield "server key types", ", ".join(phone.authentications)
    yield "certificate hashes", ", ".join(phone.hashes)
    yield "built-in certificate", certificate_words(model)
    if model.shared_certificate:
        yield "", Text("proves the vendor, not the phone", style="yellow")
    yield "accepted generations", ", ".join(g.label for g in sorted(phone.generations))
    yield "verifies servers", _authentication(phone)
    yield "checks names", _names(phone)
    yield (
        "base64 certificates",
        "yes" if phone.base64_certificates else "no, only <certificate url>",
    )
    if phone.signed_by_rule:
        yield "", "a provisioned certificate must be signed by one it trusts"
    yield "phone_cert_type", "yes" if phone.phone_cert_type else "no"


def _lines_of_another(phone: Profile) -> Iterable[tuple[str, str | Text]]:
    """Of another maker's phone: what is known, and what it would take to know more."""
    model = phone.model
    yield "maker", model.title.removesuffix(f" {model.name}")
    yield "source", Text.assemble(model.source, " ", _grade(model.confidence))
    yield (
        "TLS abilities",
        Text(
            "unknown: no source tells them; a captured ClientHello does (linekey check "
            f"--model {model.name} --hello FILE)",
            style="yellow",
        ),
    )
    if model.code:
        yield "its files call it", model.code
    if model.accounts is not None:
        yield "accounts", str(model.accounts)
    if model.line_keys is not None:
        yield "line keys", str(model.line_keys)
    yield "verifies servers", _authentication(phone)
    yield "checks names", "by default" if phone.check_fqdn_default else "if set"


def _authentication(phone: Profile) -> str:
    if phone.switches_are_settings:
        return "by default" if phone.server_auth_default else "if set"
    if phone.server_auth_forced:
        return "always"
    if phone.server_auth_available:
        return "off by default; once on, only a factory reset turns it off"
    return "never"


def _names(phone: Profile) -> str:
    state = "on" if phone.check_fqdn_default else "off"
    if not phone.check_fqdn_available:
        state = "no such setting"
    return f"{state}; host_name_validation_flags {phone.host_flags_default}"


def _suites(phone: Profile) -> RenderableType:
    table = Table(title="Cipher suites, best first", title_justify="left", box=None)
    table.add_column("number", style="dim")
    table.add_column("name")
    table.add_column("OpenSSL", style="dim")
    for number in phone.suites:
        suite = SUITES[number]
        table.add_row(f"0x{number:04X}", suite.name, suite.openssl_name or "–")
    return table


def _rules(phone: Profile) -> RenderableType:
    grid = Table(
        title="Rules, with their certainty and source",
        title_justify="left",
        box=None,
        show_header=False,
    )
    grid.add_column(justify="center")
    grid.add_column()
    for rule in phone.facts:
        grid.add_row(
            _grade(rule.confidence),
            Text.assemble(rule.statement, "\n", (rule.source, "dim")),
        )
    return grid


def _grade(confidence: str) -> Text:
    return Text(confidence, style=_STYLE[confidence])


def _legend() -> RenderableType:
    lines = [
        Text.assemble(_grade(grade), f" {meaning}", style="dim")
        for grade, meaning in CONFIDENCE_MEANING.items()
    ]
    lines += [
        Text.assemble((word, "bold"), f" {meaning}", style="dim")
        for word, meaning in SOURCES_MEANING.items()
    ]
    return Group("", *lines)
