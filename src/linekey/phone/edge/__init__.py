"""The phone on a machine: its connections, its process, its files."""
