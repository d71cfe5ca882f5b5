-- One row per organization: its trend of one UTC day, in one pass over the day's
-- classified messages and one over its escalation alerts. Lateral, one organization
-- after the other: the plan then is the same for one and for a thousand of them, and
-- rows are grouped without their organization, which is cheaper.
select
    organizations.id::text as organization_id,
    trends.topic_distribution,
    trends.sentiment_distribution,
    escalations.escalation_counts,
    trends.channel_hotspots,
    trends.total_classifications,
    trends.avg_confidence
from organizations
inner join lateral (  -- noqa: ST05
    with
    -- one row per topic, tone and channel: few, so that what follows costs little
    message_groups as (
        select
            messages.topic,
            messages.sentiment ->> 'tone' as tone,
            messages.channel_id,
            count(*) as message_count,
            count(messages.confidence) as confidence_count,
            sum(messages.confidence) as confidence_sum
        from topic_classifications as messages
        where
            messages.organization_id = organizations.id
            and messages.created_at >= %(day_start)s::timestamp
            and messages.created_at < %(day_end)s::timestamp
        group by
            messages.topic,
            messages.sentiment ->> 'tone',
            messages.channel_id
    ),

    -- one row per topic, one per tone and one per channel
    counts as (
        select
            topic,
            tone,
            channel_id,
            grouping(topic) = 0 as is_topic,
            grouping(tone) = 0 as is_tone,
            grouping(channel_id) = 0 as is_channel,
            sum(message_count) as message_count,
            sum(confidence_count) as confidence_count,
            sum(confidence_sum) as confidence_sum,
            coalesce(
                sum(message_count)
                filter (where topic = any(%(hotspot_topics)s::text[])),
                0
            ) as risky_count
        from message_groups
        group by grouping sets ((topic), (tone), (channel_id))
    ),

    scored_counts as (
        select
            *,
            -- the share in percent, rounded half up in whole numbers
            div(200 * risky_count + message_count, 2 * message_count) as risk_score,
            is_channel
            and channel_id is not null
            and message_count >= %(hotspot_min_messages)s::integer
            -- multiplied, not divided, so that the limit itself is met exactly
            and risky_count > %(hotspot_min_ratio)s::numeric * message_count
                as is_hotspot
        from counts
    )

    select
        coalesce(
            jsonb_object_agg(topic, message_count) filter (where is_topic),
            '{}'
        ) as topic_distribution,
        coalesce(
            jsonb_object_agg(tone, message_count)
            filter (where is_tone and tone <> ''),
            '{}'
        ) as sentiment_distribution,
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'channelId', channel_id,
                    'riskScore', risk_score,
                    'messageCount', message_count
                )
                order by
                    risk_score desc,
                    message_count desc,
                    channel_id collate "C" asc
            ) filter (where is_hotspot),
            '[]'
        ) as channel_hotspots,
        coalesce(sum(message_count) filter (where is_topic), 0)::bigint
            as total_classifications,
        -- the mean, rounded half up
        floor(
            sum(confidence_sum) filter (where is_topic)
            / nullif(sum(confidence_count) filter (where is_topic), 0)
            + 0.5
        )::bigint as avg_confidence
    from scored_counts
) as trends on true
inner join lateral (  -- noqa: ST05
    with
    -- one row per severity
    severities as (
        select
            alerts.severity,
            count(*) as alert_count
        from escalation_alerts as alerts
        where
            alerts.organization_id = organizations.id
            and alerts.created_at >= %(day_start)s::timestamp
            and alerts.created_at < %(day_end)s::timestamp
            and alerts.severity is not null
        group by alerts.severity
    )

    select
        coalesce(jsonb_object_agg(severity, alert_count), '{}')
            as escalation_counts
    from severities
) as escalations on true
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.id;
