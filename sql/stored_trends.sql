-- One row per organization that the target knows: its trend of a run's own period, null
-- where none is stored; how many messages its trend of the period before has; what this
-- run has done to trends of earlier periods, in whichever attempt; and of which of its
-- periods no trend is stored, with those by whose end it existed: it was created, or
-- has a trend that is not empty. Each organization's trends are looked up, not joined:
-- of a period just written the planner expects hardly a row, and would read all of them
-- again for each organization. So it would by an index on the date alone; of dates
-- from a subquery it expects as many rows as of any others.
-- reads: trend_contents
select
    organizations.id::text as id,
    organizations.slug::text as slug,
    trends.own_classifications,
    coalesce(trends.classifications_before, 0) as classifications_before,
    origins.own_is_final,
    origins.own_change,
    origins.filled,
    origins.corrected,
    absent.missing,
    absent.existed
from organizations
inner join lateral (  -- noqa: ST05
    select
        count(*) filter (where stored.trend_date >= %(first_start)s::timestamp)
            as stored,
        max(coalesce(stored.messages, 0))
        filter (where stored.trend_date = %(own_start)s::timestamp)::bigint
            as own_classifications,
        max(stored.messages)
        filter (where stored.trend_date = %(start_before)s::timestamp)::bigint
            as classifications_before
    from trend_contents as stored
    where
        organizations.id = stored.organization_id
        and stored.trend_date
        = any(
            (
                select %(start_before)s::timestamp || %(period_starts)s::timestamp[]
            )::timestamp[]
        )
        and stored.trend_period = %(trend_period)s::text
) as trends on true
inner join lateral (  -- noqa: ST05
    select
        bool_or(found.is_final) filter (where found.is_own) as own_is_final,
        max(found.change) filter (where found.is_own) as own_change,
        count(*) filter (where not found.is_own and found.change = 'filled') as filled,
        count(*) filter (where not found.is_own and found.change <> 'filled')
            as corrected
    from (
        select
            provenance.is_final,
            provenance.trend_date = %(own_start)s::timestamp as is_own,
            case
                when provenance.run_id = %(run_id)s::text then provenance.change
            end as change
        from communication_trends_provenance as provenance
        where
            organizations.id = provenance.organization_id
            and provenance.trend_date
            = any((select %(period_starts)s::timestamp[])::timestamp[])
            and provenance.trend_period = %(trend_period)s::text
    ) as found
) as origins on true
inner join lateral (  -- noqa: ST05
    select
        array_agg(periods.period_start) filter (
            where
            not exists (
                select
                from communication_trends as stored
                where
                    organizations.id = stored.organization_id
                    and periods.period_start = stored.trend_date
                    and stored.trend_period = %(trend_period)s::text
            )
        ) as missing,
        array_agg(periods.period_start) filter (
            where
            coalesce(organizations.created_at < periods.period_end, true)
            -- the application may set it again
            or exists (
                select
                from trend_contents
                where
                    organizations.id = trend_contents.organization_id
                    and trend_contents.trend_period = %(trend_period)s::text
                    and trend_contents.trend_date < periods.period_end
                    and (trend_contents.has_messages or trend_contents.has_alerts)
            )
        ) as existed
    from
        unnest(%(period_starts)s::timestamp[], %(period_ends)s::timestamp[])
            as periods (period_start, period_end)
    -- most lack none
    where trends.stored < cardinality(%(period_starts)s::timestamp[])
) as absent on true
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.slug;
