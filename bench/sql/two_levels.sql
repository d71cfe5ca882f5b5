-- What was tried besides sql/aggregate_trends.sql: one organization-day counted in two
-- levels, by topic, tone and channel together first, which PostgreSQL can do in
-- parallel where the organization is not a lateral reference.
with groups as (
    select
        messages.topic::text as topic,
        messages.sentiment ->> 'tone' as tone,
        messages.channel_id::text as channel_id,
        count(*) as total,
        count(messages.confidence) as confidences,
        sum(messages.confidence) as confidence_sum
    from topic_classifications as messages
    where
        messages.organization_id = %(organization_id)s
        and messages.created_at >= %(day_start)s::timestamp
        and messages.created_at < %(day_end)s::timestamp
    group by
        messages.topic::text,
        messages.sentiment ->> 'tone',
        messages.channel_id::text
),

counts as (
    select
        topic,
        tone,
        channel_id,
        grouping(topic, tone, channel_id) as kind,
        sum(total)::bigint as total,
        sum(confidences)::bigint as confidences,
        sum(confidence_sum)::bigint as confidence_sum,
        coalesce(
            sum(total) filter (where topic = any(%(hotspot_topics)s::text[])), 0
        )::bigint as risky
    from groups
    group by grouping sets ((topic), (tone), (channel_id))
)

select
    coalesce(json_object_agg(topic, total) filter (where kind = 3), '{}')::text
        as topic_distribution,
    coalesce(
        json_object_agg(tone, total) filter (where kind = 5 and tone <> ''), '{}'
    )::text as sentiment_distribution,
    coalesce(
        json_agg(
            json_build_object(
                'channelId', channel_id,
                'riskScore', (200 * risky + total) / (2 * total),
                'messageCount', total
            )
            order by
                (200 * risky + total) / (2 * total) desc,
                total desc,
                channel_id collate "C" asc
        ) filter (
            where
            kind = 6
            and channel_id is not null
            and total >= %(hotspot_min_messages)s::integer
            and risky > %(hotspot_min_ratio)s::numeric * total
        ),
        '[]'
    )::text as channel_hotspots,
    coalesce(sum(total) filter (where kind = 3), 0)::bigint as total_classifications,
    floor(sum(confidence_sum) / nullif(sum(confidences), 0) + 0.5)::bigint
        as avg_confidence
from counts;
