-- One row per organization with stored trends that are not empty: the first and the
-- last period with messages, and with alerts. The source had rows then.
with filled_trends as (
    select
        stored.organization_id,
        stored.trend_date,
        stored.total_classifications > 0 as has_messages,
        -- of most days there are none
        stored.escalation_counts <> '{}' and (
            select bool_or(entries.numbers[1]::numeric > 0)
            from
                regexp_matches(
                    stored.escalation_counts #>> '{}', %(numbers)s::text, 'g'
                ) as entries (numbers)
        ) as has_alerts
    from communication_trends as stored
    where
        stored.organization_id = any(%(organization_ids)s::uuid[])
        -- a finer one says more: a month's does not say on which of its days
        and stored.trend_period in (%(trend_period)s::text, 'daily')
        and stored.trend_date between '0001-01-01' and '9999-12-31'
)

select
    organization_id::text as organization_id,
    min(trend_date) filter (where has_messages)::timestamp as first_with_messages,
    max(trend_date) filter (where has_messages)::timestamp as last_with_messages,
    min(trend_date) filter (where has_alerts)::timestamp as first_with_alerts,
    max(trend_date) filter (where has_alerts)::timestamp as last_with_alerts
from filled_trends
where has_messages or has_alerts
group by organization_id;
