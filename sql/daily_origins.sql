-- One row per stored daily trend within a longer period: how many messages and alerts
-- it was made from, how many messages its hotspots have, by channel, and whether it was
-- incomplete though its day had ended.
select
    stored.organization_id::text as organization_id,
    stored.trend_date::timestamp as period_start,
    coalesce(
        provenance.messages,
        -- not what is no count: a numeric column may hold NaN
        case
            when
                stored.total_classifications between 0 and 1e18
                then stored.total_classifications
        end,
        0
    ) as messages,
    coalesce(
        provenance.messages_with_tone,
        (
            select sum(entries.numbers[1]::numeric)
            from
                regexp_matches(
                    stored.sentiment_distribution #>> '{}', %(numbers)s::text, 'g'
                ) as entries (numbers)
        ),
        0
    ) as messages_with_tone,
    coalesce(
        provenance.messages_with_confidence,
        (stored.avg_confidence is not null)::integer
    ) as messages_with_confidence,
    coalesce(
        provenance.alerts,
        (
            select sum(entries.numbers[1]::numeric)
            from
                regexp_matches(
                    stored.escalation_counts #>> '{}', %(numbers)s::text, 'g'
                ) as entries (numbers)
        ),
        0
    ) as alerts,
    case
        when stored.channel_hotspots <> '[]'
            then (
                select
                    jsonb_object_agg(
                        hotspots.entry ->> 'channelId',
                        (hotspots.entry ->> 'messageCount')::numeric
                    )
                from
                    jsonb_path_query(
                        stored.channel_hotspots,
                        '$[*] ? (@.channelId.type() == "string")'
                    ) as hotspots (entry)
                where
                    hotspots.entry ->> 'messageCount' ~ '^[0-9]{1,18}([.][0-9]+)?$'
                    -- more than the trend has: not counted by anyone
                    and (hotspots.entry ->> 'messageCount')::numeric
                    <= coalesce(provenance.messages, stored.total_classifications)
            )
    end as channels,
    coalesce(
        not provenance.is_final
        and provenance.computed_at >= stored.trend_date + interval '1 day',
        false
    ) as is_incomplete
from communication_trends as stored
left join communication_trends_provenance as provenance
    on
        stored.organization_id = provenance.organization_id
        and stored.trend_date = provenance.trend_date
        and stored.trend_period = provenance.trend_period
where
    stored.organization_id = any(%(organization_ids)s::uuid[])
    and stored.trend_period = 'daily'
    and stored.trend_date >= %(period_start)s::timestamp
    and stored.trend_date < %(period_end)s::timestamp
    -- not those of another writer that begin elsewhere
    and stored.trend_date = date_trunc('day', stored.trend_date)
order by stored.trend_date;
