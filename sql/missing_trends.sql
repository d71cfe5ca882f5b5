-- One row per organization with trends missing between its first stored one, or the
-- first of some periods where that is later, and the last of these: how many, and the
-- first. An empty one from before the organization was created is not missing: it was
-- computed on request.
-- reads: trend_contents
with
-- one row per stored trend that is one of its organization's time
known_trends as not materialized (
    select
        trends.organization_id,
        trends.trend_date
    from trend_contents as trends
    inner join organizations on trends.organization_id = organizations.id
    where
        trends.trend_period = %(trend_period)s::text
        -- not those of another writer that begin elsewhere
        and trends.trend_date = date_trunc(%(unit)s::text, trends.trend_date)
        and trends.trend_date >= '0001-01-01'
        and (
            trends.has_messages
            or coalesce(
                organizations.created_at
                < trends.trend_date + ('1 ' || %(unit)s::text)::interval,
                true
            )
            or trends.has_alerts
        )
),

-- one row per organization with trends in these periods
found_ranges as materialized (
    select
        organization_id,
        min(trend_date)::timestamp as first_start,
        count(*) as stored
    from known_trends
    where
        organization_id = any(%(organization_ids)s::uuid[])
        and trend_date >= %(period_start)s::timestamp
        and trend_date <= %(last_start)s::timestamp
    group by organization_id
),

-- one row per organization; without a first period where nothing is stored of any. An
-- older trend is looked up only where it decides, and by the organization: of a date
-- from a subquery the planner does not expect few rows.
stored_ranges as materialized (
    select
        wanted.organization_id,
        case
            when found_ranges.first_start = %(period_start)s::timestamp
                then found_ranges.first_start
            when (
                select older.organization_id
                from known_trends as older
                where
                    wanted.organization_id = older.organization_id
                    and older.trend_date < (select %(period_start)s::timestamp)
                limit 1  -- noqa: AM09
            ) is not null
                then %(period_start)s::timestamp
            else found_ranges.first_start
        end as first_start,
        coalesce(found_ranges.stored, 0) as stored
    from unnest(%(organization_ids)s::uuid[]) as wanted (organization_id)
    left join found_ranges on wanted.organization_id = found_ranges.organization_id
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
