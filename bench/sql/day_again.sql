-- The messages from a day on once more, so many days earlier.
insert into topic_classifications (
    organization_id,
    workspace_id,
    user_id,
    channel_id,
    suggestion_id,
    topic,
    confidence,
    reasoning,
    sentiment,
    created_at
)
select
    organization_id,
    workspace_id,
    user_id,
    channel_id,
    suggestion_id,
    topic,
    confidence,
    reasoning,
    sentiment,
    created_at - %(days)s * interval '1 day' as created_at
from topic_classifications
where created_at >= %(day_start)s::timestamp;
