"""nginx with the same certificate, asked the same as linekey: what others answer."""

import contextlib
from collections.abc import AsyncIterator

from tests.live.conftest import Place
from tests.live.peers import Peer, free_port, open_folder, running

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.export.render import Export


@contextlib.asynccontextmanager
async def beside(place: Place) -> AsyncIterator[int]:
    """Its port: all versions and suites, no client certificate needed, a session cache."""
    with open_folder() as folder:
        port = free_port()
        chain, key = place.lab.server_identity()
        (folder / "chain.pem").write_text("".join(map(to_pem, chain)))
        (folder / "key.pem").write_bytes(private_key_to_pem(key))
        ca = "".join(map(to_pem, place.lab.vendor_roots()))
        (folder / "ca.pem").write_text(ca)
        (folder / "nginx.conf").write_text(
            f"pid {folder}/run/pid;\nerror_log {folder}/run/error.log;\n"
            "worker_processes 1;\nevents {}\nhttp {\n access_log off;\n"
            " server {\n"
            f"  listen 127.0.0.1:{port} ssl;\n"
            f"  ssl_certificate {folder}/chain.pem;\n"
            f"  ssl_certificate_key {folder}/key.pem;\n"
            f"  ssl_client_certificate {folder}/ca.pem;\n"
            "  ssl_verify_client optional_no_ca;\n  ssl_verify_depth 5;\n"
            "  ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n"
            "  ssl_ciphers ALL:@SECLEVEL=0;\n"
            "  ssl_session_cache shared:SSL:1m;\n"
            "  location / { return 200 hello; }\n }\n}\n"
        )
        peer = Peer("nginx", port, folder, Export("nginx", (), (), (), ()))
        async with running(peer):
            yield port
