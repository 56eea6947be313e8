"""The minibrowser: pages of XML that keys, action URLs and pages open."""

from collections.abc import Mapping

from linekey.phone.state import PhoneState
from linekey.phone.uses.browser.browsing import Browsing, describe_browsing
from linekey.phone.uses.browser.events import (
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FetchTimeCame,
    FormSubmitted,
    OpenPage,
    PageFailed,
    PageFetched,
)
from linekey.phone.uses.browser.handle import (
    back_pressed,
    browser_left,
    entry_chosen,
    fetch_time_came,
    form_submitted,
    page_failed,
    page_fetched,
)
from linekey.phone.uses.use import (
    Button,
    Document,
    Parameter,
    Request,
    Use,
    Verb,
    number_in,
)


def _values(form: Mapping[str, str], state: PhoneState) -> FormSubmitted:
    page = state.part(Browsing).browser.page
    count = 0 if page is None else len(page.fields)
    return FormSubmitted(tuple(form.get(f"value{n}", "")[:4096] for n in range(count)))


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
        EntryChosen: entry_chosen,
        FormSubmitted: form_submitted,
        BackPressed: back_pressed,
        BrowserLeft: browser_left,
        FetchTimeCame: fetch_time_came,
        PageFetched: page_fetched,
        PageFailed: page_failed,
    },
    errands=(OpenPage,),
    requests=(
        Request("choose", EntryChosen),
        Request("submit", FormSubmitted),
        Request("back", BackPressed),
        Request("leave", BrowserLeft),
    ),
    verbs=(
        Verb(
            "choose",
            "Choose an entry of the menu or directory on the screen.",
            lambda number: EntryChosen(number - 1),
            (Parameter("number", "Which entry, from 1.", "NUMBER", "number"),),
        ),
        Verb(
            "submit",
            "Fill in the input page on the screen and send it.",
            lambda values: FormSubmitted(tuple(values)),
            (Parameter("values", "One for each field.", "VALUE", "texts"),),
        ),
    ),
    buttons=(
        Button(
            "choose",
            lambda form, _: EntryChosen(number_in(form, "number")),
            on_page=True,
        ),
        Button("submit", _values, on_page=True),
        Button("back", lambda *_: BackPressed()),
        Button("leave", lambda *_: BrowserLeft()),
    ),
    describe=describe_browsing,
    in_front={"page": page_lines},
)
