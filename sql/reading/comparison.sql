-- Two ranges, over the organization-days with a readable and final trend in both, and
-- the first of them over all that can be read: of one organization, or of all where
-- none is given. One row of sums.
-- reads: due_days, trend_sums
with
-- one row per readable trend of the range; a period that is not over is compared with
-- none
current_trends as (
    select
        trend_sums.*,
        trend_sums.is_final
        and trend_sums.trend_date <= %(last_due)s::timestamp as is_comparable
    from trend_sums
    where
        trend_sums.trend_date between
        %(first_day)s::timestamp and %(last_day)s::timestamp
),

-- one row per readable and final trend of the range before, with the period that it is
-- compared with
previous_trends as (
    select
        trend_sums.*,
        trend_sums.trend_date + %(shift)s::interval as day
    from trend_sums
    where
        trend_sums.trend_date between
        %(previous_first_day)s::timestamp and %(previous_last_day)s::timestamp
        and trend_sums.is_final
        and trend_sums.trend_date + %(shift)s::interval <= %(last_due)s::timestamp
),

-- one row per organization and day with a readable trend in either range. A full join
-- is never made row by row: of trends just written the planner expects hardly one, and
-- would read all of them again for each
days as (
    select
        current_trends.organization_id is not null as is_stored,
        current_trends.is_final,
        current_trends.is_comparable
        and previous_trends.organization_id is not null as is_matched,
        current_trends.messages,
        current_trends.risky,
        current_trends.alerts,
        current_trends.confidence,
        current_trends.confident,
        previous_trends.messages as previous_messages,
        previous_trends.risky as previous_risky,
        previous_trends.alerts as previous_alerts,
        previous_trends.confidence as previous_confidence,
        previous_trends.confident as previous_confident
    from current_trends
    full join previous_trends
        on
            current_trends.organization_id = previous_trends.organization_id
            and current_trends.trend_date = previous_trends.day
)

select
    (select due_days.days from due_days) as possible_days,
    count(*) filter (where days.is_matched) as matched_days,
    count(*) filter (where days.is_stored) as stored_days,
    count(*) filter (where not days.is_final) as not_final_days,
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
