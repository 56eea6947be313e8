"""Would this phone accept this server: the trust store, the findings, the judge."""
