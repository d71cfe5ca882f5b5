-- Stores aggregated rows in communication_trends. One row per organization and period
-- that came in, with what became of it; of the first three nothing is written:
--   unknown    the target has no such organization
--   unchanged  the same trend is stored already
--   kept       the stored trend was made from more than is left
--   filled     no trend was stored
--   corrected  another trend was stored
with
trends as materialized (
    select incoming.*
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

compared as materialized (
    select
        trends.*,
        organizations.id is not null as is_known,
        stored.organization_id is not null as is_stored,
        stored.total_classifications as stored_classifications,
        stored.topic_distribution = trends.topic_distribution::jsonb
        and stored.sentiment_distribution = trends.sentiment_distribution::jsonb
        and stored.escalation_counts = trends.escalation_counts::jsonb
        and stored.channel_hotspots = trends.channel_hotspots::jsonb
        and stored.total_classifications = trends.total_classifications
        and not (
            stored.avg_confidence is distinct from trends.avg_confidence
        ) as is_same,
        stored.sentiment_distribution as stored_sentiments,
        stored.escalation_counts as stored_escalations,
        stored.avg_confidence as stored_confidence
    from trends
    left join organizations
        on trends.organization_id = organizations.id
    left join communication_trends as stored
        on
            trends.organization_id = stored.organization_id
            and trends.period_start = stored.trend_date
            and stored.trend_period = %(trend_period)s::text
),

judged_trends as materialized (
    select
        compared.*,
        case
            when not compared.is_known then 'unknown'
            when not compared.is_stored then 'filled'
            when compared.is_same then 'unchanged'
            when %(force)s::boolean then 'corrected'
            -- the guard: less of anything
            when
                compared.total_classifications
                < compared.stored_classifications
                or (
                    compared.avg_confidence is null
                    and compared.stored_confidence is not null
                )
                or exists (
                    select 1
                    from (
                        values
                        (
                            compared.escalation_counts::jsonb,
                            compared.stored_escalations
                        ),
                        (
                            compared.sentiment_distribution::jsonb,
                            compared.stored_sentiments
                        )
                    ) as counted (now, once)
                    where (
                        select coalesce(sum(entries.amount::numeric), 0)
                        from jsonb_path_query(
                            counted.now, '$.* ? (@.type() == "number")'
                        ) as entries (amount)
                    ) < (
                        select coalesce(sum(entries.amount::numeric), 0)
                        from jsonb_path_query(
                            counted.once, '$.* ? (@.type() == "number")'
                        ) as entries (amount)
                    )
                )
                then 'kept'
            else 'corrected'
        end as outcome
    from compared
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
        topic_distribution::jsonb,
        sentiment_distribution::jsonb,
        escalation_counts::jsonb,
        channel_hotspots::jsonb,
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
