-- Who lacks which period, up to the last one that should be stored by now: one row per
-- organization of the page, the worst first, and the figures over all of them.
with
-- one row: the range, from the first period of which any trend is stored
bounds as (
    select
        greatest(
            %(first_day)s::timestamp,
            (
                select min(communication_trends.trend_date)
                from communication_trends
                where communication_trends.trend_period = %(period)s::text
            )
        ) as first_day
),

-- one row per organization
beginnings as (
    select
        organizations.id,
        coalesce(
            organizations.name::text,
            organizations.slug::text,
            organizations.id::text
        ) as name,
        coalesce(organizations.slug::text, organizations.id::text) as slug,
        least(
            coalesce(organizations.created_at::timestamp, '-infinity'),
            case
                when organizations.created_at::timestamp > %(first_day)s::timestamp
                    then (
                        select min(communication_trends.trend_date)
                        from communication_trends
                        where
                            organizations.id = communication_trends.organization_id
                            and communication_trends.trend_period = %(period)s::text
                    )
            end
        ) as exists_from
    from organizations
    where
        %(organization_id)s::uuid is null
        or organizations.id = %(organization_id)s::uuid
),

-- one row per organization and period that lacks a trend
missing as (
    select
        beginnings.id,
        periods.first_day
    from bounds
    cross join
        generate_series(
            bounds.first_day,
            %(last_day)s::timestamp,
            %(step)s::interval
        ) as periods (first_day)
    inner join
        beginnings
        on periods.first_day + %(step)s::interval > beginnings.exists_from
    left join communication_trends
        on
            beginnings.id = communication_trends.organization_id
            and periods.first_day = communication_trends.trend_date
            and communication_trends.trend_period = %(period)s::text
            -- said again for the index: the join alone would read all there is
            and communication_trends.trend_date >= %(first_day)s::timestamp
            and communication_trends.trend_date <= %(last_day)s::timestamp
    where communication_trends.organization_id is null
),

-- one row per organization that lacks a trend
behind as (
    select
        missing.id,
        count(*) as missing_count,
        array_agg(missing.first_day::date order by missing.first_day desc)
            as missing_days
    from missing
    group by missing.id
),

-- one row per organization of the page
page as (
    select
        beginnings.id::text as organization_id,
        beginnings.name,
        beginnings.slug,
        behind.missing_days,
        (
            select max(communication_trends.trend_date)::date
            from communication_trends
            where
                beginnings.id = communication_trends.organization_id
                and communication_trends.trend_period = %(period)s::text
        ) as last_stored_day,
        row_number() over (
            order by
                behind.missing_count desc,
                beginnings.slug asc
        ) as rank
    from behind
    inner join beginnings on behind.id = beginnings.id
    order by rank
    limit %(limit)s::integer offset %(offset)s::integer
)

select
    counted.organizations_total,
    counted.organizations_behind,
    counted.first_missing_day,
    counted.anything_stored,
    page.organization_id,
    page.name,
    page.slug,
    page.missing_days,
    page.last_stored_day
from (
    select
        (select count(*) from beginnings) as organizations_total,
        (select count(*) from behind) as organizations_behind,
        (select min(missing.first_day)::date from missing) as first_missing_day,
        exists(
            select
            from communication_trends
            where communication_trends.trend_period = %(period)s::text
        ) as anything_stored
) as counted
left join page on true
order by page.rank;
