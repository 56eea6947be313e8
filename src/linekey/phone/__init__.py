"""The virtual phone, pure: settings, certificates, state machine, what it shows."""
