-- The least that a distribution takes: the rows of one organization-day, counted by one
-- of their columns.
select
    topic,
    count(*) as message_count
from topic_classifications
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp
group by topic;
