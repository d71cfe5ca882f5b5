-- The hotspots of some organizations in two ranges: one row per channel, with how often
-- it was one in each. Counted are readable and final trends that both ranges have.
-- reads: matched_trends
select
    matched_trends.organization_id::text as organization_id,
    hotspots.entry ->> 'channelId' as channel_id,
    -- distinct: another writer may have stored a channel twice
    count(distinct matched_trends.day) filter (where matched_trends.is_current)
        as days_hot,
    count(distinct matched_trends.day) filter (where not matched_trends.is_current)
        as previous_days_hot
from matched_trends
cross join
    jsonb_array_elements(matched_trends.channel_hotspots) as hotspots (entry)
where matched_trends.organization_id = any(%(organization_ids)s::uuid[])
group by matched_trends.organization_id, hotspots.entry ->> 'channelId'
order by
    count(distinct matched_trends.day) filter (where matched_trends.is_current)
    - count(distinct matched_trends.day) filter (where not matched_trends.is_current)
    desc,
    count(*) desc,
    hotspots.entry ->> 'channelId' asc;
