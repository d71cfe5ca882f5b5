-- Aggregated rows into communication_trends; returns one row per organization that
-- still exists: what is stored now, or that the stored row was kept.
with
-- one row per organization, as sql/aggregate_trends.sql returned it
incoming_trends as (
    select incoming.*
    from
        jsonb_to_recordset(%(trends)s::jsonb)
            as incoming (
                organization_id uuid,
                topic_distribution jsonb,
                sentiment_distribution jsonb,
                escalation_counts jsonb,
                channel_hotspots jsonb,
                total_classifications bigint,
                avg_confidence bigint
            )
    -- deleted since it was listed: no row to write and no error either
    inner join organizations
        on incoming.organization_id = organizations.id
),

-- one row per trend written
written_trends as (
    insert into communication_trends as stored (
        id,
        organization_id,
        trend_date,
        trend_period,
        topic_distribution,
        sentiment_distribution,
        escalation_counts,
        channel_hotspots,
        total_classifications,
        avg_confidence
    )
    select
        gen_random_uuid() as id,
        organization_id,
        %(day_start)s::timestamp as trend_date,
        'daily' as trend_period,
        topic_distribution,
        sentiment_distribution,
        escalation_counts,
        channel_hotspots,
        total_classifications,
        avg_confidence
    from incoming_trends
    -- always in the same order: two runs at once wait, they do not deadlock
    order by organization_id
    on conflict (organization_id, trend_date, trend_period) do update
        set
            topic_distribution = excluded.topic_distribution,
            sentiment_distribution = excluded.sentiment_distribution,
            escalation_counts = excluded.escalation_counts,
            channel_hotspots = excluded.channel_hotspots,
            total_classifications = excluded.total_classifications,
            avg_confidence = excluded.avg_confidence
        where
        %(force)s::boolean
        -- the guard: fewer messages or alerts than stored means that source rows
        -- have been purged since
        or (
            excluded.total_classifications
            >= coalesce(stored.total_classifications, 0)
            and (
                select coalesce(sum(alert_count::numeric), 0)
                from jsonb_path_query(
                    excluded.escalation_counts,  -- noqa: RF01
                    '$.* ? (@.type() == "number")'
                ) as alert_count
            ) >= (
                select coalesce(sum(alert_count::numeric), 0)
                from jsonb_path_query(
                    stored.escalation_counts,  -- noqa: RF01
                    '$.* ? (@.type() == "number")'
                ) as alert_count
            )
        )
    returning
        stored.organization_id,
        stored.total_classifications,
        (
            select coalesce(sum(topics.value::bigint), 0)
            from jsonb_each_text(stored.topic_distribution) as topics  -- noqa: RF01
        ) as topics_total
)

select
    incoming_trends.organization_id::text as organization_id,
    incoming_trends.total_classifications as found_classifications,
    written_trends.organization_id is null as kept,
    written_trends.total_classifications as stored_classifications,
    written_trends.topics_total::bigint as topics_total
from incoming_trends
left join written_trends
    on incoming_trends.organization_id = written_trends.organization_id;
