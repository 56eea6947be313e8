"""Programs that make the documentation, its pictures and the test machine."""
