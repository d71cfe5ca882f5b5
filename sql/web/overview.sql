-- One page of the organizations over a range, the riskiest first, each with one value
-- per day. The risk score is a channel hotspot's, over all messages of the range.
with
-- one row per organization and day
stored_trends as materialized (
    select
        communication_trends.organization_id,
        communication_trends.trend_date,
        communication_trends.channel_hotspots,
        coalesce(communication_trends.total_classifications, 0)
            as total_classifications,
        communication_trends.avg_confidence,
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
        ) as risky_classifications,
        coalesce(
            (communication_trends.escalation_counts ->> 'critical')::numeric, 0
        ) as critical_escalations,
        (
            select coalesce(sum(severities.value::numeric), 0)
            from
                jsonb_each(communication_trends.escalation_counts)
                    as severities
            where jsonb_typeof(severities.value) = 'number'
        ) as escalations
    from communication_trends
    where
        communication_trends.trend_period = 'daily'
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
),

-- one row per organization with a trend
totals as (
    select
        stored_trends.organization_id,
        count(*) as days_stored,
        sum(stored_trends.total_classifications) as total_classifications,
        sum(stored_trends.risky_classifications) as risky_classifications,
        sum(stored_trends.escalations) as escalations,
        sum(stored_trends.critical_escalations) as critical_escalations,
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
    group by stored_trends.organization_id
),

-- one row per organization found, a silent one too
found_organizations as (
    select
        organizations.id,
        organizations.name,
        organizations.slug,
        coalesce(totals.days_stored, 0) as days_stored,
        coalesce(totals.total_classifications, 0) as total_classifications,
        coalesce(totals.escalations, 0) as escalations,
        coalesce(totals.critical_escalations, 0) as critical_escalations,
        coalesce(totals.hotspot_count, 0) as hotspot_count,
        totals.avg_confidence,
        -- the share in percent, rounded half up in whole numbers
        div(
            200 * totals.risky_classifications + totals.total_classifications,
            nullif(2 * totals.total_classifications, 0)
        ) as risk_score,
        count(*) over () as total_entries
    from organizations
    left join totals on organizations.id = totals.organization_id
    where
        strpos(lower(organizations.name), lower(%(search)s::text)) > 0
        or strpos(lower(organizations.slug), lower(%(search)s::text)) > 0
),

-- one row per organization of the page; one angry message of two is no ranking, so
-- that the few-messages ones come after the others
page as (
    select
        found_organizations.*,
        row_number() over (
            order by
                found_organizations.total_classifications
                >= %(hotspot_min_messages)s::integer desc,
                found_organizations.risk_score desc nulls last,
                found_organizations.critical_escalations desc,
                found_organizations.escalations desc,
                found_organizations.total_classifications desc,
                found_organizations.slug asc
        ) as rank
    from found_organizations
    order by rank
    limit %(limit)s::integer offset %(offset)s::integer
),

-- one row per organization of the page: its days in order, null where none is stored
series as (
    select
        page.id,
        array_agg(
            stored_trends.total_classifications
            order by days.day
        ) as daily_classifications,
        array_agg(
            stored_trends.risky_classifications::bigint
            order by days.day
        ) as daily_risky_classifications,
        array_agg(
            stored_trends.escalations::bigint
            order by days.day
        ) as daily_escalations
    from page
    cross join
        generate_series(
            %(first_day)s::timestamp,
            %(last_day)s::timestamp,
            interval '1 day'
        ) as days (day)
    left join stored_trends
        on
            page.id = stored_trends.organization_id
            and days.day = stored_trends.trend_date
    group by page.id
)

select
    page.id::text as organization_id,
    page.name,
    page.slug,
    page.rank,
    page.risk_score::bigint as risk_score,
    page.days_stored,
    page.total_classifications::bigint as total_classifications,
    page.escalations::bigint as escalations,
    page.critical_escalations::bigint as critical_escalations,
    page.hotspot_count::bigint as hotspot_count,
    page.avg_confidence::bigint as avg_confidence,
    series.daily_classifications,
    series.daily_risky_classifications,
    series.daily_escalations,
    page.total_entries
from page
inner join series on page.id = series.id
order by page.rank;
