-- One row per organization with trends missing between its first stored one and the
-- last of some periods: how many, and the first.
with
-- one row per organization with trends in these periods
stored_ranges as materialized (
    select
        organization_id,
        min(trend_date)::timestamp as first_start,
        count(*) as stored
    from communication_trends
    where
        organization_id = any(%(organization_ids)s::uuid[])
        and trend_period = %(trend_period)s::text
        and trend_date >= %(period_start)s::timestamp
        and trend_date <= %(last_start)s::timestamp
        -- not those of another writer that begin elsewhere
        and trend_date = date_trunc(%(unit)s::text, trend_date)
    group by organization_id
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
