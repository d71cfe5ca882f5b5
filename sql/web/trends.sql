-- One organization: one row per day of the range, from the first to the last, with
-- the day's trend, or with nulls where none is stored. No row: no such organization.
select
    organizations.id::text as organization_id,
    organizations.name,
    organizations.slug,
    days.day::date as date,
    communication_trends.id is null as missing,
    communication_trends.topic_distribution,
    communication_trends.sentiment_distribution,
    communication_trends.escalation_counts,
    communication_trends.channel_hotspots,
    coalesce(communication_trends.total_classifications, 0)
        as total_classifications,
    communication_trends.avg_confidence
from organizations
cross join
    generate_series(
        %(first_day)s::timestamp,
        %(last_day)s::timestamp,
        interval '1 day'
    ) as days (day)
left join communication_trends
    on
        organizations.id = communication_trends.organization_id
        and days.day = communication_trends.trend_date
        and communication_trends.trend_period = 'daily'
        -- said again for the index: the join alone would read every day there is
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
where
    organizations.id::text = lower(%(organization)s::text)
    or organizations.slug = %(organization)s::text
order by
    -- an id comes before another organization's slug that reads the same
    (organizations.id::text = lower(%(organization)s::text)) desc,
    organizations.id asc,
    days.day asc;
