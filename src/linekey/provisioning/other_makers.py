"""Layers as the file of a phone of another maker, or of a Snom in neutral terms.

In a layer that makers share (the fleet's, a group's) a bare name is Snom's, and
``yealink:account.1.label`` one maker's; in a model's and a phone's own layer a bare
name is that maker's, too. ``any.…`` is everybody's (``makers.terms``). So each layer is
read for the phone's maker first (``for_maker``), and then they are laid over each
other.

What a file says, the later winning: the neutral terms in the maker's words, what has
the phone verify servers (``Maker.trust_lines``), the maker's own settings.

Rules: equal arguments make equal bytes; nothing here fails for one bad entry, which is
skipped and named. What would weaken the phone's verification is left out and named,
unless the phone's own layer names it in ``any.trust.except``. A blanked file, or one
for several phones, has no secret.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from linekey.catalog.known_settings import find_known
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.mac import Mac
from linekey.makers.all import MAKERS, maker_of
from linekey.makers.grammar import Line, written
from linekey.makers.known import split
from linekey.makers.maker import Ca, Maker, TrustSettings
from linekey.makers.poly.grammar import master
from linekey.makers.poly.maker import OWN_FILE
from linekey.makers.terms import EXCEPT, is_term
from linekey.provisioning.document import FunctionKey, Layer, Setting, merge
from linekey.provisioning.render import Rendered
from linekey.words import counted

MIN_TLS = "any.trust.min_tls"


def is_snoms_alone(layers: Iterable[Layer]) -> bool:
    """Whether layers say nothing but what Snom's phones read as it is."""
    return not any(
        ":" in s.name or is_term(s.name) for layer in layers for s in layer.settings
    )


def for_maker(
    layer: Layer, maker: Maker, *, own: bool, of_phone: bool = False
) -> Layer:
    """What of a layer is for a maker's phones.

    ``own``: it is a model's or a phone's of this maker, so bare names are its own;
    ``of_phone``: it is the phone's own. The maker's settings come back with its name
    before them, or bare where it reads Snom's.
    """
    settings: list[Setting] = []
    for setting in layer.settings:
        if is_term(setting.name):
            if of_phone or setting.name != EXCEPT:
                settings.append(setting)
            continue
        prefix, bare = split(setting.name)
        if maker.snom_like:
            if prefix in ("", "snom", maker.id):
                settings.append(setting if not prefix else replace(setting, name=bare))
        elif prefix == maker.id or (not prefix and own):
            settings.append(replace(setting, name=f"{maker.id}:{bare}"))
    keys = layer.function_keys if own or maker.snom_like else ()
    return replace(layer, settings=tuple(settings), function_keys=keys)


def for_makers_phone(
    shared: Sequence[Layer], model: Layer, device: Layer, maker: Maker
) -> Layer:
    """All layers of a phone, the lowest first, laid over each other for its maker."""
    return merge(
        *(for_maker(layer, maker, own=False) for layer in shared),
        for_maker(model, maker, own=True),
        for_maker(device, maker, own=True, of_phone=True),
    )


def as_the_phone_reads(
    layers: Sequence[tuple[str, Layer]], vendor: str
) -> list[tuple[str, Layer]]:
    """Named layers of a phone, the lowest first, as far as they are for its maker.

    The last is its own, and one whose name begins with ``model:`` its model's. Its
    maker's settings have bare names. A Snom's layers are as they are.
    """
    maker = maker_of(vendor)
    if maker is None or maker.snom_like:
        return list(layers)
    last = len(layers) - 1
    found = []
    for place, (name, layer) in enumerate(layers):
        own = place == last or name.startswith("model:")
        read = for_maker(layer, maker, own=own, of_phone=place == last)
        bare = (replace(s, name=split(s.name)[1]) for s in read.settings)
        found.append((name, replace(read, settings=tuple(bare))))
    return found


def in_snoms_words(layer: Layer, maker: Maker) -> Layer:
    """A layer ``for_maker`` of a maker with Snom's settings, without neutral terms.

    What a neutral term cannot say is in ``unreadable``, in words. A setting of Snom's
    own wins over a term's, and a function key over a neutral key.
    """
    terms, settings = _terms(layer)
    labels = {t.idx: t.value for t in terms if t.name == "any.key.label"}
    lines, notes = maker.lines_of([t for t in terms if not _is_trust(t)])
    keys = [
        FunctionKey(line.idx or 0, *_key_parts(line.value),
                    label=labels.get((line.idx or 0) + 1, ""))
        for line in lines
        if line.name == "fkey"
    ]  # fmt: skip
    marks = {s.slot: s.mark for s in layer.settings}
    made = [
        Setting(line.name, line.value, line.idx, mark=marks.get(line.slot))
        for line in lines
        if line.name != "fkey"
    ]
    return (
        Layer(certificates=layer.certificates, unreadable=(*layer.unreadable, *notes))
        .with_settings(*made)
        .with_settings(*settings)
        .with_function_keys(*keys)
        .with_function_keys(*layer.function_keys)
    )


def any_in_snoms_words(
    shared: Sequence[Layer], model: Layer, device: Layer, vendor: str
) -> Layer:
    """All layers of a phone of any maker, in Snom's words.

    For whoever looks for accounts in the registry, such as an exported registrar: what
    is said in neutral terms, or in the maker's own, is found as ``user_name``.
    """
    maker = maker_of(vendor) or MAKERS["snom"]
    if maker.snom_like:
        layers = (*shared, model, device)
        if is_snoms_alone(layers):
            return merge(*layers)
        return in_snoms_words(
            merge(*(for_maker(layer, maker, own=True) for layer in layers)), maker
        )
    layer = for_makers_phone(shared, model, device, maker)
    lines, _ = lines_of_phone(layer, maker, ())
    terms, _ = maker.terms_of(lines)
    said = Layer(tuple(Setting(t.name, t.value, t.idx) for t in terms))
    return in_snoms_words(said, MAKERS["snom"])


