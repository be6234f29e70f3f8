"""Kubernetes in and out: one client, pure builders of what a version runs as, and leadership."""
