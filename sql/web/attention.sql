-- Periods that may be unusual: one row per organization and period whose figures are
-- half as high again, or half as low, as the mean of those before it; with all of them,
-- and of how many organizations enough is stored.
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
        and communication_trends.trend_date = any(%(read_days)s::timestamp[])
        and (
            %(organization_ids)s::uuid[] is null
            or communication_trends.organization_id
            = any(%(organization_ids)s::uuid[])
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

-- one row per trend and period that it is compared for: its own, or a later one
placed as (
    select
        figures.organization_id,
        pairs.compared_day as day,
        pairs.compared_day = figures.trend_date as is_current,
        figures.messages,
        figures.risky,
        figures.alerts,
        figures.negative
    from figures
    inner join
        unnest(%(read_days)s::timestamp[], %(compared_days)s::timestamp[])
            as pairs (read_day, compared_day)
        on figures.trend_date = pairs.read_day
),

-- one row per organization and period of which enough is stored, with the periods
-- before it in any order. Grouped, not joined: of trends just written the planner
-- expects hardly a row, and would read all of them again for each
compared as materialized (
    select
        placed.organization_id,
        placed.day as trend_date,
        max(placed.messages) filter (where placed.is_current) as messages,
        max(placed.risky) filter (where placed.is_current) as risky,
        max(placed.alerts) filter (where placed.is_current) as alerts,
        max(placed.negative) filter (where placed.is_current) as negative,
        avg(placed.messages) filter (where not placed.is_current) as mean_messages,
        avg(placed.risky) filter (where not placed.is_current) as mean_risky,
        avg(placed.alerts) filter (where not placed.is_current) as mean_alerts,
        avg(placed.negative) filter (where not placed.is_current) as mean_negative,
        array_agg(placed.messages) filter (where not placed.is_current)
            as earlier_messages,
        array_agg(placed.risky) filter (where not placed.is_current) as earlier_risky,
        array_agg(placed.alerts) filter (where not placed.is_current)
            as earlier_alerts,
        array_agg(placed.negative) filter (where not placed.is_current)
            as earlier_negative
    from placed
    group by
        placed.organization_id,
        placed.day
    having
        bool_or(placed.is_current)
        and count(*) filter (where not placed.is_current) >= %(enough)s::integer
),

-- one row per organization and period that may be unusual
suspects as (
    select
        compared.*,
        coalesce(
            organizations.name::text,
            organizations.slug::text,
            organizations.id::text
        ) as name,
        coalesce(organizations.slug::text, organizations.id::text) as slug
    from compared
    inner join organizations on compared.organization_id = organizations.id
    where
        compared.messages >= 1.5 * compared.mean_messages
        or compared.messages <= 0.5 * compared.mean_messages
        or compared.risky >= 1.5 * compared.mean_risky
        or compared.alerts >= 1.5 * compared.mean_alerts
        or compared.negative >= 1.5 * compared.mean_negative
)

select
    counted.organizations_compared,
    suspects.organization_id::text as organization_id,
    suspects.name,
    suspects.slug,
    suspects.trend_date::date as date,
    suspects.messages,
    suspects.risky,
    suspects.alerts,
    suspects.negative,
    suspects.earlier_messages,
    suspects.earlier_risky,
    suspects.earlier_alerts,
    suspects.earlier_negative
from (
    select count(distinct compared.organization_id) as organizations_compared
    from compared
) as counted
left join suspects on true;
