-- Optional: indexes that answer the aggregate without reading the tables.
-- What they gain and cost: docs/performance.md. Created without blocking writers;
-- so run it outside a transaction: psql -f sql/schema/indexes.sql

-- The tone is a separate column, so that it is read ready-made, not out of each
-- row's JSON. PostgreSQL reads an index alone only if it has the column that an
-- expression is made of, too: so sentiment is included.
create index concurrently if not exists topic_classifications_trends_idx
on topic_classifications (organization_id, created_at, (sentiment ->> 'tone'))
include (topic, channel_id, confidence, sentiment);

create index concurrently if not exists escalation_alerts_trends_idx
on escalation_alerts (organization_id, created_at)
include (severity);
