"""How many servers a fleet needs, from what one request costs on a machine."""
