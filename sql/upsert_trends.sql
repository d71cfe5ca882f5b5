-- Stores aggregated rows in communication_trends. One row per organization and period
-- that came in, with what became of it:
--   unknown    the target has no such organization: nothing is written
--   unchanged  the same trend is stored already: nothing is written
--   kept       the stored trend was made from more than is left: nothing is written
--   filled     no trend was stored
--   corrected  another trend was stored
with
-- as sql/aggregate_trends.sql returned them
incoming_trends as materialized (
    select
        incoming.organization_id,
        incoming.period_start,
        incoming.topic_distribution::jsonb as topic_distribution,
        incoming.sentiment_distribution::jsonb as sentiment_distribution,
        incoming.escalation_counts::jsonb as escalation_counts,
        incoming.channel_hotspots::jsonb as channel_hotspots,
        incoming.total_classifications,
        incoming.avg_confidence
    from
        jsonb_to_recordset(%(trends)s::jsonb)
            as incoming (
                organization_id uuid,
                period_start timestamp,
                topic_distribution text,
                sentiment_distribution text,
                escalation_counts text,
                channel_hotspots text,
                total_classifications bigint,
                avg_confidence bigint
            )
),

-- beside what is stored
compared_trends as materialized (
    select
        incoming_trends.*,
        organizations.id is not null as is_known,
        stored.organization_id is not null as is_stored,
        stored.total_classifications as stored_classifications,
        stored.topic_distribution = incoming_trends.topic_distribution
        and stored.sentiment_distribution = incoming_trends.sentiment_distribution
        and stored.escalation_counts = incoming_trends.escalation_counts
        and stored.channel_hotspots = incoming_trends.channel_hotspots
        and stored.total_classifications = incoming_trends.total_classifications
        and not (
            stored.avg_confidence is distinct from incoming_trends.avg_confidence
        ) as is_same,
        stored.sentiment_distribution as stored_sentiments,
        stored.escalation_counts as stored_escalations,
        stored.avg_confidence as stored_confidence
    from incoming_trends
    left join organizations
        on incoming_trends.organization_id = organizations.id
    left join communication_trends as stored
        on
            incoming_trends.organization_id = stored.organization_id
            and incoming_trends.period_start = stored.trend_date
            and stored.trend_period = %(trend_period)s::text
),

judged_trends as materialized (
    select
        compared_trends.*,
        case
            when not compared_trends.is_known then 'unknown'
            when not compared_trends.is_stored then 'filled'
            when compared_trends.is_same then 'unchanged'
            when %(force)s::boolean then 'corrected'
            -- the guard: less of anything means that source rows have been purged;
            -- down here, since most trends are the same, and counting takes longer
            when
                compared_trends.total_classifications
                < compared_trends.stored_classifications
                or (
                    compared_trends.avg_confidence is null
                    and compared_trends.stored_confidence is not null
                )
                or exists (
                    select 1
                    from (
                        values
                        (
                            compared_trends.escalation_counts,
                            compared_trends.stored_escalations
                        ),
                        (
                            compared_trends.sentiment_distribution,
                            compared_trends.stored_sentiments
                        )
                    ) as counted (now_found, once_found)
                    where (
                        select coalesce(sum(entries.amount::numeric), 0)
                        from jsonb_path_query(
                            counted.now_found, '$.* ? (@.type() == "number")'
                        ) as entries (amount)
                    ) < (
                        select coalesce(sum(entries.amount::numeric), 0)
                        from jsonb_path_query(
                            counted.once_found, '$.* ? (@.type() == "number")'
                        ) as entries (amount)
                    )
                )
                then 'kept'
            else 'corrected'
        end as outcome
    from compared_trends
),

-- only what differs, so that a run that finds all as it was leaves no dead rows
written_trends as (
    insert into communication_trends (
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
        period_start as trend_date,
        %(trend_period)s::text as trend_period,
        topic_distribution,
        sentiment_distribution,
        escalation_counts,
        channel_hotspots,
        total_classifications,
        avg_confidence
    from judged_trends
    where outcome in ('filled', 'corrected')
    -- always in the same order: two runs at once wait, they do not deadlock
    order by
        organization_id,
        period_start
    on conflict (organization_id, trend_date, trend_period) do update
        set
            topic_distribution = excluded.topic_distribution,
            sentiment_distribution = excluded.sentiment_distribution,
            escalation_counts = excluded.escalation_counts,
            channel_hotspots = excluded.channel_hotspots,
            total_classifications = excluded.total_classifications,
            avg_confidence = excluded.avg_confidence
)

select
    organization_id::text as organization_id,
    period_start,
    outcome,
    stored_classifications
from judged_trends;
