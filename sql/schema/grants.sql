-- Least privilege: the role communication_trends (put your own role's name here)
-- reads the three source tables and writes trends, nothing else. Create the role
-- with a password first. Run this as the owner of the tables.
grant usage on schema public to communication_trends;
grant select on organizations to communication_trends;
grant select on topic_classifications to communication_trends;
grant select on escalation_alerts to communication_trends;
grant select, insert, update on communication_trends to communication_trends;
grant select, insert, update
on communication_trends_provenance to communication_trends;
