-- One row per organization with trends missing between its first stored one and the
-- last of some periods: how many, and the first. An empty one from before the
-- organization was created is not missing: it was computed on request.
-- reads: trend_contents
with
-- one row per organization with trends in these periods
stored_ranges as materialized (
    select
        trends.organization_id,
        min(trends.trend_date)::timestamp as first_start,
        count(*) as stored
    from trend_contents as trends
    inner join organizations on trends.organization_id = organizations.id
    where
        trends.organization_id = any(%(organization_ids)s::uuid[])
        and trends.trend_period = %(trend_period)s::text
        and trends.trend_date >= %(period_start)s::timestamp
        and trends.trend_date <= %(last_start)s::timestamp
        -- not those of another writer that begin elsewhere
        and trends.trend_date = date_trunc(%(unit)s::text, trends.trend_date)
        and (
            trends.has_messages
            or coalesce(
                organizations.created_at
                < trends.trend_date + ('1 ' || %(unit)s::text)::interval,
                true
            )
            or trends.has_alerts
        )
    group by trends.organization_id
)

select
    stored_ranges.organization_id::text as organization_id,
    count(*) as missing,
    min(periods.period_start) as first_missing
from stored_ranges
cross join
    generate_series(
        stored_ranges.first_start,
        %(last_start)s::timestamp,
        ('1 ' || %(unit)s::text)::interval
    ) as periods (period_start)
where
    -- most organizations lack none
    stored_ranges.stored < case %(unit)s::text
        when 'day' then %(last_start)s::date - stored_ranges.first_start::date
        when 'week' then (%(last_start)s::date - stored_ranges.first_start::date) / 7
        else
            extract(year from age(%(last_start)s::timestamp, stored_ranges.first_start))
            * 12
            + extract(
                month from age(%(last_start)s::timestamp, stored_ranges.first_start)
            )
    end + 1
    and not exists (
        select 1
        from communication_trends as stored
        where
            stored_ranges.organization_id = stored.organization_id
            and periods.period_start = stored.trend_date
            and stored.trend_period = %(trend_period)s::text
    )
group by stored_ranges.organization_id;
