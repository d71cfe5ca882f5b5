-- What only a single trend has: one row per trend of the range that can be read, of the
-- organization that is asked for.
-- reads: stored_trends
select
    stored_trends.trend_date::date as date,
    -- another writer's column may be numeric, with decimals
    stored_trends.avg_confidence::bigint as avg_confidence,
    (
        -- what it has besides is not sent: Python may fail to take it in
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'channelId', hotspots.entry -> 'channelId',
                        'riskScore', hotspots.entry -> 'riskScore',
                        'messageCount', hotspots.entry -> 'messageCount'
                    ) order by hotspots.position
                ),
                '[]'
            )
        from
            jsonb_array_elements(stored_trends.channel_hotspots)
            with ordinality as hotspots (entry, position)
    ) as channel_hotspots
from stored_trends
where stored_trends.readable;
