-- The organizations in the order asked for: one row per organization of the page, and
-- how many there are in all.
-- This reads every trend of the range, so it looks only at what it orders by. It may
-- trust the rows: then what is no count is an error, and it is asked again without;
-- then what is no count is nothing. overview_figures.sql judges the rows shown.
with
-- one row per organization with a trend
totals as (
    select
        communication_trends.organization_id,
        count(*) as days_stored,
        count(*) filter (
            where communication_trends.trend_date <= %(last_due)s::timestamp
        ) as due_days_stored,
        sum(greatest(communication_trends.total_classifications, 0)) as messages,
        -- one of these is planned, since the parameters are known by then: the first
        -- four topics by name take a fifth of the time of any number of them
        case
            when %(trusting)s::boolean and cardinality(%(hotspot_topics)s::text[]) <= 4
                then
                    sum(
                        coalesce((
                            communication_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[1]
                        )::integer, 0)
                        + coalesce((
                            communication_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[2]
                        )::integer, 0)
                        + coalesce((
                            communication_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[3]
                        )::integer, 0)
                        + coalesce((
                            communication_trends.topic_distribution
                            -> (%(hotspot_topics)s::text[])[4]
                        )::integer, 0)
                    )
            else
                sum((
                    select
                        sum((
                            communication_trends.topic_distribution -> topics.name
                        )::integer)
                    from unnest(%(hotspot_topics)s::text[]) as topics (name)
                    where
                        communication_trends.topic_distribution -> topics.name
                        between '0'::jsonb and '2147483647'::jsonb
                ))
        end as risky,
        sum(alerts.count) as alerts,
        sum(alerts.critical) as critical,
        case
            when %(sort)s::text = 'hotspotCount'
                then
                    sum(
                        case jsonb_typeof(communication_trends.channel_hotspots)
                            when 'array'
                                then
                                    jsonb_array_length(
                                        communication_trends.channel_hotspots
                                    )
                        end
                    )
        end as hotspots,
        sum(
            communication_trends.avg_confidence::bigint
            * communication_trends.total_classifications
        ) as confidence,
        sum(communication_trends.total_classifications)
        filter (where communication_trends.avg_confidence is not null) as confident
    from communication_trends
    -- most organization-days have the same few alerts: PostgreSQL remembers their sums
    cross join
        lateral (
            select
                sum(severities.count::integer) as count,
                sum(severities.count::integer) filter (
                    where severities.name = 'critical'
                )
                    as critical
            from
                jsonb_each(
                    case
                        when
                            %(trusting)s::boolean
                            or jsonb_typeof(communication_trends.escalation_counts)
                            = 'object'
                            then communication_trends.escalation_counts
                    end
                ) as severities (name, count)
            where
                %(trusting)s::boolean
                or severities.count between '0'::jsonb and '2147483647'::jsonb
        ) as alerts
    where
        communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
    group by communication_trends.organization_id
),

-- one row per organization and period with a trend in both ranges; no row is read
-- unless it is ordered by a change, and then only what that change is of
matched_days as (
    select
        trends.organization_id,
        sum(trends.messages) filter (where trends.is_current) as messages,
        sum(trends.messages) filter (where not trends.is_current) as previous_messages,
        sum(trends.risky) filter (where trends.is_current) as risky,
        sum(trends.risky) filter (where not trends.is_current) as previous_risky,
        sum(trends.alerts) filter (where trends.is_current) as alerts,
        sum(trends.alerts) filter (where not trends.is_current) as previous_alerts,
        sum(trends.confidence) filter (where trends.is_current) as confidence,
        sum(trends.confidence) filter (where not trends.is_current)
            as previous_confidence
    from (
        select
            communication_trends.organization_id,
            communication_trends.trend_date
            >= %(first_day)s::timestamp as is_current,
            case
                when communication_trends.trend_date >= %(first_day)s::timestamp
                    then communication_trends.trend_date
                else communication_trends.trend_date + %(shift)s::interval
            end as day,
            greatest(communication_trends.total_classifications, 0) as messages,
            communication_trends.avg_confidence::bigint
            * communication_trends.total_classifications as confidence,
            case
                when %(sort)s::text = 'riskScoreChange'
                    then (
                        select
                            coalesce(sum((
                                communication_trends.topic_distribution
                                -> topics.name
                            )::integer), 0)
                        from unnest(%(hotspot_topics)s::text[]) as topics (name)
                        where
                            communication_trends.topic_distribution -> topics.name
                            between '0'::jsonb and '2147483647'::jsonb
                    )
            end as risky,
            case
                when %(sort)s::text = 'escalationsChange'
                    then (
                        select coalesce(sum(severities.count::integer), 0)
                        from
                            jsonb_each(
                                case
                                jsonb_typeof(communication_trends.escalation_counts)
                                    when 'object'
                                        then communication_trends.escalation_counts
                                end
                            ) as severities (name, count)
                        where
                            severities.count
                            between '0'::jsonb and '2147483647'::jsonb
                    )
            end as alerts
        from communication_trends
        where
            %(by_change)s::boolean
            and communication_trends.trend_period = %(period)s::text
            and communication_trends.trend_date <= %(last_due)s::timestamp
            and (
                communication_trends.trend_date between
                %(first_day)s::timestamp and %(last_day)s::timestamp
                or communication_trends.trend_date between
                %(previous_first_day)s::timestamp
                and %(previous_last_day)s::timestamp
            )
    ) as trends
    group by
        trends.organization_id,
        trends.day
    having count(*) = 2
),

