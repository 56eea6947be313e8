"""SIP: the phone's lines and their registrations."""
