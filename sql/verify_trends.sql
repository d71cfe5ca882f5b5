-- One row per trend just stored that is not what was computed: which columns differ, or
-- that no row is there; so too for its provenance. A trigger or a rule of the
-- application may have changed it.
select
    incoming.organization_id::text as organization_id,
    incoming.period_start,
    stored.organization_id is null as is_missing,
    differences.columns as different_columns
from (
    select listed.*
    from
        jsonb_to_recordset(%(trends)s::jsonb)
            as listed (
                organization_id uuid,
                period_start timestamp,
                topic_distribution text,
                sentiment_distribution text,
                escalation_counts text,
                channel_hotspots text,
                -- what is left as another writer has stored it may have decimals
                total_classifications numeric,
                avg_confidence numeric,
                messages bigint,
                messages_with_tone bigint,
                messages_with_confidence bigint,
                alerts bigint,
                is_partial boolean,
                becomes_final boolean
            )
    -- all of them: as of upsert_trends.sql
    limit %(trend_count)s::integer  -- noqa: AM09
) as incoming
left join communication_trends as stored
    on
        incoming.organization_id = stored.organization_id
        and incoming.period_start = stored.trend_date
        and stored.trend_period = %(trend_period)s::text
left join communication_trends_provenance as provenance
    on
        incoming.organization_id = provenance.organization_id
        and incoming.period_start = provenance.trend_date
        and provenance.trend_period = %(trend_period)s::text
inner join lateral (  -- noqa: ST05
    select
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
                    is not distinct from incoming.channel_hotspots::jsonb
                    then null
                -- the same in another order, which was left as it is
                when
                    stored.channel_hotspots @> incoming.channel_hotspots::jsonb
                    and incoming.channel_hotspots::jsonb @> stored.channel_hotspots
                    and jsonb_array_length(stored.channel_hotspots)
                    = jsonb_array_length(incoming.channel_hotspots::jsonb)
                    then null
                else 'channel_hotspots'
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
            end,
            case
                when provenance.organization_id is null then 'provenance'
                when
                    provenance.messages
                    is distinct from case
                        when incoming.is_partial then incoming.messages
                        else incoming.total_classifications
                    end
                    then 'provenance.messages'
                when
                    provenance.messages_with_tone
                    is distinct from incoming.messages_with_tone
                    then 'provenance.messages_with_tone'
                when
                    provenance.messages_with_confidence
                    is distinct from incoming.messages_with_confidence
                    then 'provenance.messages_with_confidence'
                when provenance.alerts is distinct from incoming.alerts
                    then 'provenance.alerts'
                when
                    incoming.is_partial is null
                    and (
                        provenance.computed_at
                        is distinct from %(computed_at)s::timestamptz
                        or provenance.hotspot_rule
                        is distinct from %(hotspot_rule)s::jsonb
                    )
                    then 'provenance.computed_at or hotspot_rule'
                when
                    incoming.becomes_final is not null
                    and provenance.is_final is distinct from incoming.becomes_final
                    then 'provenance.is_final'
            end
        ) as columns
) as differences on true
where stored.organization_id is null or differences.columns <> '';
