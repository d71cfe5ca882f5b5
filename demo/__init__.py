"""A complete Airflow and PostgreSQL on this machine, for demo, tests and benchmarks."""
