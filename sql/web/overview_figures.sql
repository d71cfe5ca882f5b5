-- Some organizations over a range: one row each, in the order of the ids given. Counted
-- are readable trends; the changes are over those stored in both ranges.
with
-- one row per organization
asked_organizations as (
    select
        organizations.id,
        coalesce(
            organizations.name::text,
            organizations.slug::text,
            organizations.id::text
        ) as name,
        coalesce(organizations.slug::text, organizations.id::text) as slug,
        organizations.name is null or organizations.slug is null as nameless,
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
        ) as exists_from
    from organizations
    where organizations.id = any(%(organization_ids)s::uuid[])
),

-- one row per trend of either range
stored_trends as materialized (
    select
        communication_trends.organization_id,
        communication_trends.trend_date,
        communication_trends.topic_distribution,
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
        communication_trends.organization_id = any(%(organization_ids)s::uuid[])
        and communication_trends.trend_period = %(period)s::text
        and (
            communication_trends.trend_date between
            %(first_day)s::timestamp and %(last_day)s::timestamp
            or communication_trends.trend_date between
            %(previous_first_day)s::timestamp and %(previous_last_day)s::timestamp
        )
),

-- one row per readable trend
figures as materialized (
    select
        stored_trends.organization_id,
        stored_trends.trend_date,
        stored_trends.total_classifications as messages,
        (
            select coalesce(sum(trunc(topics.count::numeric)), 0)
            from jsonb_each(stored_trends.topic_distribution) as topics (name, count)
            where topics.name = any(%(hotspot_topics)s::text[])
        ) as risky,
        (
            select coalesce(sum(trunc(severities.count::numeric)), 0)
            from
                jsonb_each(stored_trends.escalation_counts)
                    as severities (name, count)
        ) as alerts,
        coalesce(
            trunc((stored_trends.escalation_counts ->> 'critical')::numeric), 0
        ) as critical,
        jsonb_array_length(stored_trends.channel_hotspots) as hotspots,
        -- of a trend without an average, neither side of the mean
        stored_trends.total_classifications::numeric * stored_trends.avg_confidence
            as confidence,
        case
            when stored_trends.avg_confidence is not null
                then stored_trends.total_classifications
        end as confident
    from stored_trends
    where stored_trends.readable
),

-- one row per organization and period of the range
days as (
    select
        asked_organizations.id as organization_id,
        periods.first_day,
        periods.first_day <= %(last_due)s::timestamp
        and periods.first_day + %(step)s::interval > asked_organizations.exists_from
            as expected
    from asked_organizations
    cross join
        generate_series(
            %(first_day)s::timestamp,
            %(last_day)s::timestamp,
            %(step)s::interval
        ) as periods (first_day)
),

-- one row per organization
totals as (
    select
        days.organization_id,
        count(figures.trend_date) as days_stored,
        count(*) filter (where days.expected and stored_trends.trend_date is null)
            as missing_days,
        count(*) filter (where not stored_trends.readable) as unreadable_days,
        sum(figures.messages) as messages,
        sum(figures.risky) as risky,
        sum(figures.alerts) as alerts,
        sum(figures.critical) as critical,
        sum(figures.hotspots) as hotspots,
        sum(figures.confidence) as confidence,
        sum(figures.confident) as confident,
        array_agg(figures.messages order by days.first_day) as daily_classifications,
        array_agg(figures.risky::bigint order by days.first_day)
            as daily_risky_classifications,
        array_agg(figures.alerts::bigint order by days.first_day)
            as daily_escalations
    from days
    left join stored_trends
        on
            days.organization_id = stored_trends.organization_id
            and days.first_day = stored_trends.trend_date
    left join figures
        on
            days.organization_id = figures.organization_id
            and days.first_day = figures.trend_date
    group by days.organization_id
),

-- one row per organization with trends in both ranges; a period that is not over is
-- compared with none
matched as (
    select
        current.organization_id,
        count(*) as days,
        sum(current.messages) as messages,
        sum(previous.messages) as previous_messages,
        sum(current.risky) as risky,
        sum(previous.risky) as previous_risky,
        sum(current.alerts) as alerts,
        sum(previous.alerts) as previous_alerts,
        sum(current.confidence) as confidence,
        sum(previous.confidence) as previous_confidence,
        sum(current.confident) as confident,
        sum(previous.confident) as previous_confident
    from figures as current
    inner join figures as previous
        on
            current.organization_id = previous.organization_id
            and current.trend_date
            = previous.trend_date + %(shift)s::interval
    where
        current.trend_date >= %(first_day)s::timestamp
        and current.trend_date <= %(last_day)s::timestamp
        and current.trend_date <= %(last_due)s::timestamp
    group by current.organization_id
)

select
    asked_organizations.id::text as organization_id,
    asked_organizations.name,
    asked_organizations.slug,
    asked_organizations.nameless,
    totals.days_stored,
    totals.missing_days,
    totals.unreadable_days,
    coalesce(totals.messages, 0)::bigint as messages,
    coalesce(totals.risky, 0)::bigint as risky,
    coalesce(totals.alerts, 0)::bigint as alerts,
    coalesce(totals.critical, 0)::bigint as critical,
    coalesce(totals.hotspots, 0)::bigint as hotspots,
    coalesce(totals.confidence, 0)::bigint as confidence,
    coalesce(totals.confident, 0)::bigint as confident,
    totals.daily_classifications,
    totals.daily_risky_classifications,
    totals.daily_escalations,
    coalesce(matched.days, 0) as matched_days,
    matched.messages::bigint as matched_messages,
    matched.previous_messages::bigint as previous_messages,
    matched.risky::bigint as matched_risky,
    matched.previous_risky::bigint as previous_risky,
    matched.alerts::bigint as matched_alerts,
    matched.previous_alerts::bigint as previous_alerts,
    matched.confidence::bigint as matched_confidence,
    matched.previous_confidence::bigint as previous_confidence,
    matched.confident::bigint as matched_confident,
    matched.previous_confident::bigint as previous_confident
from asked_organizations
inner join totals on asked_organizations.id = totals.organization_id
left join matched on asked_organizations.id = matched.organization_id
order by
    array_position(%(organization_ids)s::uuid[], asked_organizations.id);
