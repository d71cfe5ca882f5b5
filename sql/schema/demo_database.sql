-- The database of the demo, beside Airflow's own (docker-compose.yaml).
create database communication_trends;
