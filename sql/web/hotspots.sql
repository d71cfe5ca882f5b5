-- One page of the channels that ran hot on a day of the range, the riskiest first: of
-- one organization, or of all where none is given.
with
-- one row per channel and day
hot_days as (
    select
        communication_trends.organization_id,
        communication_trends.trend_date,
        hotspots.entry ->> 'channelId' as channel_id,
        (hotspots.entry ->> 'riskScore')::numeric as risk_score,
        (hotspots.entry ->> 'messageCount')::numeric as message_count
    from communication_trends
    cross join
        jsonb_path_query(
            communication_trends.channel_hotspots,
            '$[*] ? (@.channelId.type() == "string"
                && @.riskScore.type() == "number"
                && @.messageCount.type() == "number")'
        ) as hotspots (entry)
    where
        communication_trends.trend_period = 'daily'
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
        and (
            %(organization_id)s::uuid is null
            or communication_trends.organization_id = %(organization_id)s::uuid
        )
),

-- one row per channel; its score weighs each hot day by its messages
channels as (
    select
        hot_days.organization_id,
        hot_days.channel_id,
        floor(
            sum(hot_days.risk_score * hot_days.message_count)
            / nullif(sum(hot_days.message_count), 0)
            + 0.5
        ) as risk_score,
        max(hot_days.risk_score) as peak_risk_score,
        sum(hot_days.message_count) as message_count,
        count(*) as days_hot,
        max(hot_days.trend_date) as last_hot_day
    from hot_days
    group by hot_days.organization_id, hot_days.channel_id
)

select
    organizations.id::text as organization_id,
    organizations.name,
    organizations.slug,
    channels.channel_id,
    channels.risk_score::bigint as risk_score,
    channels.peak_risk_score::bigint as peak_risk_score,
    channels.message_count::bigint as message_count,
    channels.days_hot,
    channels.last_hot_day::date as last_hot_day,
    count(*) over () as total_entries
from channels
inner join organizations on channels.organization_id = organizations.id
order by
    channels.risk_score desc,
    channels.message_count desc,
    organizations.slug asc,
    channels.channel_id collate "C" asc  -- noqa: RF02
limit %(limit)s::integer offset %(offset)s::integer;
