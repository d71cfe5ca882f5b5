-- One page of the channels that were hotspots in a period of the range: of one
-- organization, or of all where none is given, the riskiest first.
-- reads: existence, stored_trends
with
-- one row per channel; its score weighs each hot period by its messages. Its periods
-- are counted as bits, since another writer may have stored it twice in one; read by
-- several processes where PostgreSQL can
channels as (
    select
        stored_trends.organization_id,
        hotspots.channel_id,
        sum(hotspots.risk_score * hotspots.message_count) as risk,
        max(hotspots.risk_score) as peak_risk_score,
        sum(hotspots.message_count) as message_count,
        bit_count(
            bit_or(
                set_bit(
                    repeat(
                        '0', %(last_day)s::date - %(first_day)s::date + 1
                    )::bit varying,
                    stored_trends.trend_date::date - %(first_day)s::date,
                    1
                )
            )
        ) as days_hot,
        max(stored_trends.trend_date) as last_hot_day
    from stored_trends
    cross join
        lateral (
            select
                entries.entry ->> 'channelId' as channel_id,
                trunc((entries.entry ->> 'riskScore')::numeric)::bigint as risk_score,
                trunc((entries.entry ->> 'messageCount')::numeric)::bigint
                    as message_count
            from jsonb_array_elements(stored_trends.channel_hotspots)
                as entries (entry)
        ) as hotspots
    where
        stored_trends.channel_hotspots <> '[]'
        and stored_trends.readable
    group by
        stored_trends.organization_id,
        hotspots.channel_id
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
