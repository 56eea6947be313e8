"""``linekey layer``: phone settings for all phones, a group, a model or one phone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from linekey.catalog.secrecy import is_secret_value
from linekey.cli.layer_keys import rotate_key_
from linekey.cli.layer_text import (
    layer_lines,
    note_shell_history,
    secret_setting,
)
from linekey.cli.on_use import on_use
from linekey.cli.opening import (
    AllowUnknownOption,
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
    read_file,
    read_secret,
    with_state,
)
from linekey.cli.output import console, emit_json, note, say
from linekey.errors import InputError

with on_use():
    from linekey.makers.known import refuse_uncarried, refuse_unknown
    from linekey.provisioning.difference import slot_text
    from linekey.provisioning.document import (
        CertificateEntry,
        FunctionKey,
        Layer,
        Mark,
        Setting,
        merge,
        parse_setting,
        parse_slot,
    )
    from linekey.provisioning.shown import layer_json
    from linekey.store.devices import Devices
    from linekey.store.layers import Layers, Scope

app = make_app(
    """Set phone settings for all phones, a group, a model or one phone.

    A phone's configuration is built from four layers. If a setting or function key is
    in several, the later layer wins; the certificates of all layers are used:

    1. `fleet`: for every phone;

    2. `group:acme`: for every phone of this group;

    3. `model:D785`: for every phone of this model;

    4. `device:000413AABBCC`: for this phone only.

    For example:

        linekey layer set fleet 'setting_server=https://phones.example.com:8443'

        linekey layer set device:000413AABBCC --secret 'user_pass[1]'

        linekey layer show device:000413AABBCC --merged
    """
)

ScopeArgument = Annotated[
    str,
    typer.Argument(
        metavar="LAYER",
        help="Layer: fleet, group:NAME, model:D785 or device:000413AABBCC.",
    ),
]
PermOption = Annotated[
    str | None,
    typer.Option(
        metavar="PERM",
        help="R: the user cannot change it. RW: the user can, until it is provisioned "
        "again. !: set only if the user has not set it.",
    ),
]


@app.command("list")
def list_(state: StateOption = None, json: JsonOption = False) -> None:
    """List the layers of fleet, groups and models that were ever set."""
    with opened(state) as database:
        layers = Layers(database)
        found = {scope: layers.get(Scope.parse(scope)) for scope in layers.scopes()}
    if json:
        emit_json([{"scope": s} | layer_json(layer) for s, layer in found.items()])
        return
    for scope, layer in found.items():
        say(f"{scope}  {_counts(layer)}")
    if not found:
        note(f"next: {with_state('linekey layer set fleet NAME=VALUE', state)}")


@app.command()
def show(
    layer: ScopeArgument,
    merged: Annotated[
        bool,
        typer.Option(
            "--merged", help="Include the layers that it adds to, as a phone gets them."
        ),
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Show a layer. Secrets are shown as "(set)"."""
    scope = Scope.parse(layer)
    with opened(state) as database:
        layers = Layers(database)
        found = layers.get(scope)
        if merged and scope.mac is not None:
            device = Devices(database).get(scope.mac)
            found = merge(*(layer for _, layer in layers.of(device)))
        elif merged and scope.text != "fleet":
            found = merge(layers.get(Scope.fleet()), found)
    if json:
        emit_json({"scope": scope.text, "merged": merged} | layer_json(found))
        return
    for line in layer_lines(found):
        say(line)
    if not found:
        note(f"{scope} is empty")


