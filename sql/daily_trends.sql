-- One row per stored daily trend within a longer period.
select
    organization_id::text as organization_id,
    trend_date,
    coalesce(total_classifications, 0) as total_classifications
from communication_trends
where
    organization_id = any(%(organization_ids)s::uuid[])
    and trend_period = 'daily'
    and trend_date >= %(period_start)s::timestamp
    and trend_date < %(period_end)s::timestamp
order by trend_date;
