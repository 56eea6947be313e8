"""Provisioning: fetching the phone's settings."""
