"""OpenSSL's words become sentences; whatever is new to us is quoted."""

import pytest

from linekey.tls.alerts import Alert
from linekey.tls.reasons import SENTENCES, explain_alert, explain_failure


def explain(*openssl, server=True, sent=None, received=None):
    return explain_failure(
        server=server, openssl=openssl, alert_sent=sent, alert_received=received
    )


def test_an_alert_that_came_is_the_reason_before_all_else():
    text = explain("no shared cipher", server=False, received=48)
    assert text.startswith("the server sent unknown_ca: the server does not know the")


def test_the_other_end_is_named_by_what_it_is():
    assert explain_alert(46, server=True).startswith("the client sent certificate_unkn")
    assert "the other end" not in explain_alert(46, server=True)


@pytest.mark.parametrize("word", sorted(SENTENCES))
def test_known_words_become_sentences(word):
    text = explain(word)
    assert text != word
    assert not text.endswith(".")
    assert text[0].islower()


def test_without_a_hello_no_list_is_made_up():
    assert explain("no shared cipher") == (
        "the two ends have no cipher suite in common that fits the certificate"
    )
    assert (
        explain("unsupported protocol") == "the two ends have no TLS version in common"
    )
    assert "that this client does not support" in explain(
        "unsupported protocol", server=False
    )


def test_unknown_words_are_quoted():
    assert explain("flux capacitor missing") == (
        "the handshake failed: flux capacitor missing"
    )
    assert (
        explain(sent=Alert.DECODE_ERROR)
        == "this end ended the handshake with decode_error"
    )
    assert explain() == "the handshake failed"
