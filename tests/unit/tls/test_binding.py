"""The private names of pyOpenSSL that we build on: if an upgrade moves one, see here.

docs/decisions/0002-verify-hook.md says what is used and why.
"""

import ast
from pathlib import Path

import pytest
from OpenSSL import SSL, crypto
from tests.pair.tls_world import accept, client, device, meet, server

import linekey
from linekey.tls import binding, context_calls
from linekey.tls.engine import ClientEngine, ServerEngine

SRC = Path(linekey.__file__).parent
OWN = {"binding.py", "context_calls.py"}


@pytest.mark.parametrize(
    "name",
    [
        "SSL_CTX_set_verify", "SSL_CTX_set_info_callback", "SSL_CTX_set_msg_callback", "SSL_CTX_set1_sigalgs_list",
        "SSL_CTX_set1_curves_list", "SSL_CTX_set_tmp_dh", "SSL_CTX_use_certificate",
        "SSL_CTX_add_extra_chain_cert", "SSL_CTX_add_client_CA", "SSL_session_reused",
        "SSL_get_ex_data_X509_STORE_CTX_idx", "SSL_get_peer_cert_chain",
        "SSL_get0_group_name", "X509_STORE_CTX_get_ex_data", "X509_STORE_CTX_get_error",
        "X509_STORE_CTX_get_error_depth", "X509_STORE_CTX_get1_chain",
        "X509_STORE_CTX_set_error", "X509_up_ref", "X509_free", "i2d_X509_bio",
        "BIO_get_mem_data", "PEM_read_bio_DHparams", "DH_free", "ERR_clear_error",
        "ERR_get_error", "ERR_reason_error_string", "SSL_new", "SSL_free",
        "SSL_set_bio", "SSL_set_shutdown", "SSL_set_session", "SSL_SESSION_free",
        "SSL_get1_session", "SSL_set_tlsext_host_name", "SSL_get0_alpn_selected",
        "SSL_CTX_set_alpn_select_cb",
    ],
)  # fmt: skip
def test_the_library_has_every_call_we_make(name):
    assert callable(getattr(SSL._lib, name))


def test_pyopenssl_keeps_its_pointers_where_we_take_them():
    context = SSL.Context(SSL.TLS_METHOD)
    connection = SSL.Connection(context, None)
    ffi = SSL._ffi
    assert ffi.typeof(context._context) is ffi.typeof("SSL_CTX *")
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()  # a session has begun
    session = connection.get_session()
    assert ffi.typeof(session._session) is ffi.typeof("SSL_SESSION *")
    assert session._context is context
    assert ffi.typeof(crypto.X509()._x509) is ffi.typeof("X509 *")


def test_no_other_module_touches_private_names_of_pyopenssl():
    private = {"_lib", "_ffi", "_context", "_ssl", "_session", "_x509"}
    for path in SRC.rglob("*.py"):
        if path.name in OWN or "OpenSSL" not in path.read_text("utf-8"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in private:
                where = path.relative_to(SRC).as_posix()
                if (where, node.attr) == ("certs/path.py", "_lib"):
                    continue  # ERR_clear_error alone; certs may not import tls
                owner = node.value
                assert isinstance(owner, ast.Name), f"{path}:{node.lineno}"
                assert owner.id == "self", f"{path}:{node.lineno}: {node.attr}"


def test_a_callback_without_an_engine_refuses():
    far = ServerEngine(server(roots=[device().root]))
    link = far._link
    binding._links.pop(binding._address(link._ssl))
    meeting = meet(server(), client())  # others are not touched
    assert meeting.server.info is not None
    near = ClientEngine(client(identity=device().identity))
    events = []
    for _ in range(3):
        events += far.receive(near.take_output())
        near.receive(far.take_output())
    assert far.info is None
    assert type(events[-1]).__name__ == "HandshakeFailed"
    assert near.ended


def test_a_list_with_an_unknown_name_is_refused_whole():
    context = SSL.Context(SSL.TLS_METHOD)
    assert context_calls.set_groups(context, ["x25519", "secp256r1"])
    assert not context_calls.set_groups(context, ["x25519", "no-such-group"])
    assert not context_calls.set_signature_algorithms(context, ["rsa_pkcs1_md5"])
    assert SSL._lib.ERR_peek_error() == 0


def test_dh_parameters_that_are_none_are_refused():
    with pytest.raises(ValueError, match="DH parameters"):
        context_calls.set_dh_parameters(SSL.Context(SSL.TLS_METHOD), b"nonsense")
    SSL._lib.ERR_clear_error()


def test_errors_left_in_the_queue_by_others_do_no_harm():
    with pytest.raises(crypto.Error):
        crypto.load_certificate(crypto.FILETYPE_ASN1, b"nonsense")
    bio = SSL._lib.BIO_new_mem_buf(b"nonsense", 8)
    SSL._lib.PEM_read_bio_DHparams(bio, SSL._ffi.NULL, SSL._ffi.NULL, SSL._ffi.NULL)
    SSL._lib.BIO_free(bio)
    assert SSL._lib.ERR_peek_error() != 0
    meeting = meet(server(verify=accept), client(identity=device().identity))
    assert meeting.server.info is not None
    assert meeting.client.info is not None
