"""Provisioning: the phone fetches its settings."""

from linekey.phone.events import Faulted, PoweredOn
from linekey.phone.uses.provisioning.events import (
    DocumentFetched,
    Fetch,
    FetchFailed,
    ProvisioningWanted,
)
from linekey.phone.uses.provisioning.handle import (
    document_fetched,
    faulted,
    fetch_failed,
    powered_on,
    provisioning_wanted,
)
from linekey.phone.uses.use import Request, Use, Verb

PROVISIONING = Use(
    name="provisioning",
    takes={
        PoweredOn: powered_on,
        ProvisioningWanted: provisioning_wanted,
        DocumentFetched: document_fetched,
        FetchFailed: fetch_failed,
        Faulted: faulted,
    },
    errands=(Fetch,),
    requests=(Request("provision", ProvisioningWanted),),
    verbs=(
        Verb(
            "provision",
            "Make a running phone fetch its settings again.",
            lambda: ProvisioningWanted("asked for"),
        ),
    ),
)
