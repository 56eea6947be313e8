"""The console: pages with log-in, over the API."""
