"""The phone's own HTTPS pages."""
