-- A view: one row per readable and final trend of either range that has one of the
-- other range to be compared with.
-- reads: stored_trends
select paired.*
from (
    select
        dated.*,
        count(*) over (partition by dated.organization_id, dated.day) as sides
    from (
        select
            stored_trends.organization_id,
            stored_trends.trend_date >= %(first_day)s::timestamp as is_current,
            case
                when stored_trends.trend_date >= %(first_day)s::timestamp
                    then stored_trends.trend_date
                else stored_trends.trend_date + %(shift)s::interval
            end as day,
            stored_trends.topic_distribution,
            stored_trends.sentiment_distribution,
            stored_trends.channel_hotspots
        from stored_trends
        where
            stored_trends.readable
            and stored_trends.is_final
            and stored_trends.trend_date <= %(last_due)s::timestamp
    ) as dated
) as paired
where paired.sides = 2;
