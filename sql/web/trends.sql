-- One organization: one row per period of the range, from the first to the last, with
-- its trend, or with nulls where none is stored that can be read. No row: no such
-- organization.
with
-- one row: the organization, and the moment from which it exists
asked_organization as (
    select
        organizations.id,
        coalesce(
            organizations.name::text,
            organizations.slug::text,
            organizations.id::text
        ) as name,
        coalesce(organizations.slug::text, organizations.id::text) as slug,
        least(
            coalesce(organizations.created_at::timestamp, '-infinity'),
            (
                select min(communication_trends.trend_date)
                from communication_trends
                where
                    organizations.id = communication_trends.organization_id
                    and communication_trends.trend_period = %(period)s::text
            )
        ) as exists_from
    from organizations
    where
        organizations.id::text = lower(%(organization)s::text)
        or organizations.slug = %(organization)s::text
    order by
        -- an id comes before another organization's slug that reads the same
        (organizations.id::text = lower(%(organization)s::text)) desc,
        organizations.id asc
    limit 1
),

-- one row per period with a trend
stored_trends as (
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
        communication_trends.organization_id
        = (select asked_organization.id from asked_organization)
        and communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
)

select
    asked_organization.id::text as organization_id,
    asked_organization.name,
    asked_organization.slug,
    periods.first_day::date as date,
    case
        when stored_trends.readable then 'stored'
        when stored_trends.trend_date is not null then 'unreadable'
        when periods.first_day > %(last_due)s::timestamp then 'notDue'
        when
            periods.first_day + %(step)s::interval <= asked_organization.exists_from
            then 'notCreated'
        else 'missing'
    end as state,
    stored_trends.topic_distribution,
    stored_trends.sentiment_distribution,
    stored_trends.escalation_counts,
    stored_trends.channel_hotspots,
    stored_trends.total_classifications,
    stored_trends.avg_confidence
from asked_organization
cross join
    generate_series(
        %(first_day)s::timestamp,
        %(last_day)s::timestamp,
        %(step)s::interval
    ) as periods (first_day)
left join stored_trends on periods.first_day = stored_trends.trend_date
order by periods.first_day;
