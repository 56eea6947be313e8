"""TLS as bytes and values: hellos, flights, suites, alerts, policies, and the engine.

The engine is a TLS connection without a socket: bytes in, bytes and events out.
Nothing here opens a socket or a file, or reads a clock (OpenSSL reads the system's
clock when it builds a path; what it finds is reported, never decided by it alone).
"""
