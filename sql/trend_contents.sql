-- A view: one row per stored trend, with how many messages it has, and whether it was
-- made from messages, and from alerts. Another writer may have stored numbers as text,
-- or all of the JSON as one.
select
    stored.organization_id,
    stored.trend_date,
    stored.trend_period,
    -- null where it is no count: a numeric column may hold NaN
    case
        when stored.total_classifications between 0 and 1e18
            then stored.total_classifications
    end as messages,
    coalesce(stored.total_classifications > 0, false) as has_messages,
    -- of most days there are no alerts
    stored.escalation_counts <> '{}'
    and exists (
        select
        from
            regexp_matches(
                stored.escalation_counts #>> '{}', %(numbers)s::text, 'g'
            ) as entries (numbers)
        where entries.numbers[1]::numeric > 0
    ) as has_alerts
from communication_trends as stored;
