"""The minibrowser: pages of XML that keys, action URLs and pages open."""

from collections.abc import Mapping

from linekey.phone.state import PhoneState
from linekey.phone.uses.browser import events, handle
from linekey.phone.uses.browser.browsing import Browsing, describe_browsing
from linekey.phone.uses.use import (
    Button,
    Document,
    Parameter,
    Request,
    Use,
    Verb,
    number_in,
)


def _values(form: Mapping[str, str], state: PhoneState) -> events.FormSubmitted:
    page = state.part(Browsing).browser.page
    count = 0 if page is None else len(page.fields)
    return events.FormSubmitted(
        tuple(form.get(f"value{n}", "")[:4096] for n in range(count))
    )


def page_lines(document: Document) -> list[str]:
    """The page that is shown, as lines of text."""
    page = document["apps"]["minibrowser"]
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


BROWSER = Use(
    name="browser",
    takes={
        events.EntryChosen: handle.entry_chosen,
        events.FormSubmitted: handle.form_submitted,
        events.BackPressed: handle.back_pressed,
        events.BrowserLeft: handle.browser_left,
        events.FetchTimeCame: handle.fetch_time_came,
        events.PageFetched: handle.page_fetched,
        events.PageFailed: handle.page_failed,
    },
    errands=(events.OpenPage,),
    requests=(
        Request("choose", events.EntryChosen),
        Request("submit", events.FormSubmitted),
        Request("back", events.BackPressed),
        Request("leave", events.BrowserLeft),
    ),
    verbs=(
        Verb(
            "choose",
            "Choose an entry of the menu or directory on the screen.",
            lambda number: events.EntryChosen(number - 1),
            (Parameter("number", "Which entry, from 1.", "NUMBER", "number"),),
        ),
        Verb(
            "submit",
            "Fill in the input page on the screen and send it.",
            lambda values: events.FormSubmitted(tuple(values)),
            (Parameter("values", "One for each field.", "VALUE", "texts"),),
        ),
    ),
    buttons=(
        Button(
            "choose",
            lambda form, _: events.EntryChosen(number_in(form, "number")),
            on_page=True,
        ),
        Button("submit", _values, on_page=True),
        Button("back", lambda *_: events.BackPressed()),
        Button("leave", lambda *_: events.BrowserLeft()),
    ),
    describe=describe_browsing,
    in_front={"page": page_lines},
)
