"""Firmware: the phone fetches the file that its settings name; it installs nothing."""
