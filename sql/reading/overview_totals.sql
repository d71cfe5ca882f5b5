-- Some organizations over a range: one row each, in the order of the ids given. Summed
-- are trends that can be read; compared are those that are final and stored in both
-- ranges. The sums of an organization without any are null.
-- reads: existence, stored_trends, trend_sums
with
-- one row per organization
asked_organizations as materialized (
    select existence.*
    from existence
    where existence.id = any(%(organization_ids)s::uuid[])
),

-- one row per trend of the range
found_trends as materialized (
    select
        stored_trends.organization_id,
        stored_trends.trend_date,
        coalesce(stored_trends.readable, false) as readable
    from stored_trends
    where
        stored_trends.organization_id = any(%(organization_ids)s::uuid[])
        and stored_trends.trend_date between
        %(first_day)s::timestamp and %(last_day)s::timestamp
),

-- one row per readable trend of either range
counts as materialized (
    select trend_sums.*
    from trend_sums
    where
        trend_sums.organization_id = any(%(organization_ids)s::uuid[])
        and (
            trend_sums.trend_date between
            %(first_day)s::timestamp and %(last_day)s::timestamp
            or trend_sums.trend_date between
            %(previous_first_day)s::timestamp and %(previous_last_day)s::timestamp
        )
),

-- one row per organization and period of the range
days as (
    select
        asked_organizations.id as organization_id,
        periods.first_day,
        periods.first_day <= %(last_due)s::timestamp
        and periods.first_day + %(step)s::interval > asked_organizations.exists_from
            as expected
    from asked_organizations
    cross join
        generate_series(
            %(first_day)s::timestamp,
            %(last_day)s::timestamp,
            %(step)s::interval
        ) as periods (first_day)
),

-- one row per organization
totals as (
    select
        days.organization_id,
        count(counts.trend_date) as days_stored,
        count(*) filter (where days.expected) as expected_days,
        count(*) filter (where days.expected and found_trends.trend_date is null)
            as missing_days,
        count(*) filter (where not found_trends.readable) as unreadable_days,
        array_agg(days.first_day::date order by days.first_day)
        filter (where not counts.is_final) as not_final_dates,
        sum(counts.messages) as messages,
        sum(counts.risky) as risky,
        sum(counts.alerts) as alerts,
        sum(counts.critical) as critical,
        sum(counts.hotspots) as hotspots,
        sum(counts.confidence) as confidence,
        sum(counts.confident) as confident,
        array_agg(counts.messages order by days.first_day) as daily_classifications,
        array_agg(counts.risky::bigint order by days.first_day)
            as daily_risky_classifications,
        array_agg(counts.alerts::bigint order by days.first_day)
            as daily_escalations
    from days
    -- full joins are never made row by row, as others would be where the planner knows
    -- nothing of days just written
    full join found_trends
        on
            days.organization_id = found_trends.organization_id
            and days.first_day = found_trends.trend_date
    full join counts
        on
            days.organization_id = counts.organization_id
            and days.first_day = counts.trend_date
    group by days.organization_id
),

-- one row per organization with trends in both ranges; a period that is not over is
-- compared with none
matched as (
    select
        pairs.organization_id,
        count(*) as days,
        sum(pairs.messages) as messages,
        sum(pairs.previous_messages) as previous_messages,
        sum(pairs.risky) as risky,
        sum(pairs.previous_risky) as previous_risky,
        sum(pairs.alerts) as alerts,
        sum(pairs.previous_alerts) as previous_alerts,
        sum(pairs.confidence) as confidence,
        sum(pairs.previous_confidence) as previous_confidence,
        sum(pairs.confident) as confident,
        sum(pairs.previous_confident) as previous_confident
    from (
        select
            current.*,
            previous.trend_date as previous_date,
            previous.messages as previous_messages,
            previous.risky as previous_risky,
            previous.alerts as previous_alerts,
            previous.confidence as previous_confidence,
            previous.confident as previous_confident
        from (
            select counts.*
            from counts
            where
                counts.trend_date >= %(first_day)s::timestamp
                and counts.trend_date <= %(last_day)s::timestamp
                and counts.trend_date <= %(last_due)s::timestamp
                and counts.is_final
        ) as current
        full join (
            select counts.*
            from counts
            where counts.is_final
        ) as previous
            on
                current.organization_id = previous.organization_id
                and current.trend_date
                = previous.trend_date + %(shift)s::interval
        -- so that it stays a full join
        offset 0  -- noqa: AM09
    ) as pairs
    where pairs.trend_date is not null and pairs.previous_date is not null
    group by pairs.organization_id
)

select
    asked_organizations.id::text as organization_id,
    asked_organizations.name,
    asked_organizations.slug,
    asked_organizations.nameless,
    totals.days_stored,
    totals.expected_days,
    totals.missing_days,
    totals.unreadable_days,
    coalesce(totals.not_final_dates, '{}') as not_final_dates,
    totals.messages::bigint as messages,
    totals.risky::bigint as risky,
    totals.alerts::bigint as alerts,
    totals.critical::bigint as critical,
    totals.hotspots::bigint as hotspots,
    totals.confidence::bigint as confidence,
    totals.confident::bigint as confident,
    totals.daily_classifications,
    totals.daily_risky_classifications,
    totals.daily_escalations,
    coalesce(matched.days, 0) as matched_days,
    matched.messages::bigint as matched_messages,
    matched.previous_messages::bigint as previous_messages,
    matched.risky::bigint as matched_risky,
    matched.previous_risky::bigint as previous_risky,
    matched.alerts::bigint as matched_alerts,
    matched.previous_alerts::bigint as previous_alerts,
    matched.confidence::bigint as matched_confidence,
    matched.previous_confidence::bigint as previous_confidence,
    matched.confident::bigint as matched_confident,
    matched.previous_confident::bigint as previous_confident
from asked_organizations
inner join totals on asked_organizations.id = totals.organization_id
left join matched on asked_organizations.id = matched.organization_id
order by
    array_position(%(organization_ids)s::uuid[], asked_organizations.id);
