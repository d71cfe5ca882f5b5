"""What organizations talked about, day by day: trends of messages in PostgreSQL, made by Airflow."""

__version__ = "0.1.0"
"""The package's version, the only place that has it; CHANGELOG.md says what is in it."""
