-- One row per organization: its trend of one day, week or month, the busiest first.
select
    organizations.name,
    communication_trends.total_classifications,
    communication_trends.topic_distribution,
    communication_trends.sentiment_distribution,
    communication_trends.escalation_counts,
    communication_trends.channel_hotspots,
    communication_trends.avg_confidence
from communication_trends
inner join organizations
    on communication_trends.organization_id = organizations.id
where
    communication_trends.trend_period = %(trend_period)s
    and communication_trends.trend_date = %(period_start)s::timestamp
order by
    communication_trends.total_classifications desc,
    organizations.slug asc;
