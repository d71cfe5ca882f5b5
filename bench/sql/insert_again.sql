-- The rows of new_rows once more, as new ones.
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
    gen_random_uuid()::text as suggestion_id,
    topic,
    confidence,
    reasoning,
    sentiment,
    created_at
from new_rows;
