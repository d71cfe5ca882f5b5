-- One row per organization with messages that day: their number, counted apart from
-- the aggregate, to hold the stored trend against.
select
    organization_id::text as organization_id,
    count(*) as total_classifications
from topic_classifications
where
    organization_id = any(%(organization_ids)s::uuid[])
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp
group by organization_id;
