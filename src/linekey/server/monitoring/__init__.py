"""Files for those who watch linekey with Prometheus and Grafana."""
