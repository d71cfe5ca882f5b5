-- The database of the demo, next to Airflow's own (docker-compose.yaml).
create database communication_trends;
