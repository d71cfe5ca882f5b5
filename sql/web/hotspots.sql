-- One page of the channels that ran hot in a period of the range, the riskiest first:
-- of one organization, or of all where none is given.
with
-- one row per channel and period; read by several processes where PostgreSQL can
hot_periods as (
    select
        communication_trends.organization_id,
        communication_trends.trend_date,
        hotspots.entry ->> 'channelId' as channel_id,
        trunc((hotspots.entry ->> 'riskScore')::numeric) as risk_score,
        trunc((hotspots.entry ->> 'messageCount')::numeric) as message_count
    from communication_trends
    cross join
        jsonb_array_elements(communication_trends.channel_hotspots)
            as hotspots (entry)
    where
        communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
        and communication_trends.channel_hotspots is distinct from '[]'
        and (
            %(organization_id)s::uuid is null
            or communication_trends.organization_id = %(organization_id)s::uuid
        )
        -- what cannot be read is filtered out before anything is computed of it
        and not communication_trends.topic_distribution @@ %(broken_counts)s::jsonpath
        and not communication_trends.sentiment_distribution
        @@ %(broken_counts)s::jsonpath
        and not communication_trends.escalation_counts @@ %(broken_counts)s::jsonpath
        and not communication_trends.channel_hotspots @@ %(broken_hotspots)s::jsonpath
        and communication_trends.total_classifications >= 0
        and coalesce(communication_trends.avg_confidence, 0) between 0 and 100
),

-- one row per channel; its score weighs each hot period by its messages
channels as (
    select
        hot_periods.organization_id,
        hot_periods.channel_id,
        floor(
            sum(hot_periods.risk_score * hot_periods.message_count)
            / nullif(sum(hot_periods.message_count), 0)
            + 0.5
        ) as risk_score,
        max(hot_periods.risk_score) as peak_risk_score,
        sum(hot_periods.message_count) as message_count,
        count(*) as days_hot,
        max(hot_periods.trend_date) as last_hot_day
    from hot_periods
    group by hot_periods.organization_id, hot_periods.channel_id
),

-- one row per channel of the page
page as (
    select
        organizations.id::text as organization_id,
        coalesce(
            organizations.name::text,
            organizations.slug::text,
            organizations.id::text
        ) as name,
        coalesce(organizations.slug::text, organizations.id::text) as slug,
        channels.channel_id,
        channels.risk_score::bigint as risk_score,
        channels.peak_risk_score::bigint as peak_risk_score,
        channels.message_count::bigint as message_count,
        channels.days_hot,
        channels.last_hot_day::date as last_hot_day,
        row_number() over (
            order by
                channels.risk_score desc nulls last,
                channels.message_count desc,
                organizations.slug asc,
                channels.channel_id collate "C" asc  -- noqa: RF02
        ) as rank
    from channels
    inner join organizations on channels.organization_id = organizations.id
    order by rank
    limit %(limit)s::integer offset %(offset)s::integer
)

select
    page.organization_id,
    page.name,
    page.slug,
    page.channel_id,
    page.risk_score,
    page.peak_risk_score,
    page.message_count,
    page.days_hot,
    page.last_hot_day,
    counted.total_entries
from (select count(*) as total_entries from channels) as counted
left join page on true
order by page.rank;
