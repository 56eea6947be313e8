"""Other makers' phones, each as data with sources and one small grammar.

One folder a maker: how its files are written (``grammar``), what its settings are
called (``settings``), which models there are (``models``), what it asks for and how it
is told whom to trust (``maker``). ``all.MAKERS`` has them by their short names.

Rule: server, virtual phone, check and lint read the same rows. Nothing here opens a
file or reads a clock; every row says on whose word it is, and how sure that is.
"""
