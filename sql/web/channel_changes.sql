-- The hotspots of some organizations in two ranges: one row per channel, with how often
-- it was one in each. Counted are readable and final trends.
-- reads: stored_trends
select
    stored_trends.organization_id::text as organization_id,
    hotspots.entry ->> 'channelId' as channel_id,
    count(*) filter (where stored_trends.trend_date >= %(first_day)s::timestamp)
        as days_hot,
    count(*) filter (where stored_trends.trend_date < %(first_day)s::timestamp)
        as previous_days_hot
from stored_trends
cross join
    jsonb_array_elements(stored_trends.channel_hotspots) as hotspots (entry)
where
    stored_trends.organization_id = any(%(organization_ids)s::uuid[])
    and stored_trends.channel_hotspots <> '[]'
    and stored_trends.readable
    and stored_trends.is_final
group by stored_trends.organization_id, hotspots.entry ->> 'channelId'
order by
    count(*) filter (where stored_trends.trend_date >= %(first_day)s::timestamp)
    - count(*) filter (where stored_trends.trend_date < %(first_day)s::timestamp) desc,
    count(*) desc,
    hotspots.entry ->> 'channelId' asc;
