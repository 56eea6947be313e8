"""Sockets, TLS over them, HTTP both ways: what server, phone and lab share."""