@app.command("set")
def set_(
    layer: ScopeArgument,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE…", help="Settings; NAME[IDX]=VALUE for an account."
        ),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Set this setting, or NAME[IDX], to a value that is typed without "
            "echo, or read as one line from a pipe. May be repeated. From now on the "
            "setting is secret in every layer.",
        ),
    ] = None,
    public: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Allow this setting, or NAME[IDX], in files for more than one phone, "
            "although linekey does not know it. May be repeated.",
        ),
    ] = None,
    perm: PermOption = None,
    allow_unknown: AllowUnknownOption = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Set phone settings. If one is refused, none is set.

    For example:

        linekey layer set model:D785 language=Deutsch --perm R

    A name that is not a known setting is refused, and the nearest known name is
    suggested: a phone ignores unknown settings without a message. If no known name is
    near, say with `--secret` or `--public` whether the value is secret. Another maker's
    settings have the maker before them, such as yealink:account.1.label=Hall, but for
    the layer of a model or a phone of that maker; any.language=de is for phones of
    every maker.

    Any phone of a model may fetch the files for all phones or for its model; they hold
    its group's settings, too. These files contain no secrets and no unknown settings;
    linekey reports what it leaves out. linekey remembers `--secret` and `--public`.
    """
    new: list[Setting] = [parse_setting(text, perm) for text in settings or ()]
    secrets = [parse_slot(text) for text in secret or ()]
    publics = [parse_slot(text) for text in public or ()]
    if not allow_unknown:
        marked = {*secrets, *publics}
        slots = [*(s.slot for s in new), *secrets]
        maker = Scope.parse(layer).maker
        refuse_unknown(slots, marked, maker)
        refuse_uncarried([(s.name, s.idx, s.value) for s in new], maker)
    if both := set(secrets) & set(publics):
        name = slot_text(*both.pop())
        raise InputError(
            f"{name} cannot be both secret and public",
            hint="give --secret or --public, not both",
        )
    for setting in new:
        if setting.secret and setting.slot not in publics:
            note_shell_history(setting)
    new += [secret_setting(text, perm) for text in secret or ()]
    if not new and not publics:
        raise InputError(
            "no setting given",
            hint="give one or more of NAME=VALUE, --secret NAME, --public NAME",
        )
    scope = Scope.parse(layer)

    def how(old: Layer) -> Layer:
        for slot in publics:
            _check_public(old, new, slot, layer)
        given = [
            replace(s, mark=Mark.PUBLIC) if s.slot in publics else s
            for s in (*(s for s in old.settings if s.slot in publics), *new)
        ]
        return old.with_settings(*given)

    changed = _change(layer, how, state, json)
    touched = {s.slot for s in new} | set(publics)
    for setting in changed.settings if scope.mac is None else ():
        if setting.slot in touched and not setting.shared:
            name = slot_text(*setting.slot)
            why = (
                "it is a secret"
                if setting.secret
                else f"linekey does not know it (allow it with --public '{name}')"
            )
            note(f"note: {name} is left out of files for more than one phone: {why}")


@app.command()
def unset(
    layer: ScopeArgument,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME…", help="Settings, or NAME[IDX].")
    ],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Remove phone settings from a layer. If one is not there, none is removed."""
    slots = [parse_slot(name) for name in names]

    def how(old: Layer) -> Layer:
        for name, idx in slots:
            if (name, idx) not in {s.slot for s in old.settings}:
                raise _not_there(layer, f"setting {slot_text(name, idx)!r}")
            old = old.without_setting(name, idx)
        return old

    _change(layer, how, state, json)


@app.command()
def marks(state: StateOption = None, json: JsonOption = False) -> None:
    """List the settings that --secret marked as secret in every layer."""
    with opened(state) as database:
        names = sorted(Layers(database).marks())
    if json:
        emit_json(names)
        return
    for name in names:
        console.print(name, markup=False)
    if not names:
        note("none; settings that linekey knows to be secret need no mark")


