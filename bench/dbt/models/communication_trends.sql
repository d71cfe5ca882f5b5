{{ config(unique_key=["organization_id", "trend_date", "trend_period"]) }}

-- All organizations in one set-based statement: each column grouped on its own, joined
-- at the end.
with messages as (
    select
        organization_id, topic, channel_id, confidence, sentiment ->> 'tone' as tone
    from public.topic_classifications
    where created_at >= timestamp '{{ var("day") }}'
        and created_at < timestamp '{{ var("day") }}' + interval '1 day'
),

totals as (
    select
        organization_id,
        count(*) as total_classifications,
        floor(avg(confidence) + 0.5)::integer as avg_confidence
    from messages
    group by organization_id
),

topics as (
    select organization_id, jsonb_object_agg(topic, n) as topic_distribution
    from (select organization_id, topic, count(*) as n from messages group by 1, 2) as counted
    group by organization_id
),

tones as (
    select organization_id, jsonb_object_agg(tone, n) as sentiment_distribution
    from (select organization_id, tone, count(*) as n from messages where tone <> '' group by 1, 2) as counted
    group by organization_id
),

channels as (
    select
        organization_id,
        channel_id,
        count(*) as n,
        count(*) filter (where topic in ('complaint', 'escalation')) as risky
    from messages
    where channel_id is not null
    group by organization_id, channel_id
    having count(*) >= 10
        and count(*) filter (where topic in ('complaint', 'escalation')) > 0.3 * count(*)
),

hotspots as (
    select
        organization_id,
        jsonb_agg(
            jsonb_build_object('channelId', channel_id, 'riskScore', div(200 * risky + n, 2 * n), 'messageCount', n)
            order by div(200 * risky + n, 2 * n) desc, n desc, channel_id collate "C"
        ) as channel_hotspots
    from channels
    group by organization_id
),

severities as (
    select organization_id, jsonb_object_agg(severity, n) as escalation_counts
    from (
        select organization_id, severity, count(*) as n
        from public.escalation_alerts
        where created_at >= timestamp '{{ var("day") }}'
            and created_at < timestamp '{{ var("day") }}' + interval '1 day'
        group by 1, 2
    ) as counted
    group by organization_id
)

select
    gen_random_uuid() as id,
    organizations.id as organization_id,
    timestamp '{{ var("day") }}' as trend_date,
    'daily' as trend_period,
    coalesce(topics.topic_distribution, '{}') as topic_distribution,
    coalesce(tones.sentiment_distribution, '{}') as sentiment_distribution,
    coalesce(severities.escalation_counts, '{}') as escalation_counts,
    coalesce(hotspots.channel_hotspots, '[]') as channel_hotspots,
    coalesce(totals.total_classifications, 0)::integer as total_classifications,
    totals.avg_confidence,
    now()::timestamp as created_at
from public.organizations as organizations
left join totals on organizations.id = totals.organization_id
left join topics on organizations.id = topics.organization_id
left join tones on organizations.id = tones.organization_id
left join severities on organizations.id = severities.organization_id
left join hotspots on organizations.id = hotspots.organization_id
