"""Whole configurations of other servers for mutual TLS with phones, filled in.

``needs`` says what the fleet needs of TLS and no more; ``request`` what the operator
wants; ``render`` writes the files of one peer. Nothing here reads a file of the
operator's or the clock.
"""
