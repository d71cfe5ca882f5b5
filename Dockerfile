# Airflow with this package: for the services of docker-compose.yaml, for Celery workers and for Kubernetes pods.
FROM apache/airflow:3.3.2

COPY requirements.txt constraints.txt /tmp/
# Celery and Redis at the versions that the tests have run with; the other executors leave them unused
RUN pip install --no-cache-dir --requirement /tmp/requirements.txt --constraint /tmp/constraints.txt \
        apache-airflow-providers-celery redis

COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY sql /opt/airflow/sql
