"""docs/reference/openapi.json: the API's OpenAPI document, from its code."""

import json

from linekey.console.api.app import api_app


def openapi_page() -> str:
    """Return the document; nothing in it depends on where it is made."""
    app = api_app(desk=None)  # type: ignore[arg-type]
    document = app.openapi()
    document["info"]["version"] = "development"  # a running server says its own
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
