-- Optional: an index on the trends that can be read, so that the page judges no row.
-- What it gains and costs: docs/performance.md. Created without blocking writers; so
-- run it outside a transaction: psql -f sql/schema/page_index.sql

-- Its condition is that of sql/reading/stored_trends.sql. PostgreSQL sees that they are
-- the same, and judges no row again; were they not, it would not use the index. Not
-- deduplicated: an index of few pages is read by one process only.
create index concurrently if not exists communication_trends_readable_idx
on communication_trends (trend_date)
with (deduplicate_items = off)
where
not topic_distribution @@ 'strict $.* < 0 || +$.* > 2147483647'
and not sentiment_distribution @@ 'strict $.* < 0 || +$.* > 2147483647'
and total_classifications between 0 and 2147483647::bigint
and (avg_confidence is null or avg_confidence between 0 and 100)
and (
    escalation_counts = '{}'
    or not escalation_counts @@ 'strict $.* < 0 || +$.* > 2147483647'
)
and (
    channel_hotspots = '[]'
    or not channel_hotspots
    @@ 'strict
        $[*].riskScore < 0 || +$[*].riskScore > 100
        || $[*].messageCount < 0 || +$[*].messageCount > 2147483647
        || $[*].channelId.type() != "string"'
);
