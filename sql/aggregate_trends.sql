-- The trend of each organization and period, in one pass over its messages and one over
-- its alerts. Lateral, so that the plan is the same for one and for thousands. JSON
-- as text, since it is passed on as it is. Cast to text, since columns may be enums; by
-- its bytes, since a collation may take two spellings for one.
select
    organizations.id::text as organization_id,
    organizations.slug::text as slug,
    periods.period_start,
    -- whether it was created before the period's end
    coalesce(organizations.created_at < periods.period_end, true) as existed,
    trends.topic_distribution,
    trends.sentiment_distribution,
    severities.escalation_counts,
    trends.channel_hotspots,
    trends.total_classifications,
    trends.avg_confidence,
    trends.messages_with_tone,
    trends.messages_with_confidence,
    severities.alerts
from organizations
cross join
    unnest(%(period_starts)s::timestamp[], %(period_ends)s::timestamp[])
        as periods (period_start, period_end)
inner join lateral (  -- noqa: ST05
    select
        coalesce(
            json_object_agg(counts.severity, counts.alert_count), '{}'
        )::text as escalation_counts,
        coalesce(sum(counts.alert_count), 0)::bigint as alerts
    from (
        select
            alerts.severity::text collate "C" as severity,  -- noqa: RF03
            count(*) as alert_count
        from escalation_alerts as alerts
        where
            alerts.organization_id = organizations.id
            and alerts.created_at >= periods.period_start
            and alerts.created_at < periods.period_end
            and alerts.severity is not null
        group by alerts.severity::text collate "C"  -- noqa: RF03
    ) as counts
) as severities on true
inner join lateral (  -- noqa: ST05
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
                    -- percent, rounded half up
                    'riskScore', (200 * risky + total) / (2 * total),
                    'messageCount', total
                )
                order by
                    (200 * risky + total) / (2 * total) desc,
                    total desc,
                    channel_id asc
            ) filter (
                where
                kind = 6
                and channel_id is not null
                and total >= %(hotspot_min_messages)s::integer
                -- multiplied, not divided, so that it is exact
                and risky > %(hotspot_min_ratio)s::numeric * total
            ),
            '[]'
        )::text as channel_hotspots,
        coalesce(sum(total) filter (where kind = 3), 0)::bigint
            as total_classifications,
        coalesce(sum(total) filter (where kind = 5 and tone <> ''), 0)::bigint
            as messages_with_tone,
        coalesce(sum(confidences) filter (where kind = 3), 0)::bigint
            as messages_with_confidence,
        -- the mean, rounded half up; the same over each kind, so over all of them. -1
        -- and 101 for all beyond 0 to 100, infinity and NaN among it
        case
            when sum(confidences) > 0
                then
                    floor(
                        least(
                            greatest(sum(confidence_sum) / sum(confidences), -1), 101
                        ) + 0.5
                    )::bigint
        end as avg_confidence
    from (
        -- one row per topic (kind 3), one per tone (5) and one per channel (6)
        select
            topic,
            tone,
            channel_id,
            grouping(topic, tone, channel_id) as kind,
            count(*) as total,
            count(confidence) as confidences,
            sum(confidence) as confidence_sum,
            count(*) filter (where topic = any(%(hotspot_topics)s::text[])) as risky
        from (
            select
                messages.topic::text collate "C" as topic,  -- noqa: RF03
                messages.channel_id::text collate "C" as channel_id,  -- noqa: RF03
                messages.confidence,
                case
                    -- as json, that text cannot hold: a NUL, half a surrogate
                    when
                        pg_typeof(messages.sentiment) <> 'jsonb'::regtype
                        and regexp_replace(
                            replace(messages.sentiment::text, '\\', ''),
                            '\\u[dD][89abAB]..\\u[dD][c-fC-F]..',
                            '',
                            'g'
                        ) ~ '\\u(0000|[dD][89a-fA-F])'
                        then null
                    else messages.sentiment ->> 'tone'
                end as tone
            from topic_classifications as messages
            where
                messages.organization_id = organizations.id
                and messages.created_at >= periods.period_start
                and messages.created_at < periods.period_end
        ) as messages
        group by grouping sets ((topic), (tone), (channel_id))
    ) as counts
) as trends on true
where organizations.id = any(%(organization_ids)s::uuid[]);
