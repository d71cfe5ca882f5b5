-- A view: one row per stored trend of the periods read that counts and can be read,
-- with the sums that all other numbers are made from.
-- reads: stored_trends
select
    stored_trends.organization_id,
    stored_trends.trend_date,
    stored_trends.is_final,
    -- wide enough that a sum of it is a number with decimals, and so is what is divided
    stored_trends.total_classifications::bigint as messages,
    -- one of these is planned, since the topics are known by then: four by name take
    -- two thirds of the time of any number of them
    case
        when cardinality(%(hotspot_topics)s::text[]) <= 4
            then
                coalesce(
                    trunc(
                        (
                            stored_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[1]
                        )::numeric
                    )::bigint,
                    0
                )
                + coalesce(
                    trunc(
                        (
                            stored_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[2]
                        )::numeric
                    )::bigint,
                    0
                )
                + coalesce(
                    trunc(
                        (
                            stored_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[3]
                        )::numeric
                    )::bigint,
                    0
                )
                + coalesce(
                    trunc(
                        (
                            stored_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[4]
                        )::numeric
                    )::bigint,
                    0
                )
        else (
            select
                coalesce(
                    sum(
                        trunc(
                            (stored_trends.topic_distribution -> topics.name)::numeric
                        )
                    ),
                    0
                )::bigint
            from unnest(%(hotspot_topics)s::text[]) as topics (name)
        )
    end as risky,
    alerts.count as alerts,
    coalesce(trunc((stored_trends.escalation_counts -> 'critical')::numeric)::bigint, 0)
        as critical,
    coalesce(
        trunc((stored_trends.sentiment_distribution -> 'angry')::numeric)::bigint, 0
    )
    + coalesce(
        trunc((stored_trends.sentiment_distribution -> 'frustrated')::numeric)::bigint,
        0
    ) as negative,
    jsonb_array_length(stored_trends.channel_hotspots) as hotspots,
    stored_trends.confidence,
    stored_trends.confident
from stored_trends
-- most trends have the same few alerts, whose sum PostgreSQL remembers
cross join
    lateral (
        select coalesce(sum(trunc(severities.count::numeric)), 0)::bigint as count
        from jsonb_each(stored_trends.escalation_counts) as severities (name, count)
    ) as alerts
where stored_trends.readable;
