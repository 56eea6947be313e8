"""The signature, held against the reference implementation of Standard Webhooks."""

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from tests.receivers import SECRET

from linekey.alerts.signature import new_secret, parse_secret, signed


def test_the_reference_implementation_takes_it_and_nothing_changed() -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)  # which it compares with its own clock
    body = b'{"type":"test","data":{"name":"\xc3\xa4"}}'
    for secret in (SECRET, new_secret()):
        headers = signed(parse_secret(secret), "msg_1", now, body)
        assert Webhook(secret).verify(body, headers)["type"] == "test"
        for wrong in (
            {**headers, "webhook-id": "msg_2"},
            {**headers, "webhook-timestamp": str(int(now.timestamp()) + 1)},
        ):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(body, wrong)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers | {"webhook-id": "msg_1"})


@pytest.mark.parametrize("text", ["", "whsec_c2hvcnQ=", "no base64!", "A" * 200])
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        parse_secret(text)
    assert not text or text not in str(caught.value)
