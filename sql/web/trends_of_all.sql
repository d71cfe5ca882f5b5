-- All organizations together: one row per period of the range, with the sums of its
-- readable trends, or with nulls where there is none.
with
-- one row per period, figure and key of a distribution; each readable trend is read
-- once, by several processes where PostgreSQL can
figures as (
    select
        communication_trends.trend_date,
        entries.figure,
        entries.name,
        sum(entries.value) as total,
        count(*) as trends
    from communication_trends
    cross join
        lateral (
            select
                'topics' as figure,
                topics.name,
                trunc(topics.value::numeric) as value
            from
                jsonb_each(communication_trends.topic_distribution)
                    as topics (name, value)
            union all
            select
                'tones' as figure,
                tones.name,
                trunc(tones.value::numeric) as value
            from
                jsonb_each(communication_trends.sentiment_distribution)
                    as tones (name, value)
            union all
            select
                'escalations' as figure,
                severities.name,
                trunc(severities.value::numeric) as value
            from
                jsonb_each(communication_trends.escalation_counts)
                    as severities (name, value)
            union all
            select
                totals.figure,
                '' as name,
                totals.value
            from (
                values
                ('messages', communication_trends.total_classifications::numeric),
                ('hotspots', jsonb_array_length(communication_trends.channel_hotspots)),
                (
                    'confidence',
                    communication_trends.avg_confidence::numeric
                    * communication_trends.total_classifications
                ),
                -- of a trend without an average, neither side of the mean
                (
                    'confident',
                    case
                        when communication_trends.avg_confidence is not null
                            then communication_trends.total_classifications
                    end
                )
            ) as totals (figure, value)
        ) as entries
    where
        communication_trends.trend_period = %(period)s::text
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date <= %(last_day)s::timestamp
        -- what cannot be read is filtered out before anything is computed of it
        and not communication_trends.topic_distribution @@ %(broken_counts)s::jsonpath
        and not communication_trends.sentiment_distribution
        @@ %(broken_counts)s::jsonpath
        and not communication_trends.escalation_counts @@ %(broken_counts)s::jsonpath
        and not communication_trends.channel_hotspots @@ %(broken_hotspots)s::jsonpath
        and communication_trends.total_classifications >= 0
        and coalesce(communication_trends.avg_confidence, 0) between 0 and 100
    group by
        communication_trends.trend_date,
        entries.figure,
        entries.name
),

-- one row per period with a readable trend; the mean weighs each organization by its
-- messages
readable as (
    select
        figures.trend_date,
        jsonb_object_agg(figures.name, figures.total)
        filter (where figures.figure = 'topics') as topic_distribution,
        jsonb_object_agg(figures.name, figures.total)
        filter (where figures.figure = 'tones') as sentiment_distribution,
        jsonb_object_agg(figures.name, figures.total)
        filter (where figures.figure = 'escalations') as escalation_counts,
        sum(figures.trends) filter (where figures.figure = 'messages')::bigint
            as organizations_stored,
        sum(figures.total) filter (where figures.figure = 'messages')
            as total_classifications,
        sum(figures.total) filter (where figures.figure = 'hotspots')
            as hotspot_count,
        floor(
            sum(figures.total) filter (where figures.figure = 'confidence')
            / nullif(
                sum(figures.total) filter (where figures.figure = 'confident'), 0
            )
            + 0.5
        ) as avg_confidence
    from figures
    group by figures.trend_date
),

-- one row per period with a trend
totals as (
    select
        stored_trends.trend_date,
        stored_trends.trends - coalesce(readable.organizations_stored, 0)
            as organizations_unreadable,
        coalesce(readable.organizations_stored, 0) as organizations_stored,
        readable.topic_distribution,
        readable.sentiment_distribution,
        readable.escalation_counts,
        readable.total_classifications,
        readable.hotspot_count,
        readable.avg_confidence
    from (
        select
            communication_trends.trend_date,
            count(*) as trends
        from communication_trends
        where
            communication_trends.trend_period = %(period)s::text
            and communication_trends.trend_date >= %(first_day)s::timestamp
            and communication_trends.trend_date <= %(last_day)s::timestamp
        group by communication_trends.trend_date
    ) as stored_trends
    left join readable on stored_trends.trend_date = readable.trend_date
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
    coalesce(totals.topic_distribution, '{}') as topic_distribution,
    coalesce(totals.sentiment_distribution, '{}') as sentiment_distribution,
    coalesce(totals.escalation_counts, '{}') as escalation_counts,
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
order by expected.first_day;
