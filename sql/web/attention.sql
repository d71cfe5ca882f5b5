-- Periods that may be unusual: one row per organization and period whose figures are
-- half as high again, or half as low, as the mean of those before it; with all of them.
with
-- one row per trend
stored_trends as materialized (
    select
        communication_trends.organization_id,
        communication_trends.trend_date,
        communication_trends.topic_distribution,
        communication_trends.sentiment_distribution,
        communication_trends.escalation_counts,
        communication_trends.total_classifications,
        coalesce(
            not communication_trends.topic_distribution
            @@ %(broken_counts)s::jsonpath
            and not communication_trends.sentiment_distribution
            @@ %(broken_counts)s::jsonpath
            and not communication_trends.escalation_counts
            @@ %(broken_counts)s::jsonpath
            and not communication_trends.channel_hotspots
            @@ %(broken_hotspots)s::jsonpath
            and communication_trends.total_classifications >= 0
            and coalesce(communication_trends.avg_confidence, 0) between 0 and 100,
            false
        ) as readable
    from communication_trends
    where
        communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date = any(%(needed_days)s::timestamp[])
        and (
            %(organization_id)s::uuid is null
            or communication_trends.organization_id = %(organization_id)s::uuid
        )
),

-- one row per readable trend
figures as materialized (
    select
        stored_trends.organization_id,
        stored_trends.trend_date,
        stored_trends.total_classifications as messages,
        (
            select coalesce(sum(trunc(topics.count::numeric)), 0)::bigint
            from jsonb_each(stored_trends.topic_distribution) as topics (name, count)
            where topics.name = any(%(hotspot_topics)s::text[])
        ) as risky,
        (
            select coalesce(sum(trunc(severities.count::numeric)), 0)::bigint
            from
                jsonb_each(stored_trends.escalation_counts)
                    as severities (name, count)
        ) as alerts,
        trunc(
            coalesce((stored_trends.sentiment_distribution ->> 'angry')::numeric, 0)
            + coalesce(
                (stored_trends.sentiment_distribution ->> 'frustrated')::numeric, 0
            )
        )::bigint as negative
    from stored_trends
    where stored_trends.readable
),

-- one row per organization and period, with those before it in any order
compared as (
    select
        current.organization_id,
        current.trend_date,
        current.messages,
        current.risky,
        current.alerts,
        current.negative,
        array_agg(earlier.messages) as earlier_messages,
        array_agg(earlier.risky) as earlier_risky,
        array_agg(earlier.alerts) as earlier_alerts,
        array_agg(earlier.negative) as earlier_negative
    from figures as current
    inner join
        unnest(%(earlier_days)s::timestamp[], %(compared_days)s::timestamp[])
            as pairs (earlier_day, day)
        on current.trend_date = pairs.day
    inner join figures as earlier
        on
            current.organization_id = earlier.organization_id
            and pairs.earlier_day = earlier.trend_date
    group by
        current.organization_id,
        current.trend_date,
        current.messages,
        current.risky,
        current.alerts,
        current.negative
    having
        current.messages >= 1.5 * avg(earlier.messages)
        or current.messages <= 0.5 * avg(earlier.messages)
        or current.risky >= 1.5 * avg(earlier.risky)
        or current.alerts >= 1.5 * avg(earlier.alerts)
        or current.negative >= 1.5 * avg(earlier.negative)
)

select
    organizations.id::text as organization_id,
    coalesce(
        organizations.name::text,
        organizations.slug::text,
        organizations.id::text
    ) as name,
    coalesce(organizations.slug::text, organizations.id::text) as slug,
    compared.trend_date::date as date,
    compared.messages,
    compared.risky,
    compared.alerts,
    compared.negative,
    compared.earlier_messages,
    compared.earlier_risky,
    compared.earlier_alerts,
    compared.earlier_negative
from compared
inner join organizations on compared.organization_id = organizations.id;
