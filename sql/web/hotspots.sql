-- One page of the channels that were hotspots in a period of the range: of one
-- organization, or of all where none is given, the riskiest first.
-- reads: existence, stored_trends
with
-- one row per channel and period, which another writer may have stored twice; read by
-- several processes where PostgreSQL can
hot_periods as (
    select
        stored_trends.organization_id,
        stored_trends.trend_date,
        hotspots.entry ->> 'channelId' as channel_id,
        max(trunc((hotspots.entry ->> 'riskScore')::numeric)) as peak_risk_score,
        sum(trunc((hotspots.entry ->> 'messageCount')::numeric)) as message_count,
        sum(
            trunc((hotspots.entry ->> 'riskScore')::numeric)
            * trunc((hotspots.entry ->> 'messageCount')::numeric)
        ) as risk
    from stored_trends
    cross join
        jsonb_array_elements(stored_trends.channel_hotspots) as hotspots (entry)
    where
        stored_trends.channel_hotspots <> '[]'
        and stored_trends.readable
    group by
        stored_trends.organization_id,
        stored_trends.trend_date,
        hotspots.entry ->> 'channelId'
),

-- one row per channel; its score weighs each hot period by its messages
channels as (
    select
        hot_periods.organization_id,
        hot_periods.channel_id,
        sum(hot_periods.risk) as risk,
        max(hot_periods.peak_risk_score) as peak_risk_score,
        sum(hot_periods.message_count) as message_count,
        count(*) as days_hot,
        max(hot_periods.trend_date) as last_hot_day
    from hot_periods
    group by hot_periods.organization_id, hot_periods.channel_id
),

-- one row per channel of the page
page as (
    select
        existence.id::text as organization_id,
        existence.name,
        existence.slug,
        channels.channel_id,
        channels.risk::bigint as risk,
        channels.peak_risk_score::bigint as peak_risk_score,
        channels.message_count::bigint as message_count,
        channels.days_hot,
        channels.last_hot_day::date as last_hot_day,
        row_number() over (
            order by
                channels.risk / nullif(channels.message_count, 0) desc nulls last,
                channels.message_count desc,
                existence.slug asc,
                channels.channel_id collate "C" asc  -- noqa: RF02
        ) as rank
    from channels
    inner join existence on channels.organization_id = existence.id
    order by rank
    limit %(limit)s::integer offset %(offset)s::integer
)

select
    page.*,
    counted.total_entries
from (select count(*) as total_entries from channels) as counted
left join page on true
order by page.rank;
