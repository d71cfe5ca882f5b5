-- Optional: indexes that answer the nightly statement without reading the tables.
-- What they bring and cost: docs/performance.md. Created without blocking writers;
-- so run it outside a transaction: psql -f sql/schema/indexes.sql
create index concurrently if not exists topic_classifications_trends_idx
on topic_classifications (organization_id, created_at)
include (topic, channel_id, confidence, sentiment);

create index concurrently if not exists escalation_alerts_trends_idx
on escalation_alerts (organization_id, created_at)
include (severity);
