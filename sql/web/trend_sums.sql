-- A view: one row per stored trend of the periods read that counts and can be read,
-- with the sums that all other numbers are made from.
-- reads: stored_trends
select
    stored_trends.organization_id,
    stored_trends.trend_date,
    stored_trends.is_final,
    stored_trends.total_classifications as messages,
    (
        select
            coalesce(
                sum(
                    trunc((stored_trends.topic_distribution -> topics.name)::numeric)
                ),
                0
            )
        from unnest(%(hotspot_topics)s::text[]) as topics (name)
    ) as risky,
    (
        select coalesce(sum(trunc(severities.count::numeric)), 0)
        from jsonb_each(stored_trends.escalation_counts) as severities (name, count)
    ) as alerts,
    coalesce(trunc((stored_trends.escalation_counts -> 'critical')::numeric), 0)
        as critical,
    coalesce(trunc((stored_trends.sentiment_distribution -> 'angry')::numeric), 0)
    + coalesce(
        trunc((stored_trends.sentiment_distribution -> 'frustrated')::numeric), 0
    ) as negative,
    jsonb_array_length(stored_trends.channel_hotspots) as hotspots,
    stored_trends.confidence,
    stored_trends.confident
from stored_trends
where stored_trends.readable;
