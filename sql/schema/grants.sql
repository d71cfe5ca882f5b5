-- Least privilege: a role that reads the three source tables and writes trends,
-- nothing else. Make the role and give it a password first, then run this with
--   psql --set role=communication_trends --file sql/schema/grants.sql
-- Names are found on the search_path: run it where the tables are found by the
-- connection that Airflow uses.
select format('grant connect on database %I to %I', current_database(), :'role')
\gexec
select format('grant usage on schema %I to %I', current_schema(), :'role')
\gexec
grant select on organizations to :"role";
grant select on topic_classifications to :"role";
grant select on escalation_alerts to :"role";
grant select, insert, update on communication_trends to :"role";
