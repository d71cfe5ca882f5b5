-- One row per organization: its trend of one UTC day, in one pass over the day's
-- classified messages and one over its escalation alerts.
with
-- one row per organization, channel, topic and tone: small enough to be read
-- again below for each column of the trend
message_groups as materialized (
    select
        organization_id,
        channel_id,
        topic,
        sentiment ->> 'tone' as tone,
        count(*) as message_count,
        count(confidence) as confidence_count,
        sum(confidence) as confidence_sum
    from topic_classifications
    where
        organization_id = any(%(organization_ids)s::uuid[])
        and created_at >= %(day_start)s::timestamp
        and created_at < %(day_end)s::timestamp
    group by organization_id, channel_id, topic, tone
),

-- one row per organization
totals as (
    select
        organization_id,
        sum(message_count) as total_classifications,
        -- the mean, rounded half up
        floor(
            sum(confidence_sum) / nullif(sum(confidence_count), 0) + 0.5
        ) as avg_confidence
    from message_groups
    group by organization_id
),

-- one row per organization and topic
topics as (
    select
        organization_id,
        topic,
        sum(message_count) as message_count
    from message_groups
    group by organization_id, topic
),

-- one row per organization
topic_distributions as (
    select
        organization_id,
        jsonb_object_agg(topic, message_count) as topic_distribution
    from topics
    group by organization_id
),

-- one row per organization and tone
tones as (
    select
        organization_id,
        tone,
        sum(message_count) as message_count
    from message_groups
    where tone <> ''
    group by organization_id, tone
),

-- one row per organization
sentiment_distributions as (
    select
        organization_id,
        jsonb_object_agg(tone, message_count) as sentiment_distribution
    from tones
    group by organization_id
),

-- one row per organization and channel
channels as (
    select
        organization_id,
        channel_id,
        sum(message_count) as message_count,
        coalesce(
            sum(message_count)
            filter (where topic = any(%(hotspot_topics)s::text[])),
            0
        ) as risky_count
    from message_groups
    where channel_id is not null
    group by organization_id, channel_id
),

-- one row per organization and channel that runs hot
hotspots as (
    select
        organization_id,
        channel_id,
        message_count,
        -- the share in percent, rounded half up in whole numbers
        div(200 * risky_count + message_count, 2 * message_count) as risk_score
    from channels
    where
        message_count >= %(hotspot_min_messages)s::integer
        -- multiplied, not divided, so that the limit itself is met exactly
        and risky_count > %(hotspot_min_ratio)s::numeric * message_count
),

-- one row per organization
channel_hotspots as (
    select
        organization_id,
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
        ) as channel_hotspots
    from hotspots
    group by organization_id
),

-- one row per organization and severity
severities as (
    select
        organization_id,
        severity,
        count(*) as alert_count
    from escalation_alerts
    where
        organization_id = any(%(organization_ids)s::uuid[])
        and created_at >= %(day_start)s::timestamp
        and created_at < %(day_end)s::timestamp
        and severity is not null
    group by organization_id, severity
),

-- one row per organization
escalations as (
    select
        organization_id,
        jsonb_object_agg(severity, alert_count) as escalation_counts
    from severities
    group by organization_id
)

select
    organizations.id::text as organization_id,
    coalesce(topic_distributions.topic_distribution, '{}') as topic_distribution,
    coalesce(sentiment_distributions.sentiment_distribution, '{}')
        as sentiment_distribution,
    coalesce(escalations.escalation_counts, '{}') as escalation_counts,
    coalesce(channel_hotspots.channel_hotspots, '[]') as channel_hotspots,
    coalesce(totals.total_classifications, 0)::bigint as total_classifications,
    totals.avg_confidence::bigint as avg_confidence
from organizations
left join totals
    on organizations.id = totals.organization_id
left join topic_distributions
    on organizations.id = topic_distributions.organization_id
left join sentiment_distributions
    on organizations.id = sentiment_distributions.organization_id
left join escalations
    on organizations.id = escalations.organization_id
left join channel_hotspots
    on organizations.id = channel_hotspots.organization_id
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.id;
