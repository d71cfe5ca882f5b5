-- Two ranges, over the organization-days with a readable and final trend in both, and
-- the first of them over all that can be read: of one organization, or of all where
-- none is given. One row of sums.
-- reads: existence, trend_sums
with
-- one row per readable trend of either range, with the day of the range that it is of
-- or compared with; a period that is not over is compared with none
figures as (
    select
        trend_sums.organization_id,
        trend_sums.trend_date >= %(first_day)s::timestamp as is_current,
        trend_sums.is_final
        and trend_sums.trend_date <= %(last_due)s::timestamp as is_comparable,
        trend_sums.is_final,
        case
            when trend_sums.trend_date >= %(first_day)s::timestamp
                then trend_sums.trend_date
            else trend_sums.trend_date + %(shift)s::interval
        end as day,
        trend_sums.messages,
        trend_sums.risky,
        trend_sums.alerts,
        trend_sums.confidence,
        trend_sums.confident
    from trend_sums
    where
        (
            trend_sums.trend_date between
            %(first_day)s::timestamp and %(last_day)s::timestamp
            or trend_sums.trend_date between
            %(previous_first_day)s::timestamp and %(previous_last_day)s::timestamp
        )
        and (
            %(organization_id)s::uuid is null
            or trend_sums.organization_id = %(organization_id)s::uuid
        )
),

-- one row per organization and day with a readable trend in either range. Grouped, not
-- joined: of trends just written the planner expects hardly a row, and would read all
-- of them again for each
days as (
    select
        count(*) filter (where figures.is_comparable) = 2 as is_matched,
        count(*) filter (where figures.is_current) as stored,
        count(*) filter (where figures.is_current and not figures.is_final)
            as not_final,
        sum(figures.messages) filter (where figures.is_current) as messages,
        sum(figures.messages) filter (where not figures.is_current)
            as previous_messages,
        sum(figures.risky) filter (where figures.is_current) as risky,
        sum(figures.risky) filter (where not figures.is_current) as previous_risky,
        sum(figures.alerts) filter (where figures.is_current) as alerts,
        sum(figures.alerts) filter (where not figures.is_current) as previous_alerts,
        sum(figures.confidence) filter (where figures.is_current) as confidence,
        sum(figures.confidence) filter (where not figures.is_current)
            as previous_confidence,
        sum(figures.confident) filter (where figures.is_current) as confident,
        sum(figures.confident) filter (where not figures.is_current)
            as previous_confident
    from figures
    group by
        figures.organization_id,
        figures.day
),

-- one row per organization
beginnings as materialized (
    select existence.exists_from
    from existence
    where
        %(organization_id)s::uuid is null
        or existence.id = %(organization_id)s::uuid
),

-- one row: organization-days of the range that should be stored by now
possible as (
    select count(*) as days
    from beginnings
    inner join
        generate_series(
            %(first_day)s::timestamp,
            least(%(last_day)s::timestamp, %(last_due)s::timestamp),
            %(step)s::interval
        ) as periods (first_day)
        on periods.first_day + %(step)s::interval > beginnings.exists_from
)

select
    (select possible.days from possible) as possible_days,
    count(*) filter (where days.is_matched) as matched_days,
    coalesce(sum(days.stored), 0)::bigint as stored_days,
    coalesce(sum(days.not_final), 0)::bigint as not_final_days,
    sum(days.messages)::bigint as total_messages,
    sum(days.risky)::bigint as total_risky,
    sum(days.alerts)::bigint as total_alerts,
    sum(days.confidence)::bigint as total_confidence,
    sum(days.confident)::bigint as total_confident,
    sum(days.messages) filter (where days.is_matched)::bigint as messages,
    sum(days.previous_messages) filter (where days.is_matched)::bigint
        as previous_messages,
    sum(days.risky) filter (where days.is_matched)::bigint as risky,
    sum(days.previous_risky) filter (where days.is_matched)::bigint
        as previous_risky,
    sum(days.alerts) filter (where days.is_matched)::bigint as alerts,
    sum(days.previous_alerts) filter (where days.is_matched)::bigint
        as previous_alerts,
    sum(days.confidence) filter (where days.is_matched)::bigint as confidence,
    sum(days.previous_confidence) filter (where days.is_matched)::bigint
        as previous_confidence,
    sum(days.confident) filter (where days.is_matched)::bigint as confident,
    sum(days.previous_confident) filter (where days.is_matched)::bigint
        as previous_confident
from days;
