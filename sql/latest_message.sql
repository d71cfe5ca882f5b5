-- When the latest message before a moment was classified, null where there is none; and
-- whether there are later ones. One look into the index for each organization.
select
    max(latest.created_at) as created_at,
    coalesce(bool_or(later.has_any), false) as has_later
from organizations
left join lateral (  -- noqa: ST05
    select messages.created_at::timestamp as created_at
    from topic_classifications as messages
    where
        messages.organization_id = organizations.id
        and messages.created_at < %(until)s::timestamptz at time zone 'UTC'
        and messages.created_at >= '0001-01-01'
    order by messages.created_at desc
    limit 1
) as latest on true
left join lateral (  -- noqa: ST05
    select true as has_any
    from topic_classifications as messages
    where
        messages.organization_id = organizations.id
        and messages.created_at >= %(until)s::timestamptz at time zone 'UTC'
        and messages.created_at < 'infinity'
    order by messages.created_at asc
    limit 1
) as later on true;
