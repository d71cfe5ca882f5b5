-- A view: one row per stored trend, with whether it was made from messages, and from
-- alerts. Another writer may have stored numbers as text, or all of the JSON as one.
select
    stored.organization_id,
    stored.trend_date,
    stored.trend_period,
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