-- one row per organization
changes as (
    select
        matched_days.organization_id,
        sum(matched_days.messages) as messages,
        sum(matched_days.previous_messages) as previous_messages,
        sum(matched_days.risky) as risky,
        sum(matched_days.previous_risky) as previous_risky,
        sum(matched_days.alerts) as alerts,
        sum(matched_days.previous_alerts) as previous_alerts,
        sum(matched_days.confidence) as confidence,
        sum(matched_days.previous_confidence) as previous_confidence,
        sum(matched_days.messages) filter (where matched_days.confidence is not null)
            as confident,
        sum(matched_days.previous_messages)
        filter (where matched_days.previous_confidence is not null)
            as previous_confident
    from matched_days
    group by matched_days.organization_id
),

-- one row per organization found, a silent one too
found_organizations as (
    select
        organizations.id,
        coalesce(
            organizations.name::text,
            organizations.slug::text,
            organizations.id::text
        ) as name,
        coalesce(organizations.slug::text, organizations.id::text) as slug,
        coalesce(totals.messages, 0) as messages,
        coalesce(totals.alerts, 0) as alerts,
        coalesce(totals.critical, 0) as critical,
        -- each alert counts as one more risky message
        (coalesce(totals.risky, 0) + coalesce(totals.alerts, 0))::numeric
        / nullif(coalesce(totals.messages, 0) + coalesce(totals.alerts, 0), 0)
            as weight,
        case %(sort)s::text
            when 'riskScore' then totals.risky::numeric / nullif(totals.messages, 0)
            when 'totalClassifications' then coalesce(totals.messages, 0)
            when 'escalations' then coalesce(totals.alerts, 0)
            when 'criticalEscalations' then coalesce(totals.critical, 0)
            when 'hotspotCount' then coalesce(totals.hotspots, 0)
            when 'avgConfidence'
                then totals.confidence::numeric / nullif(totals.confident, 0)
            when 'daysStored' then coalesce(totals.days_stored, 0)
            when 'missingDays'
                then (
                    select count(*)
                    from
                        generate_series(
                            %(first_day)s::timestamp,
                            least(%(last_day)s::timestamp, %(last_due)s::timestamp),
                            %(step)s::interval
                        ) as periods (first_day)
                    where
                        periods.first_day + %(step)s::interval
                        > least(
                            coalesce(organizations.created_at::timestamp, '-infinity'),
                            (
                                select min(communication_trends.trend_date)
                                from communication_trends
                                where
                                    organizations.id
                                    = communication_trends.organization_id
                                    and communication_trends.trend_period
                                    = %(period)s::text
                            )
                        )
                ) - coalesce(totals.due_days_stored, 0)
            when 'totalClassificationsChange'
                then
                    (changes.messages - changes.previous_messages)
                    / nullif(changes.previous_messages, 0)
            when 'escalationsChange'
                then
                    (changes.alerts - changes.previous_alerts)
                    / nullif(changes.previous_alerts, 0)
            when 'riskScoreChange'
                then
                    changes.risky / nullif(changes.messages, 0)
                    - changes.previous_risky / nullif(changes.previous_messages, 0)
            when 'avgConfidenceChange'
                then
                    changes.confidence / nullif(changes.confident, 0)
                    - changes.previous_confidence
                    / nullif(changes.previous_confident, 0)
        end as sort_key
    from organizations
    left join totals on organizations.id = totals.organization_id
    left join changes on organizations.id = changes.organization_id
    where
        strpos(
            lower(
                coalesce(
                    organizations.name::text,
                    organizations.slug::text,
                    organizations.id::text
                )
            ),
            lower(%(search)s::text)
        ) > 0
        or strpos(
            lower(coalesce(organizations.slug::text, organizations.id::text)),
            lower(%(search)s::text)
        ) > 0
),

-- one row per organization found; one angry message of two is no ranking, so that
-- those with few messages come after the others
ranked as (
    select
        found_organizations.*,
        -- least comes first
        row_number() over (
            order by
                found_organizations.messages + found_organizations.alerts
                >= %(hotspot_min_messages)s::integer desc,
                found_organizations.weight desc nulls last,
                found_organizations.critical desc,
                found_organizations.alerts desc,
                found_organizations.messages desc,
                found_organizations.slug asc
        ) as position
    from found_organizations
),

-- one row per organization of the page
page as (
    select
        ranked.id,
        row_number() over (
            order by
                case
                    when %(sort)s::text = 'name' and %(ascending)s::boolean
                        then lower(ranked.name)
                end asc,
                case when %(sort)s::text = 'name' then lower(ranked.name) end desc,
                case
                    when %(sort)s::text = 'rank' and not %(ascending)s::boolean
                        then ranked.position
                end desc,
                case when %(ascending)s::boolean then ranked.sort_key end asc
                nulls last,
                ranked.sort_key desc nulls last,
                ranked.position asc
        ) as rank
    from ranked
    order by rank
    limit %(limit)s::integer offset %(offset)s::integer
)

select
    page.id::text as organization_id,
    page.rank,
    counted.total_entries
from (select count(*) as total_entries from found_organizations) as counted
left join page on true
order by page.rank;