@app.command()
def unmark(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Settings.")],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Undo --secret for these settings, for values that are set from now on.

    A stored value stays encrypted and is never shown: to see it as plain text, unset
    the setting and set it again.
    """
    with opened(state) as database:
        layers = Layers(database)
        layers.unmark(names)
        left = sorted(layers.marks())
    if json:
        emit_json(left)
        return
    say(f"unmarked {', '.join(names)}")
    note("next: linekey layer unset LAYER NAME, and set it again")


@app.command()
def key(
    layer: ScopeArgument,
    idx: Annotated[
        int, typer.Argument(metavar="IDX", help="Number of the key, from 0.")
    ],
    type_: Annotated[
        str | None,
        typer.Argument(
            metavar="TYPE",
            help="Type of the key: line, speed, dest, blf, url, keyevent, none, …",
        ),
    ] = None,
    value: Annotated[
        str,
        typer.Argument(metavar="VALUE", help="What the type needs, such as a number."),
    ] = "",
    label: Annotated[str, typer.Option(help="Text on the display.")] = "",
    context: Annotated[
        str, typer.Option(help="The key's context, a Snom setting.")
    ] = "active",
    perm: PermOption = None,
    secret: Annotated[
        bool,
        typer.Option(
            "--secret",
            help="The value is secret, such as a door code; you are asked for it.",
        ),
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the key from the layer.")
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Set or remove a function key.

    For example:

        linekey layer key fleet 0 speed 4711 --label Reception
    """
    if remove:

        def how(old: Layer) -> Layer:
            if (idx, context) not in {k.slot for k in old.function_keys}:
                raise _not_there(layer, f"function key {idx} (context {context})")
            return old.without_function_key(idx, context)

    else:
        if type_ is None:
            raise InputError(
                "no type of key given", hint="give one, such as speed 4711; or --remove"
            )
        if secret:
            if value:
                raise InputError(
                    "the value of a secret key was given on the command line",
                    hint="leave out VALUE: you are asked for it, or give it by a pipe",
                )
            value = read_secret(f"value of key {idx}")
        mark = Mark.SECRET if secret else None
        new = FunctionKey(idx, type_, value, context, label, perm, mark)

        def how(old: Layer) -> Layer:
            return old.with_function_keys(new)

    _change(layer, how, state, json)


@app.command()
def certificate(
    layer: ScopeArgument,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE…", help="Certificates, in PEM or DER form."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT",
            help="Remove the certificate with this SHA-256 fingerprint. Its first "
            "eight digits are enough.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Add certificates that the phones are to trust, such as your server's CA.

    They are part of the phones' configuration. If a file cannot be read, none is added.
    For example:

        linekey layer certificate fleet our-ca.pem
    """
    new: list[CertificateEntry] = []
    for file in files or ():
        new += CertificateEntry.from_file(read_file(file), str(file))
    if not new and not remove:
        raise InputError("no certificate given", hint="give FILE…, or --remove")

    def how(old: Layer) -> Layer:
        for fingerprint in remove or ():
            old = old.without_certificate(_one_of(old, layer, fingerprint))
        return old.with_certificates(*new)

    _change(layer, how, state, json)


app.command("rotate-key")(rotate_key_)


def _check_public(
    old: Layer, new: Sequence[Setting], slot: tuple[str, int | None], layer: str
) -> None:
    """Refuse --public for what is not there, and for what is a secret all the same."""
    name = slot_text(*slot)
    given = next((s for s in new if s.slot == slot), None)
    there = next((s for s in old.settings if s.slot == slot), None)
    setting = given or there
    if setting is None:
        raise _not_there(layer, f"setting {name!r}")
    if there is not None and there.mark is Mark.SECRET:
        raise InputError(
            f"{name} is marked as secret",
            hint="unset it and set it again; if linekey layer marks lists it, run "
            "linekey layer unmark first",
        )
    if replace(setting, mark=Mark.PUBLIC).secret:
        why = "contains a secret" if is_secret_value(setting.value) else "is secret"
        raise InputError(
            f"{name} cannot be public: its value {why}",
            hint="set it in each phone's own layer, device:MAC",
        )


def _change(
    layer: str, how: Callable[[Layer], Layer], state: Path | None, json: bool
) -> Layer:
    scope = Scope.parse(layer)
    with opened(state, create=scope.mac is None) as database:
        changed = Layers(database).change(scope, how, now())
    if json:
        emit_json({"scope": scope.text} | layer_json(changed))
    else:
        say(f"{scope}  {_counts(changed)}")
    return changed


def _one_of(layer: Layer, name: str, fingerprint: str) -> str:
    digits = fingerprint.replace(":", "").replace(" ", "").lower()
    found = [
        entry.certificate.sha256
        for entry in layer.certificates
        if len(digits) >= 8 and entry.certificate.sha256.startswith(digits)
    ]
    if len(found) != 1:
        raise _not_there(name, f"certificate with the SHA-256 {fingerprint!r}")
    return found[0]


def _not_there(layer: str, what: str) -> InputError:
    return InputError(
        f"{layer} has no {what}", hint=f"linekey layer show {layer} lists what it has"
    )


def _counts(layer: Layer) -> str:
    parts = [
        f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
        for things, name in (
            (layer.settings, "setting"),
            (layer.function_keys, "function key"),
            (layer.certificates, "certificate"),
        )
        if things
    ]
    return ", ".join(parts) or "empty"
