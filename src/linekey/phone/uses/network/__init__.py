"""802.1X: the network's own login."""
