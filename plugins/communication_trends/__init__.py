"""Nightly communication trends: which day, which organizations, which SQL."""
