-- One row per organization with stored trends that are not empty: the first and the
-- last period with messages, and with alerts. The source had rows then.
select
    organization_id::text as organization_id,
    min(trend_date) filter (where total_classifications > 0)::timestamp
        as first_with_messages,
    max(trend_date) filter (where total_classifications > 0)::timestamp
        as last_with_messages,
    min(trend_date) filter (where escalation_counts <> '{}')::timestamp
        as first_with_alerts,
    max(trend_date) filter (where escalation_counts <> '{}')::timestamp
        as last_with_alerts
from communication_trends
where
    organization_id = any(%(organization_ids)s::uuid[])
    and trend_period = %(trend_period)s::text
    and trend_date between '0001-01-01' and '9999-12-31'
    and (total_classifications > 0 or escalation_counts <> '{}')
group by organization_id;
