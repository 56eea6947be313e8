"""From an installed package to a service: user, folders, configuration, units."""
