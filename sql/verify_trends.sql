-- One row per trend just stored that is not what was computed: which columns differ, or
-- that no row is there. A trigger or a rule of the application may have changed it.
select
    incoming.organization_id::text as organization_id,
    incoming.period_start,
    stored.organization_id is null as missing,
    concat_ws(
        ', ',
        case
            when
                stored.topic_distribution
                is distinct from incoming.topic_distribution::jsonb
                then 'topic_distribution'
        end,
        case
            when
                stored.sentiment_distribution
                is distinct from incoming.sentiment_distribution::jsonb
                then 'sentiment_distribution'
        end,
        case
            when
                stored.escalation_counts
                is distinct from incoming.escalation_counts::jsonb
                then 'escalation_counts'
        end,
        case
            when
                stored.channel_hotspots
                is distinct from incoming.channel_hotspots::jsonb
                then 'channel_hotspots'
        end,
        case
            when
                stored.total_classifications
                is distinct from incoming.total_classifications
                then 'total_classifications'
        end,
        case
            when stored.avg_confidence is distinct from incoming.avg_confidence
                then 'avg_confidence'
        end
    ) as different_columns
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
left join communication_trends as stored
    on
        incoming.organization_id = stored.organization_id
        and incoming.period_start = stored.trend_date
        and stored.trend_period = %(trend_period)s::text
where
    stored.organization_id is null
    or stored.topic_distribution is distinct from incoming.topic_distribution::jsonb
    or stored.sentiment_distribution
    is distinct from incoming.sentiment_distribution::jsonb
    or stored.escalation_counts is distinct from incoming.escalation_counts::jsonb
    or stored.channel_hotspots is distinct from incoming.channel_hotspots::jsonb
    or stored.total_classifications
    is distinct from incoming.total_classifications
    or stored.avg_confidence is distinct from incoming.avg_confidence;
