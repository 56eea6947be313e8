"""What weakens a phone, read from a maker's configuration file. Pure."""
