"""Provisioning: the phone fetches its settings."""

from linekey.phone.events import Faulted, PoweredOn
from linekey.phone.uses.provisioning import events, handle
from linekey.phone.uses.use import Request, Use, Verb

PROVISIONING = Use(
    name="provisioning",
    takes={
        PoweredOn: handle.powered_on,
        events.ProvisioningWanted: handle.provisioning_wanted,
        events.DocumentFetched: handle.document_fetched,
        events.FetchFailed: handle.fetch_failed,
        Faulted: handle.faulted,
    },
    errands=(events.Fetch,),
    requests=(Request("provision", events.ProvisioningWanted),),
    verbs=(
        Verb(
            "provision",
            "Make a running phone fetch its settings again.",
            lambda: events.ProvisioningWanted("asked for"),
        ),
    ),
)
