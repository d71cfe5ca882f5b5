-- Who lacks which period, up to the last one that should be stored by now: one row per
-- organization of the page, the worst first, and the numbers over all of them. A period
-- is complete for an organization where its trend is stored, can be read and is final.
-- reads: existence, stored_trends
with
-- one row: the periods looked at, from the first one of which any trend is stored
bounds as materialized (
    select
        greatest(
            %(read_from)s::timestamp,
            (
                select min(communication_trends.trend_date)
                from communication_trends
                where
                    communication_trends.trend_period = %(trend_period)s::text
                    and communication_trends.trend_date
                    = date_trunc(%(unit)s::text, communication_trends.trend_date)
                    and communication_trends.trend_date
                    between '0001-01-01' and '9999-12-31'
            )
        ) as first_day,
        exists(
            select
            from communication_trends
            where
                communication_trends.trend_period = %(trend_period)s::text
                and communication_trends.trend_date
                = date_trunc(%(unit)s::text, communication_trends.trend_date)
                and communication_trends.trend_date <= %(last_day)s::timestamp
                and communication_trends.trend_date
                between '0001-01-01' and '9999-12-31'
        ) as anything_stored
),

-- one row per organization with a trend that can be read, and whether final; with a bit
-- for each day on which a period with one begins
readable as (
    select
        stored_trends.organization_id,
        stored_trends.is_final,
        bit_or(
            set_bit(
                repeat('0', %(last_day)s::date - %(read_from)s::date + 1)::bit varying,
                stored_trends.trend_date::date - %(read_from)s::date,
                1
            )
        ) as days
    from stored_trends
    where stored_trends.readable
    group by
        stored_trends.organization_id,
        stored_trends.is_final
),

-- one row per organization. Grouped, not joined: of trends just written the planner
-- expects hardly a row, and would read all of them again for each
tenants as materialized (
    select
        entries.id,
        max(entries.exists_from) as exists_from,
        bit_or(entries.days) filter (where entries.is_final) as complete_days,
        bit_or(entries.days) filter (where not entries.is_final) as not_final_days
    from (
        select
            existence.id,
            existence.exists_from,
            null::bit varying as days,
            null::boolean as is_final
        from existence
        union all
        select
            readable.organization_id as id,
            null::timestamp as exists_from,
            readable.days,
            readable.is_final
        from readable
    ) as entries
    group by entries.id
),

-- one row per organization and period without a trend that is complete
lacking as materialized (
    select
        tenants.id,
        periods.first_day,
        coalesce(
            get_bit(
                tenants.not_final_days, periods.first_day::date - %(read_from)s::date
            ) = 1,
            false
        ) as is_not_final
    from bounds
    cross join tenants
    cross join
        lateral generate_series(
            bounds.first_day,
            %(last_day)s::timestamp,
            %(step)s::interval
        ) as periods (first_day)
    where
        periods.first_day + %(step)s::interval > tenants.exists_from
        and coalesce(
            get_bit(
                tenants.complete_days, periods.first_day::date - %(read_from)s::date
            ) = 0,
            true
        )
),

-- one row per organization and period that is not complete; there, a trend that is no
-- readable one is unreadable. Of periods that nobody lacks, none is looked up
incomplete as materialized (
    select
        entries.id,
        entries.first_day,
        count(*) = 2 and not bool_or(entries.is_not_final) as is_unreadable,
        bool_or(entries.is_not_final) as is_not_final
    from (
        select
            lacking.id,
            lacking.first_day,
            lacking.is_not_final
        from lacking
        union all
        select
            stored_trends.organization_id as id,
            stored_trends.trend_date as first_day,
            null::boolean as is_not_final
        from stored_trends
        where
            stored_trends.trend_date = any(
                array(
                    select lacking.first_day
                    from lacking
                    group by lacking.first_day
                )
            )
    ) as entries
    group by
        entries.id,
        entries.first_day
    having bool_or(entries.is_not_final) is not null
),

-- one row per organization that lacks anything in the range
behind as (
    select
        incomplete.id,
        count(*) as lacking,
        array_agg(incomplete.first_day::date order by incomplete.first_day desc)
        filter (where not incomplete.is_unreadable and not incomplete.is_not_final)
            as missing_days,
        array_agg(incomplete.first_day::date order by incomplete.first_day desc)
        filter (where incomplete.is_unreadable) as unreadable_days,
        array_agg(incomplete.first_day::date order by incomplete.first_day desc)
        filter (where incomplete.is_not_final) as not_final_days
    from incomplete
    where incomplete.first_day >= %(first_day)s::timestamp
    group by incomplete.id
),

-- one row per moment from which organizations exist
beginnings as (
    select
        tenants.exists_from,
        count(*) as organizations
    from tenants
    group by tenants.exists_from
),

-- one row per period of the range that is not complete
incomplete_periods as (
    select
        incomplete.first_day,
        count(*)
        filter (where not incomplete.is_unreadable and not incomplete.is_not_final)
            as missing,
        count(*) filter (where incomplete.is_unreadable) as unreadable,
        count(*) filter (where incomplete.is_not_final) as not_final,
        (
            select sum(beginnings.organizations)
            from beginnings
            where incomplete.first_day + %(step)s::interval > beginnings.exists_from
        ) as expected
    from incomplete
    where incomplete.first_day >= %(first_day)s::timestamp
    group by incomplete.first_day
),

-- one row per organization of the page
page as (
    select
        existence.id::text as organization_id,
        existence.name,
        existence.slug,
        behind.missing_days,
        behind.unreadable_days,
        behind.not_final_days,
        (
            select max(communication_trends.trend_date)::date
            from communication_trends
            where
                existence.id = communication_trends.organization_id
                and communication_trends.trend_period = %(trend_period)s::text
                and communication_trends.trend_date
                = date_trunc(%(unit)s::text, communication_trends.trend_date)
                and communication_trends.trend_date <= %(last_due)s::timestamp
                and communication_trends.trend_date
                between '0001-01-01' and '9999-12-31'
        ) as last_stored_day,
        row_number() over (
            order by
                behind.lacking desc,
                existence.slug asc
        ) as rank
    from behind
    inner join existence on behind.id = existence.id
    order by rank
    limit %(limit)s::integer offset %(offset)s::integer
)

select
    bounds.anything_stored,
    bounds.first_day::date as checked_from,
    counted.*,
    page.*
from (
    select
        (select count(*) from tenants) as organizations_total,
        (select count(*) from behind) as organizations_behind,
        (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'date', incomplete_periods.first_day::date,
                        'missing', incomplete_periods.missing,
                        'unreadable', incomplete_periods.unreadable,
                        'not_final', incomplete_periods.not_final,
                        'expected', incomplete_periods.expected
                    )
                    order by incomplete_periods.first_day desc
                )
            from incomplete_periods
        ) as incomplete_periods,
        min(incomplete.first_day)::date as first_incomplete,
        max(incomplete.first_day)::date as last_incomplete,
        count(*) filter (where incomplete.first_day < %(first_day)s::timestamp)
            as incomplete_before
    from incomplete
) as counted
cross join bounds
left join page on true
order by page.rank;
