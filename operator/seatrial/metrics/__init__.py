"""Prometheus in: exact counts of requests per version, SLI templates, and whether Prometheus can be read at all."""
