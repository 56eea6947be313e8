"""Is it safe to start, or to export? What is looked at before."""
