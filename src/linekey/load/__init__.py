"""Load for a server and a registrar: many virtual phones, on cores and machines."""
