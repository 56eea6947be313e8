"""Action URLs: telling a server what happened."""
