-- The floor: the rows of one organization-day, only counted.
select count(*) as total_classifications
from topic_classifications
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp;
