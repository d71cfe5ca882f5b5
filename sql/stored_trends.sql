-- One row per organization that the target knows: its trend of a run's own period, null
-- where none is stored; how many messages its trend of the period before has; what this
-- run has done to trends of earlier periods, in whichever attempt; and of which of its
-- periods no trend is stored, with those by whose end it existed: it was created, or
-- has a trend that is not empty. What is found is counted together, not joined: of
-- periods just written the planner expects hardly a row, and would read all of them
-- again for each organization.
-- reads: trend_contents
with
-- one row per organization, and per trend and provenance of these periods
found as (
    select
        id as organization_id,
        slug::text as slug,
        created_at,
        null::timestamp as trend_date,
        null::numeric as messages,
        null::boolean as is_final,
        null::text as change
    from organizations
    where id = any(%(organization_ids)s::uuid[])
    union all
    select
        organization_id,
        null as slug,
        null as created_at,
        trend_date,
        coalesce(messages, 0) as messages,
        null as is_final,
        null as change
    from trend_contents
    where
        organization_id = any(%(organization_ids)s::uuid[])
        and trend_date
        = any(%(start_before)s::timestamp || %(period_starts)s::timestamp[])
        and trend_period = %(trend_period)s::text
    union all
    select
        organization_id,
        null as slug,
        null as created_at,
        trend_date,
        null as messages,
        is_final,
        case when run_id = %(run_id)s::text then change end as change
    from communication_trends_provenance
    where
        organization_id = any(%(organization_ids)s::uuid[])
        and trend_date = any(%(period_starts)s::timestamp[])
        and trend_period = %(trend_period)s::text
),

-- one row per organization
organizations_found as materialized (
    select
        organization_id,
        max(slug) as slug,
        max(created_at) as created_at,
        array_agg(trend_date::timestamp) filter (where messages is not null) as stored,
        max(messages) filter (where trend_date = %(own_start)s::timestamp)
            as own_classifications,
        max(messages) filter (where trend_date = %(start_before)s::timestamp)
            as classifications_before,
        bool_or(is_final) filter (where trend_date = %(own_start)s::timestamp)
            as own_is_final,
        max(change) filter (where trend_date = %(own_start)s::timestamp) as own_change,
        count(*) filter (
            where trend_date <> %(own_start)s::timestamp and change = 'filled'
        ) as filled,
        count(*) filter (
            where trend_date <> %(own_start)s::timestamp and change <> 'filled'
        ) as corrected
    from found
    group by organization_id
    -- not one of which only trends are left
    having count(*) filter (where trend_date is null) > 0
)

select
    organizations.organization_id::text as id,
    organizations.slug,
    organizations.own_classifications::bigint as own_classifications,
    coalesce(organizations.classifications_before, 0)::bigint as classifications_before,
    organizations.own_is_final,
    organizations.own_change,
    organizations.filled,
    organizations.corrected,
    absent.missing,
    absent.existed
from organizations_found as organizations
inner join lateral (  -- noqa: ST05
    select
        array_agg(periods.period_start) filter (
            where coalesce(periods.period_start <> all(organizations.stored), true)
        ) as missing,
        array_agg(periods.period_start) filter (
            where
            coalesce(organizations.created_at < periods.period_end, true)
            -- the application may set it again
            or exists (
                select
                from trend_contents
                where
                    organizations.organization_id = trend_contents.organization_id
                    and trend_contents.trend_period = %(trend_period)s::text
                    and trend_contents.trend_date < periods.period_end
                    and (trend_contents.has_messages or trend_contents.has_alerts)
            )
        ) as existed
    from
        unnest(%(period_starts)s::timestamp[], %(period_ends)s::timestamp[])
            as periods (period_start, period_end)
    -- most lack none
    where
        not coalesce(organizations.stored @> %(period_starts)s::timestamp[], false)
) as absent on true
order by organizations.slug;