def _key_parts(text: str) -> tuple[str, str]:
    kind, _, value = text.partition(" ")
    return kind, value


def _is_trust(term: Line) -> bool:
    return term.name.startswith("any.trust.")


def _terms(layer: Layer) -> tuple[list[Line], list[Setting]]:
    terms = [Line(s.name, s.value, s.idx) for s in layer.settings if is_term(s.name)]
    return terms, [s for s in layer.settings if not is_term(s.name)]


_KEYS = {"line": "line", "speed": "speed", "blf": "blf", "dest": "blf", "url": "url",
         "none": "none"}  # fmt: skip
"""Types of Snom's function keys that other makers have, too."""


def _neutral_keys(layer: Layer, there: Iterable[Line]) -> tuple[list[Line], list[str]]:
    """Function keys as neutral ones, but for those that have terms already."""
    taken = {t.idx for t in there if t.name.startswith("any.key.")}
    lines: list[Line] = []
    notes: list[str] = []
    for key in layer.function_keys:
        number = key.idx + 1
        if number in taken:
            continue
        kind = _KEYS.get(key.type.lower())
        if kind is None:
            notes.append(f"function key {key.idx}: {key.type} is Snom's alone")
            continue
        lines.append(Line("any.key.type", kind, number))
        if key.value:
            lines.append(Line("any.key.value", key.value, number))
        if key.label:
            lines.append(Line("any.key.label", key.label, number))
    return lines, notes


def lines_of_phone(
    layer: Layer, maker: Maker, cas: Sequence[Ca], *, waits: bool = False
) -> tuple[list[Line], list[str]]:
    """The lines of a file, and what had to be left out of it, in words.

    ``layer`` is ``for_maker``'s; ``cas`` are those that the phone has to trust.
    ``waits``: it is a waiting file, which says nothing of trust: it has no CA, and a
    phone that did not verify its servers until now would not find back.
    """
    terms, settings = _terms(layer)
    keys, skipped = _neutral_keys(layer, terms)
    said = {t.name: t.value for t in terms if _is_trust(t)}
    lines, notes = maker.lines_of([t for t in (*terms, *keys) if not _is_trust(t)])
    accounts = {t.idx for t in terms if t.name == "any.account.user" and t.idx}
    own: list[Line] = []
    excepted = {name.strip() for name in said.get(EXCEPT, "").split(",")}
    for setting in settings:
        bare = split(setting.name)[1]
        if find_known(bare) is not None and not maker.knows(bare):
            skipped.append(f"{bare}: a setting of Snom's, which these phones lack")
            continue
        line = maker.translate(Line(bare, setting.value, setting.idx))
        why = maker.weakens(line)
        if why and not {bare, line.name} & excepted:
            skipped.append(
                f"{bare}: left out, since {why}; the phone's own {EXCEPT} may name it"
            )
            continue
        own.append(line)
    asked = (*lines, *own)
    wanted = TrustSettings(
        tuple(cas),
        said.get(MIN_TLS, ""),
        tuple(sorted(accounts)),
        asks=any(line.value and maker.is_address(line.name) for line in asked),
    )
    trust, trust_notes = ([], []) if waits else maker.trust_lines(wanted)
    replaced = {line.name for line in own} - maker.repeated
    first = {line.name: line for line in lines}
    first |= {line.name: line for line in trust if line.name not in maker.repeated}
    kept = [line for line in first.values() if line.name not in replaced]
    added = [line for line in trust if line.name in maker.repeated]
    return [*kept, *added, *own], [*skipped, *notes, *trust_notes]


def render_for_maker(
    layer: Layer,
    maker: Maker,
    *,
    mac: Mac | None,
    model: str | None,
    blank_secrets: bool,
    certificate_url: Callable[[Certificate], str],
    waits: bool = False,
) -> Rendered:
    """Write a layer ``for_maker`` as the maker's file. Never raises.

    ``mac`` and ``model`` say in a comment whose it is; both are None for a common file.
    ``waits``: it is a waiting file (``lines_of_phone``).
    """
    left_out = 0
    if blank_secrets:
        bare = layer.shareable()
        left_out = len(layer.settings) + len(layer.function_keys)
        left_out -= len(bare.settings) + len(bare.function_keys)
        layer = bare
    cas = [
        Ca(
            to_pem(e.certificate).strip(),
            certificate_url(e.certificate),
            e.certificate.sha256,
        )
        for e in layer.certificates
    ]
    lines, notes = lines_of_phone(layer, maker, cas, waits=waits)
    comment = " ".join(filter(None, (model, str(mac or ""))))
    if left_out:
        said = f"{counted(left_out, 'setting is', 'settings are')} left out"
        comment = f"{comment}: {said}" if comment else said
    file = written(maker.grammar, lines, comment=comment)
    return Rendered(
        file.body,
        (*layer.unreadable, *notes, *file.skipped),
        left_out,
        maker.grammar.content_type,
    )


def render_master(maker: Maker, mac: Mac | None) -> Rendered:
    """Write what names the phone's own file, without any setting (Poly's).

    ``mac`` None: for all phones; then the phone puts its own in by a macro.
    """
    name = OWN_FILE.replace("{mac}", mac.digits.lower() if mac else MAC_MACRO)
    return Rendered(master((name,)), content_type=maker.grammar.content_type)


MAC_MACRO = "[PHONE_MAC_ADDRESS]"
"""What a Poly phone replaces with its MAC (PBX-WAZO, PBX-FSPBX, H)."""
