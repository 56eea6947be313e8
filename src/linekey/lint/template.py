"""Templates: what is put in later is found, named, and out of the way.

Provisioning systems keep files of makers as templates. Before such a file is read as
what it will be, ``mask`` takes the template's own parts out of it:

    {$password}, {{ user }}, ${MAC}, __NAME__     one character that stands for it
    [PHONE_MAC_ADDRESS], {mac}                    the same: the phone puts it in
    {% if … %}, {if …}, @if(…), <?php … ?>        nothing, where a line begins with it;
                                                  else such a character, too
    {# … #}, {* … *}                              nothing

The characters are of Unicode's private use area, so no rule takes them for a value, and
XML can hold them. Line numbers stay.

Rules: what stands for several values (``{if}2{else}0{/if}``) is none of them. Text that
looks like no template is given back as it came. Forms: PBX-TEMPLATES (H).
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

_FIRST: Final = 0xE000
_ROOM: Final = 0xF8FF - _FIRST + 1
MARK: Final = re.compile("[\ue000-\uf8ff]")
"""What stands for something that is put in later."""
_SHOWN: Final = 60
_NEAR: Final = 500
"""Characters of a line that are looked at beside a block."""

_BLADE: Final = (
    "if|elseif|else|endif|foreach|endforeach|forelse|endforelse|for|endfor|while"
    "|endwhile|php|endphp|isset|endisset|empty|endempty|unless|endunless|switch|case"
    "|break|default|endswitch|include|includeIf|verbatim|endverbatim"
)
_SMARTY: Final = (
    "if|else|elseif|foreach|foreachelse|section|sectionelse|assign|include|literal"
    "|capture|function|while|for|forelse|strip|append|nocache|block|extends"
)
_CALL: Final = r"\((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*\)"
"""Parentheses, two deep."""
# Each form ends before the next of its kind begins, so that a text full of beginnings
# without ends is read once, and not once for each.
_FORMS: Final = re.compile(
    r"(?P<comment>"
    r"\{#(?:[^#{]|#(?!\})|\{(?!#))*#\}"
    r"|\{\*(?:[^*{]|\*(?!\})|\{(?!\*))*\*\}"
    r"|\{\{--(?:[^-{]|-(?!-\}\})|\{(?!\{--))*--\}\}"
    r")"
    r"|(?P<block>"
    r"\{%(?:[^%{]|%(?!\})|\{(?!%))*%\}"
    r"|<\?(?:php\b|=).*?(?:\?>|\Z)"
    r"|<%(?!=)(?:[^%<]|%(?!>)|<(?!%))*%>"
    r"|</?#[a-z]+[^<>]*>"
    rf"|\{{/?(?:{_SMARTY})\b[^{{}}]*\}}"
    rf"|(?<![\w.@])@(?:{_BLADE})\b(?:[ \t]*{_CALL})?"
    r")"
    r"|(?P<value>"
    r"\{\{(?:[^{}]|\{[^{}]*\})*\}\}"
    r"|\{!!(?:[^!{]|!(?!!\})|\{(?!!!))*!!\}"
    r"|<%=(?:[^%<]|%(?!>)|<(?!%))*%>"
    r"|\{\$[^{}]{1,500}\}"
    r"|\$\{[^{}\n]{1,200}\}"
    r"|%%[A-Za-z_][\w.-]{0,60}%%"
    r"|@@[A-Za-z_][\w.-]{0,60}@@"
    r"|__[A-Za-z][A-Za-z0-9_]{1,60}?__"
    r")"
    r"|(?P<phone>\[(?:PHONE|MAC|SERIAL|DEVICE)[A-Z0-9_]{0,40}\]|\{mac\})",
    re.DOTALL,
)
_CLOSES: Final = re.compile(r"\{%-?\s*end|\{/|@end|<\?php\s*(?:end|\})|</#")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One thing of a template: its text, shortened, and the line it begins in.

    ``by`` is who puts something there: the ``template``'s system, or the ``phone``.
    """

    text: str
    line: int
    by: Literal["template", "phone"] = "template"


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without what a template puts in."""

    text: str
    placeholders: tuple[Placeholder, ...]

    @property
    def is_template(self) -> bool:
        """Whether something is put in by another system than the phone."""
        return any(one.by == "template" for one in self.placeholders)

    def shown(self, text: str) -> str:
        """A part of the text, with each placeholder as it was written."""
        return MARK.sub(lambda m: self._written(m.group()), text)

    def _written(self, mark: str) -> str:
        place = ord(mark) - _FIRST
        if place >= len(self.placeholders) or place == _ROOM - 1:
            return "{…}"
        return self.placeholders[place].text


def is_open(value: str) -> bool:
    """Whether a value holds something that is put in later."""
    return MARK.search(value) is not None


def mask(text: str) -> Masked:
    """Take out of a text what a template puts in. See the module."""
    found = list(_FORMS.finditer(text))
    if not found:
        return Masked(text, ())
    bare = _without_blocks(text, found)
    parts: list[str] = []
    placeholders: list[Placeholder] = []
    at, line = 0, 1
    on_line: list[re.Match[str]] = []  # the blocks of this line, up to this one
    for match in found:
        breaks_before = text.count("\n", at, match.start())
        if breaks_before:
            on_line = []
        parts.append(text[at : match.start()])
        line += breaks_before
        whole, kind = match.group(), match.lastgroup
        breaks = "\n" * whole.count("\n")
        if kind == "comment":
            parts.append(breaks)
        else:
            on_line += [match] if kind == "block" else []
            by: Literal["template", "phone"] = (
                "phone" if kind == "phone" else "template"
            )
            mark = chr(_FIRST + min(len(placeholders), _ROOM - 1))
            placeholders.append(Placeholder(_short(whole), line, by))
            alone = kind == "block" and _stands_alone(match, bare, on_line)
            parts.append(breaks if alone else mark + breaks)
        if breaks:
            on_line = []
        line += len(breaks)
        at = match.end()
    parts.append(text[at:])
    return Masked("".join(parts), tuple(placeholders))


def _without_blocks(text: str, found: list[re.Match[str]]) -> str:
    """The text with blanks for blocks and comments, of the same length."""
    parts: list[str] = []
    at = 0
    for match in found:
        parts.append(text[at : match.start()])
        if match.lastgroup in ("block", "comment"):
            parts.append(re.sub(r"[^\n]", " ", match.group()))
        else:
            parts.append(match.group())
        at = match.end()
    parts.append(text[at:])
    return "".join(parts)


def _stands_alone(
    match: re.Match[str], bare: str, on_line: list[re.Match[str]]
) -> bool:
    """Whether a block only surrounds lines, so that nothing stands for it.

    It begins its line; or it closes, at the line's end, what began that line, and no
    other block stands between them. ``on_line`` are the blocks of its line, up to it.
    """
    if _is_first(match, bare):
        return True
    rest = bare[match.end() : match.end() + _NEAR]
    if rest.partition("\n")[0].strip() or not _CLOSES.match(match.group()):
        return False
    return len(on_line) == 2 and _is_first(on_line[0], bare)


def _is_first(match: re.Match[str], bare: str) -> bool:
    before = bare[max(0, match.start() - _NEAR) : match.start()]
    if "\n" not in before and len(before) == _NEAR:
        return False
    return not before.rpartition("\n")[2].strip()


def without_comments(text: str) -> str:
    """The text without XML's comments, with the same line breaks."""
    parts: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        end = text.find("-->", start + 4)
        if end < 0:
            break
        parts += (text[at:start], "\n" * text.count("\n", start, end))
        at = end + 3
    return "".join((*parts, text[at:])) if parts else text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
