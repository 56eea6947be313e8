"""The provisioning server."""
