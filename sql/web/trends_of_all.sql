-- All organizations together: one row per period of the range, with the sums of its
-- readable trends, or with nulls where there is none.
with
-- one row per organization and period
stored_trends as materialized (
    select
        communication_trends.trend_date,
        communication_trends.topic_distribution,
        communication_trends.sentiment_distribution,
        communication_trends.escalation_counts,
        communication_trends.channel_hotspots,
        communication_trends.total_classifications,
        communication_trends.avg_confidence,
        coalesce(
            not communication_trends.topic_distribution
            @@ %(broken_counts)s::jsonpath
            and not communication_trends.sentiment_distribution
            @@ %(broken_counts)s::jsonpath
            and not communication_trends.escalation_counts
            @@ %(broken_counts)s::jsonpath
            and not communication_trends.channel_hotspots
            @@ %(broken_hotspots)s::jsonpath
            and communication_trends.total_classifications >= 0
            and coalesce(communication_trends.avg_confidence, 0) between 0 and 100,
            false
        ) as readable
    from communication_trends
    where
        communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
),

-- one row per organization, period, distribution and key
entries as (
    select
        stored_trends.trend_date,
        'topics' as distribution,
        topics.name,
        topics.value
    from stored_trends
    cross join
        jsonb_each(stored_trends.topic_distribution) as topics (name, value)
    where stored_trends.readable
    union all
    select
        stored_trends.trend_date,
        'tones' as distribution,
        tones.name,
        tones.value
    from stored_trends
    cross join
        jsonb_each(stored_trends.sentiment_distribution) as tones (name, value)
    where stored_trends.readable
    union all
    select
        stored_trends.trend_date,
        'escalations' as distribution,
        severities.name,
        severities.value
    from stored_trends
    cross join
        jsonb_each(stored_trends.escalation_counts) as severities (name, value)
    where stored_trends.readable
),

-- one row per period, distribution and key
counts as (
    select
        entries.trend_date,
        entries.distribution,
        entries.name,
        sum(trunc(entries.value::numeric)) as total
    from entries
    group by
        entries.trend_date,
        entries.distribution,
        entries.name
),

-- one row per period
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

-- one row per period; the mean weighs each organization by its messages
totals as (
    select
        stored_trends.trend_date,
        count(*) filter (where stored_trends.readable) as organizations_stored,
        count(*) filter (where not stored_trends.readable)
            as organizations_unreadable,
        sum(stored_trends.total_classifications)
        filter (where stored_trends.readable) as total_classifications,
        sum(
            case
                when stored_trends.readable
                    then jsonb_array_length(stored_trends.channel_hotspots)
            end
        ) as hotspot_count,
        floor(
            sum(
                stored_trends.avg_confidence::numeric
                * stored_trends.total_classifications
            ) filter (where stored_trends.readable)
            / nullif(
                sum(stored_trends.total_classifications)
                filter (
                    where
                    stored_trends.readable
                    and stored_trends.avg_confidence is not null
                ),
                0
            )
            + 0.5
        ) as avg_confidence
    from stored_trends
    group by stored_trends.trend_date
),

-- one row per moment from which organizations exist: by their first trend, where
-- that is older than they are
beginnings as (
    select
        least(
            coalesce(organizations.created_at::timestamp, '-infinity'),
            case
                when organizations.created_at::timestamp > %(first_day)s::timestamp
                    then (
                        select min(communication_trends.trend_date)
                        from communication_trends
                        where
                            organizations.id = communication_trends.organization_id
                            and communication_trends.trend_period = %(period)s::text
                    )
            end
        ) as exists_from,
        count(*) as organizations
    from organizations
    group by exists_from
),

-- one row per period
expected as (
    select
        periods.first_day,
        coalesce(sum(beginnings.organizations), 0) as organizations_existing
    from
        generate_series(
            %(first_day)s::timestamp,
            %(last_day)s::timestamp,
            %(step)s::interval
        ) as periods (first_day)
    left join
        beginnings
        on periods.first_day + %(step)s::interval > beginnings.exists_from
    group by periods.first_day
)

select
    expected.first_day::date as date,
    case
        when totals.organizations_stored > 0 then 'stored'
        when totals.organizations_unreadable > 0 then 'unreadable'
        when expected.first_day > %(last_due)s::timestamp then 'notDue'
        when expected.organizations_existing > 0 then 'missing'
        else 'notCreated'
    end as state,
    coalesce(distributions.topic_distribution, '{}') as topic_distribution,
    coalesce(distributions.sentiment_distribution, '{}') as sentiment_distribution,
    coalesce(distributions.escalation_counts, '{}') as escalation_counts,
    coalesce(totals.total_classifications, 0)::bigint as total_classifications,
    totals.avg_confidence::bigint as avg_confidence,
    coalesce(totals.hotspot_count, 0)::bigint as hotspot_count,
    coalesce(totals.organizations_stored, 0) as organizations_stored,
    coalesce(totals.organizations_unreadable, 0) as organizations_unreadable,
    case
        when expected.first_day > %(last_due)s::timestamp then 0
        else
            expected.organizations_existing
            - coalesce(totals.organizations_stored, 0)
            - coalesce(totals.organizations_unreadable, 0)
    end::bigint as organizations_missing,
    (select count(*) from organizations) as organizations_total
from expected
left join totals on expected.first_day = totals.trend_date
left join distributions on expected.first_day = distributions.trend_date
order by expected.first_day;
