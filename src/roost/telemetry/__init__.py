"""What a server of ours tells of itself: counts, Prometheus families, health endpoints."""
