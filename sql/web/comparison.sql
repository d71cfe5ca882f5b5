-- Two ranges, over the organization-days with a readable trend in both: of one
-- organization, or of all where none is given. One row.
with
-- one row per readable trend of either range, with the day of the range that it is of
-- or compared with
figures as (
    select
        communication_trends.organization_id,
        communication_trends.trend_date >= %(first_day)s::timestamp as is_current,
        case
            when communication_trends.trend_date >= %(first_day)s::timestamp
                then communication_trends.trend_date
            else communication_trends.trend_date + %(shift)s::interval
        end as day,
        communication_trends.total_classifications as messages,
        (
            select
                coalesce(
                    sum(
                        trunc(
                            (
                                communication_trends.topic_distribution -> topics.name
                            )::numeric
                        )
                    ),
                    0
                )
            from unnest(%(hotspot_topics)s::text[]) as topics (name)
        ) as risky,
        (
            select coalesce(sum(trunc(severities.count::numeric)), 0)
            from
                jsonb_each(communication_trends.escalation_counts)
                    as severities (name, count)
        ) as alerts,
        -- of a trend without an average, neither side of the mean
        communication_trends.total_classifications::bigint
        * communication_trends.avg_confidence as confidence,
        case
            when communication_trends.avg_confidence is not null
                then communication_trends.total_classifications
        end as confident
    from communication_trends
    where
        -- what cannot be read is filtered out before anything is computed of it
        not communication_trends.topic_distribution @@ %(broken_counts)s::jsonpath
        and not communication_trends.sentiment_distribution
        @@ %(broken_counts)s::jsonpath
        and not communication_trends.escalation_counts @@ %(broken_counts)s::jsonpath
        and not communication_trends.channel_hotspots @@ %(broken_hotspots)s::jsonpath
        and communication_trends.total_classifications >= 0
        and coalesce(communication_trends.avg_confidence, 0) between 0 and 100
        and communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date <= %(last_due)s::timestamp
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
),

-- one row per organization and day with a readable trend in both ranges. Grouped, not
-- joined: of trends just written the planner expects hardly a row, and would read all
-- of them again for each
matched as (
    select
        sum(figures.messages) filter (where figures.is_current) as messages,
        sum(figures.messages) filter (where not figures.is_current)
            as previous_messages,
        sum(figures.risky) filter (where figures.is_current) as risky,
        sum(figures.risky) filter (where not figures.is_current) as previous_risky,
        sum(figures.alerts) filter (where figures.is_current) as alerts,
        sum(figures.alerts) filter (where not figures.is_current) as previous_alerts,
        sum(figures.confidence) filter (where figures.is_current) as confidence,
        sum(figures.confidence) filter (where not figures.is_current)
            as previous_confidence,
        sum(figures.confident) filter (where figures.is_current) as confident,
        sum(figures.confident) filter (where not figures.is_current)
            as previous_confident
    from figures
    group by
        figures.organization_id,
        figures.day
    having count(*) = 2
),

-- one row per organization
beginnings as (
    select
        organizations.id,
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
    where
        %(organization_id)s::uuid is null
        or organizations.id = %(organization_id)s::uuid
),

-- one row: organization-days of the range that should be stored by now
possible as (
    select count(*) as days
    from beginnings
    inner join
        generate_series(
            %(first_day)s::timestamp,
            least(%(last_day)s::timestamp, %(last_due)s::timestamp),
            %(step)s::interval
        ) as periods (first_day)
        on periods.first_day + %(step)s::interval > beginnings.exists_from
)

select
    (select possible.days from possible) as possible_days,
    count(*) as matched_days,
    sum(matched.messages)::bigint as messages,
    sum(matched.previous_messages)::bigint as previous_messages,
    sum(matched.risky)::bigint as risky,
    sum(matched.previous_risky)::bigint as previous_risky,
    sum(matched.alerts)::bigint as alerts,
    sum(matched.previous_alerts)::bigint as previous_alerts,
    sum(matched.confidence)::bigint as confidence,
    sum(matched.previous_confidence)::bigint as previous_confidence,
    sum(matched.confident)::bigint as confident,
    sum(matched.previous_confident)::bigint as previous_confident
from matched;
