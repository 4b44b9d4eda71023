"""Made-up traffic: some weeks of ordinary use with misuse planted in the last of them, from one seed.

It shows how well the monitor (`compliance.monitoring`) works: docs/monitoring.md has the figures.
"""
