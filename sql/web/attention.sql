-- Periods that may be unusual: one row per organization and period with a figure that
-- is so many times the mean of those before it, or messages that are so small a part;
-- with all of them, how many organizations there are, and of how many enough is stored.
-- Looked at are trends that can be read and are final.
-- reads: existence, trend_sums
with
-- one row per trend
figures as materialized (
    select
        trend_sums.organization_id,
        trend_sums.trend_date,
        trend_sums.messages,
        trend_sums.risky::bigint as risky,
        trend_sums.alerts::bigint as alerts,
        trend_sums.negative::bigint as negative
    from trend_sums
    where
        trend_sums.is_final
        and trend_sums.trend_date = any(%(read_days)s::timestamp[])
        and (
            %(organization_ids)s::uuid[] is null
            or trend_sums.organization_id = any(%(organization_ids)s::uuid[])
        )
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
        existence.name,
        existence.slug
    from compared
    inner join existence on compared.organization_id = existence.id
    where
        compared.messages
        >= %(least_times)s::numeric * compared.mean_messages
        or compared.messages
        <= %(most_times)s::numeric * compared.mean_messages
        or compared.risky >= %(least_times)s::numeric * compared.mean_risky
        or compared.alerts >= %(least_times)s::numeric * compared.mean_alerts
        or compared.negative >= %(least_times)s::numeric * compared.mean_negative
)

select
    counted.organizations_total,
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
    select
        (
            select count(*)
            from existence
            where
                %(organization_ids)s::uuid[] is null
                or existence.id = any(%(organization_ids)s::uuid[])
        ) as organizations_total,
        count(distinct compared.organization_id) as organizations_compared
    from compared
) as counted
left join suspects on true;
