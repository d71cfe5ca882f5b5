-- All organizations together: one row per day of the range, with the sums of the
-- day's trends, or with nulls where no organization has one.
with
-- one row per organization and day
stored_trends as materialized (
    select
        communication_trends.trend_date,
        communication_trends.topic_distribution,
        communication_trends.sentiment_distribution,
        communication_trends.escalation_counts,
        communication_trends.channel_hotspots,
        coalesce(communication_trends.total_classifications, 0)
            as total_classifications,
        communication_trends.avg_confidence
    from communication_trends
    where
        communication_trends.trend_period = 'daily'
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
),

-- one row per organization, day, distribution and key
entries as (
    select
        stored_trends.trend_date,
        'topics' as distribution,
        topics.name,
        topics.value
    from stored_trends
    cross join
        jsonb_each(stored_trends.topic_distribution) as topics (name, value)
    union all
    select
        stored_trends.trend_date,
        'tones' as distribution,
        tones.name,
        tones.value
    from stored_trends
    cross join
        jsonb_each(stored_trends.sentiment_distribution) as tones (name, value)
    union all
    select
        stored_trends.trend_date,
        'escalations' as distribution,
        severities.name,
        severities.value
    from stored_trends
    cross join
        jsonb_each(stored_trends.escalation_counts) as severities (name, value)
),

-- one row per day, distribution and key
counts as (
    select
        entries.trend_date,
        entries.distribution,
        entries.name,
        sum(entries.value::numeric) as total
    from entries
    where jsonb_typeof(entries.value) = 'number'
    group by
        entries.trend_date,
        entries.distribution,
        entries.name
),

-- one row per day
distributions as (
    select
        counts.trend_date,
        jsonb_object_agg(counts.name, counts.total)
        filter (where counts.distribution = 'topics') as topic_distribution,
        jsonb_object_agg(counts.name, counts.total)
        filter (where counts.distribution = 'tones') as sentiment_distribution,
        jsonb_object_agg(counts.name, counts.total)
        filter (where counts.distribution = 'escalations') as escalation_counts
    from counts
    group by counts.trend_date
),

-- one row per day; the mean weighs each organization by its messages
totals as (
    select
        stored_trends.trend_date,
        count(*) as organizations_stored,
        sum(stored_trends.total_classifications) as total_classifications,
        sum(jsonb_array_length(stored_trends.channel_hotspots))
            as hotspot_count,
        floor(
            sum(
                stored_trends.avg_confidence::numeric
                * stored_trends.total_classifications
            )
            / nullif(
                sum(stored_trends.total_classifications)
                filter (where stored_trends.avg_confidence is not null),
                0
            )
            + 0.5
        ) as avg_confidence
    from stored_trends
    group by stored_trends.trend_date
)

select
    days.day::date as date,
    totals.trend_date is null as missing,
    distributions.topic_distribution,
    distributions.sentiment_distribution,
    distributions.escalation_counts,
    coalesce(totals.total_classifications, 0)::bigint as total_classifications,
    totals.avg_confidence::bigint as avg_confidence,
    coalesce(totals.hotspot_count, 0)::bigint as hotspot_count,
    coalesce(totals.organizations_stored, 0) as organizations_stored,
    (select count(*) from organizations) as organizations_total
from
    generate_series(
        %(first_day)s::timestamp,
        %(last_day)s::timestamp,
        interval '1 day'
    ) as days (day)
left join totals on days.day = totals.trend_date
left join distributions on days.day = distributions.trend_date
order by days.day;
