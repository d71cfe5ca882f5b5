-- One row per trend that came in: how many messages each of the named channels has.
select
    wanted.organization_id::text as organization_id,
    wanted.period_start,
    coalesce(
        json_object_agg(channels.channel_id, channels.messages) filter (
            where channels.channel_id is not null
        ),
        '{}'
    )::text as channel_messages
from
    jsonb_to_recordset(%(trends)s::jsonb)
        as wanted (
            organization_id uuid,
            period_start timestamp,
            period_end timestamp,
            channels text[]
        )
left join lateral (
    select
        messages.channel_id::text collate "C" as channel_id,  -- noqa: RF03
        count(*) as messages
    from topic_classifications as messages
    where
        messages.organization_id = wanted.organization_id
        and messages.created_at >= wanted.period_start
        and messages.created_at < wanted.period_end
        and messages.channel_id::text collate "C" = any(wanted.channels)  -- noqa: RF03
    group by messages.channel_id::text collate "C"  -- noqa: RF03
) as channels on true
group by
    wanted.organization_id,
    wanted.period_start;
