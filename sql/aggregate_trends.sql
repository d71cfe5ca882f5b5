-- One row per organization: its trend of one UTC day, in one pass over its messages and
-- one over its alerts. Lateral, so that the plan is the same for one and for thousands.
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
            count(*) as total,
            count(messages.confidence) as confidences,
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
            sum(total) as total,
            sum(confidences) as confidences,
            sum(confidence_sum) as confidence_sum,
            sum(total) filter (where topic = any(%(hotspot_topics)s::text[]))
                as risky
        from message_groups
        group by grouping sets ((topic), (tone), (channel_id))
    ),

    scored as (
        select
            *,
            -- in percent, rounded half up
            div(200 * risky + total, 2 * total) as risk_score,
            is_channel
            and channel_id is not null
            and total >= %(hotspot_min_messages)s::integer
            -- multiplied, not divided, so that the limit itself is met exactly
            and risky > %(hotspot_min_ratio)s::numeric * total
                as is_hotspot
        from counts
    )

    select
        coalesce(jsonb_object_agg(topic, total) filter (where is_topic), '{}')
            as topic_distribution,
        coalesce(
            jsonb_object_agg(tone, total) filter (where is_tone and tone <> ''), '{}'
        ) as sentiment_distribution,
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'channelId', channel_id,
                    'riskScore', risk_score,
                    'messageCount', total
                )
                order by risk_score desc, total desc, channel_id collate "C" asc
            ) filter (where is_hotspot),
            '[]'
        ) as channel_hotspots,
        coalesce(sum(total) filter (where is_topic), 0)::bigint
            as total_classifications,
        -- the mean, rounded half up
        floor(
            sum(confidence_sum) filter (where is_topic)
            / nullif(sum(confidences) filter (where is_topic), 0)
            + 0.5
        )::bigint as avg_confidence
    from scored
) as trends on true
inner join lateral (  -- noqa: ST05
    with
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
