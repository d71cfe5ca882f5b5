-- The hotspots of some organizations in two ranges: one row per channel, with how often
-- it was one in each. Counted are readable and final trends that both ranges have.
-- reads: stored_trends
with
-- one row per trend, with the period of the range that it is of or is compared with
dated_trends as (
    select
        stored_trends.organization_id,
        stored_trends.channel_hotspots,
        stored_trends.trend_date >= %(first_day)s::timestamp as is_current,
        case
            when stored_trends.trend_date >= %(first_day)s::timestamp
                then stored_trends.trend_date
            else stored_trends.trend_date + %(shift)s::interval
        end as day
    from stored_trends
    where
        stored_trends.organization_id = any(%(organization_ids)s::uuid[])
        and stored_trends.readable
        and stored_trends.is_final
),

-- one row per trend, with how many of the two sides there are
paired_trends as (
    select
        dated_trends.*,
        count(*) over (
            partition by dated_trends.organization_id, dated_trends.day
        ) as sides
    from dated_trends
    where dated_trends.day <= %(last_due)s::timestamp
)

select
    paired_trends.organization_id::text as organization_id,
    hotspots.entry ->> 'channelId' as channel_id,
    count(*) filter (where paired_trends.is_current) as days_hot,
    count(*) filter (where not paired_trends.is_current) as previous_days_hot
from paired_trends
cross join
    jsonb_array_elements(paired_trends.channel_hotspots) as hotspots (entry)
where paired_trends.sides = 2
group by paired_trends.organization_id, hotspots.entry ->> 'channelId'
order by
    count(*) filter (where paired_trends.is_current)
    - count(*) filter (where not paired_trends.is_current) desc,
    count(*) desc,
    hotspots.entry ->> 'channelId' asc;
