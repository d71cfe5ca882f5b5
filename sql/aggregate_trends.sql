-- One row per organization: its trend of one UTC day, in one pass over its messages and
-- one over its alerts. Lateral, so that the plan is the same for one and for thousands.
select
    organizations.id::text as organization_id,
    organizations.slug,
    trends.topic_distribution,
    trends.sentiment_distribution,
    escalations.escalation_counts,
    trends.channel_hotspots,
    trends.total_classifications,
    trends.avg_confidence
from organizations
inner join lateral (  -- noqa: ST05
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
            ) filter (
                where
                is_channel
                and channel_id is not null
                and total >= %(hotspot_min_messages)s::integer
                -- multiplied, not divided, so that the limit itself is met exactly
                and risky > %(hotspot_min_ratio)s::numeric * total
            ),
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
    from (
        select
            *,
            -- in percent, rounded half up
            div(200 * risky + total, 2 * total) as risk_score
        from (
            -- one row per topic, one per tone and one per channel
            select
                messages.topic,
                messages.sentiment ->> 'tone' as tone,
                messages.channel_id,
                grouping(messages.topic) = 0 as is_topic,
                grouping(messages.sentiment ->> 'tone') = 0 as is_tone,
                grouping(messages.channel_id) = 0 as is_channel,
                count(*) as total,
                count(messages.confidence) as confidences,
                sum(messages.confidence) as confidence_sum,
                count(*) filter (
                    where messages.topic = any(%(hotspot_topics)s::text[])
                ) as risky
            from topic_classifications as messages
            where
                messages.organization_id = organizations.id
                and messages.created_at >= %(day_start)s::timestamp
                and messages.created_at < %(day_end)s::timestamp
            group by grouping sets (
                (messages.topic), (messages.sentiment ->> 'tone'), (messages.channel_id)
            )
        ) as counts
    ) as scored
) as trends on true
inner join lateral (  -- noqa: ST05
    select
        coalesce(jsonb_object_agg(severity, alert_count), '{}')
            as escalation_counts
    from (
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
    ) as severities
) as escalations on true
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.id;
