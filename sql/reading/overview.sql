-- The organizations in the order asked for: one row per organization of the page, and
-- how many there are in all. overview_totals.sql has the numbers of those shown.
-- reads: existence, stored_trends, trend_sums
with
-- one row per organization with a trend
totals as (
    select
        trend_sums.organization_id,
        count(*) as days_stored,
        sum(trend_sums.messages) as messages,
        sum(trend_sums.risky) as risky,
        sum(trend_sums.alerts) as alerts,
        sum(trend_sums.critical) as critical,
        case when %(sort)s::text = 'hotspotCount' then sum(trend_sums.hotspots) end
            as hotspots,
        sum(trend_sums.confidence) as confidence,
        sum(trend_sums.confident) as confident,
        -- of all organizations together, whose share is the usual one; each alert
        -- counts as one more risky message
        sum(sum(trend_sums.risky) + sum(trend_sums.alerts)) over () as overall_risky,
        sum(sum(trend_sums.messages) + sum(trend_sums.alerts)) over ()
            as overall_messages
    from trend_sums
    where
        trend_sums.trend_date >= %(first_day)s::timestamp
        and trend_sums.trend_date <= %(last_day)s::timestamp
    group by trend_sums.organization_id
),

-- one row per organization with a trend that is due, read or not; no row is read unless
-- it is ordered by what is missing
there as (
    select
        stored_trends.organization_id,
        count(*) as days
    from stored_trends
    where
        %(sort)s::text = 'missingDays'
        and stored_trends.trend_date >= %(first_day)s::timestamp
        and stored_trends.trend_date <= %(last_day)s::timestamp
        and stored_trends.trend_date <= %(last_due)s::timestamp
    group by stored_trends.organization_id
),

-- one row per organization and period with a trend in both ranges that can be compared,
-- one of each; no row is read unless it is ordered by a change
matched_days as (
    select
        trends.organization_id,
        max(trends.number) filter (where trends.is_current) as number,
        max(trends.number) filter (where not trends.is_current) as previous_number,
        max(trends.whole) filter (where trends.is_current) as whole,
        max(trends.whole) filter (where not trends.is_current) as previous_whole
    from (
        select
            trend_sums.organization_id,
            trend_sums.trend_date >= %(first_day)s::timestamp as is_current,
            case
                when trend_sums.trend_date >= %(first_day)s::timestamp
                    then trend_sums.trend_date
                else trend_sums.trend_date + %(shift)s::interval
            end as day,
            case %(sort)s::text
                when 'totalClassificationsChange' then trend_sums.messages
                when 'escalationsChange' then trend_sums.alerts
                when 'riskScoreChange' then trend_sums.risky
                when 'avgConfidenceChange' then trend_sums.confidence
            end as number,
            -- what a share is of
            case %(sort)s::text
                when 'riskScoreChange' then trend_sums.messages
                when 'avgConfidenceChange' then trend_sums.confident
            end as whole
        from trend_sums
        where
            %(by_change)s::boolean
            and trend_sums.is_final
            and trend_sums.trend_date <= %(last_due)s::timestamp
            and (
                trend_sums.trend_date between
                %(first_day)s::timestamp and %(last_day)s::timestamp
                or trend_sums.trend_date between
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
        count(*) as days,
        (sum(matched_days.number) - sum(matched_days.previous_number))
        / nullif(sum(matched_days.previous_number), 0) as growth,
        sum(matched_days.number) / nullif(sum(matched_days.whole), 0)
        - sum(matched_days.previous_number)
        / nullif(sum(matched_days.previous_whole), 0) as points
    from matched_days
    group by matched_days.organization_id
),

-- one row per organization found, one without any trend too; of that all sums are null
found_organizations as (
    select
        existence.id,
        existence.name,
        existence.slug,
        coalesce(totals.messages, 0) as messages,
        coalesce(totals.alerts, 0) as alerts,
        coalesce(totals.critical, 0) as critical,
        totals.overall_risky,
        totals.overall_messages,
        -- each alert counts as one more risky message
        (totals.risky + totals.alerts)
        / nullif(totals.messages + totals.alerts, 0) as weight,
        case %(sort)s::text
            when 'escalationsPerThousand'
                then totals.alerts / nullif(totals.messages, 0)
            when 'riskScore' then totals.risky / nullif(totals.messages, 0)
            -- as core/totals.py has it
            when 'adjustedRisk'
                then
                    case
                        when totals.messages + totals.alerts > 0
                            then
                                (
                                    totals.risky
                                    + totals.alerts
                                    + %(risk_prior)s::integer
                                    * totals.overall_risky
                                    / nullif(totals.overall_messages, 0)
                                )
                                / (
                                    totals.messages
                                    + totals.alerts
                                    + %(risk_prior)s::integer
                                )
                    end
            when 'totalClassifications' then totals.messages
            when 'escalations' then totals.alerts
            when 'criticalEscalations' then totals.critical
            when 'hotspotCount' then totals.hotspots
            when 'avgConfidence' then totals.confidence / nullif(totals.confident, 0)
            when 'daysStored' then coalesce(totals.days_stored, 0)
            when 'missingDays'
                then due.days - coalesce(there.days, 0)
            when 'totalClassificationsChange' then changes.growth
            when 'escalationsChange' then changes.growth
            when 'riskScoreChange' then changes.points
            when 'avgConfidenceChange' then changes.points
        end as sort_key,
        -- of too few periods a change says nothing (core/totals.py)
        %(by_change)s::boolean
        and 100 * coalesce(changes.days, 0)
        < %(min_matched_percent)s::integer * due.days as is_not_comparable
    from existence
    left join totals on existence.id = totals.organization_id
    left join changes on existence.id = changes.organization_id
    left join there on existence.id = there.organization_id
    left join lateral (
        select count(*) as days
        from
            generate_series(
                %(first_day)s::timestamp,
                least(%(last_day)s::timestamp, %(last_due)s::timestamp),
                %(step)s::interval
            ) as periods (first_day)
        where
            (%(by_change)s::boolean or %(sort)s::text = 'missingDays')
            and periods.first_day + %(step)s::interval > existence.exists_from
    ) as due on true
    where
        (
            strpos(lower(existence.name), lower(%(search)s::text)) > 0
            or strpos(lower(existence.slug), lower(%(search)s::text)) > 0
        )
        -- the usual share is that of all organizations, whichever is asked for
        and (
            %(found_organization_id)s::uuid is null
            or existence.id = %(found_organization_id)s::uuid
        )
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
                ranked.sort_key is null asc,
                ranked.is_not_comparable asc,
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
    coalesce(counted.overall_risky, 0)::bigint as overall_risky,
    coalesce(counted.overall_messages, 0)::bigint as overall_messages,
    counted.total_entries
from (
    select
        count(*) as total_entries,
        max(found_organizations.overall_risky) as overall_risky,
        max(found_organizations.overall_messages) as overall_messages
    from found_organizations
) as counted
left join page on true
order by page.rank;
