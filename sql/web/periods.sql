-- Two weeks: one row per day of each that has a trend, summed over one organization,
-- or over all where none is given.
select
    communication_trends.trend_date::date as date,
    sum(coalesce(communication_trends.total_classifications, 0))::bigint
        as total_classifications,
    sum(
        (
            select
                coalesce(
                    sum((communication_trends.topic_distribution ->> risky)::numeric),
                    0
                )
            from unnest(%(hotspot_topics)s::text[]) as topics (risky)
            where
                jsonb_typeof(communication_trends.topic_distribution -> risky)
                = 'number'
        )
    )::bigint as risky_classifications,
    sum(
        (
            select coalesce(sum(severities.value::numeric), 0)
            from
                jsonb_each(communication_trends.escalation_counts)
                    as severities
            where jsonb_typeof(severities.value) = 'number'
        )
    )::bigint as escalations,
    sum(
        communication_trends.avg_confidence::numeric
        * communication_trends.total_classifications
    )::bigint as confidence_sum,
    sum(communication_trends.total_classifications)
    filter (where communication_trends.avg_confidence is not null)::bigint
        as confidence_weight
from communication_trends
where
    communication_trends.trend_period = 'daily'
    and (
        communication_trends.trend_date between
        %(first_day)s::timestamp and %(last_day)s::timestamp
        or communication_trends.trend_date between
        %(previous_first_day)s::timestamp and %(previous_last_day)s::timestamp
    )
    and (
        %(organization_id)s::uuid is null
        or communication_trends.organization_id = %(organization_id)s::uuid
    )
group by communication_trends.trend_date
order by communication_trends.trend_date;
