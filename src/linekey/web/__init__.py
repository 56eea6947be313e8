"""ASGI applications: provisioning, the status page, the phone's own pages."""
