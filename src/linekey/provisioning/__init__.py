"""Who may have what, and what it is.

``identity`` reads what a certificate chain proves, ``resource`` reads what a URL
names, ``authorize`` puts the two and the device's record together into a decision,
and ``document`` with ``render`` make the file. ``digest`` is the second factor for
phones that share a certificate.

Rule: everything here is a function of its arguments. Nothing opens a socket or a
file, reads a clock or draws a random number.
"""
