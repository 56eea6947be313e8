"""The HTTP API for programs: ``/api/v1`` on the management listener."""
