-- When the latest message before a moment was classified; null where there is none. One
-- look into the index for each organization.
select max(latest.created_at) as created_at
from organizations
inner join lateral (  -- noqa: ST05
    select messages.created_at::timestamp as created_at
    from topic_classifications as messages
    where
        messages.organization_id = organizations.id
        and messages.created_at < %(until)s::timestamptz at time zone 'UTC'
    order by messages.created_at desc
    limit 1
) as latest on true;
