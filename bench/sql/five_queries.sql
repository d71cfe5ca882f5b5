-- The five queries of one organization that the service before this one made, one
-- after the other.
select
    topic,
    count(*) as message_count
from topic_classifications
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp
group by topic;

select
    sentiment ->> 'tone' as tone,
    count(*) as message_count
from topic_classifications
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp
    and sentiment is not null
group by sentiment ->> 'tone';

select
    severity,
    count(*) as alert_count
from escalation_alerts
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp
group by severity;

select
    channel_id,
    count(*) as message_count,
    count(*) filter (where topic in ('complaint', 'escalation')) as risky_count
from topic_classifications
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp
    and channel_id is not null
group by channel_id
having count(*) >= 10;

select
    avg(confidence) as avg_confidence,
    count(*) as total_classifications
from topic_classifications
where
    organization_id = %(organization_id)s
    and created_at >= %(day_start)s::timestamp
    and created_at < %(day_end)s::timestamp;
