"""What to ask a server, what its answers mean for each phone, and the report.

Three outcomes are never confused: the server could not be reached, the server refused
the phone, the phone would refuse the server. Everything here is pure; the connections
are made by ``linekey.check.prober``.
"""
