-- All organizations together, or one: one row per period of the range, with the sums of
-- its readable trends, or with nulls where there is none. Nothing is divided in here.
-- reads: existence, stored_trends
with
-- one row per period, distribution and key; read by several processes where PostgreSQL
-- can
entries as (
    select
        stored_trends.trend_date,
        entries.figure,
        entries.name,
        sum(entries.value) as total
    from stored_trends
    cross join
        lateral (
            select
                'topics' as figure,
                topics.name,
                trunc(topics.value::numeric)::bigint as value
            from
                jsonb_each(stored_trends.topic_distribution)
                    as topics (name, value)
            union all
            select
                'tones' as figure,
                tones.name,
                trunc(tones.value::numeric)::bigint as value
            from
                jsonb_each(stored_trends.sentiment_distribution)
                    as tones (name, value)
            union all
            select
                'escalations' as figure,
                severities.name,
                trunc(severities.value::numeric)::bigint as value
            from
                jsonb_each(stored_trends.escalation_counts)
                    as severities (name, value)
        ) as entries
    where stored_trends.readable
    group by
        stored_trends.trend_date,
        entries.figure,
        entries.name
),

-- one row per period with a readable trend that has any key
distributions as (
    select
        entries.trend_date,
        jsonb_object_agg(entries.name, entries.total)
        filter (where entries.figure = 'topics') as topic_distribution,
        jsonb_object_agg(entries.name, entries.total)
        filter (where entries.figure = 'tones') as sentiment_distribution,
        jsonb_object_agg(entries.name, entries.total)
        filter (where entries.figure = 'escalations') as escalation_counts
    from entries
    group by entries.trend_date
),

-- one row per period with a trend
totals as (
    select
        judged.trend_date,
        count(*) filter (where judged.readable) as organizations_stored,
        count(*) filter (where judged.readable is not true)
            as organizations_unreadable,
        count(*) filter (where judged.readable and not judged.is_final)
            as organizations_not_final,
        sum(judged.total_classifications) filter (where judged.readable)
            as total_classifications,
        sum(
            case
                when judged.readable
                    then jsonb_array_length(judged.channel_hotspots)
            end
        ) as hotspot_count,
        sum(judged.confidence) filter (where judged.readable) as confidence,
        sum(judged.confident) filter (where judged.readable) as confident
    from (
        select stored_trends.*
        from stored_trends
        -- each is judged once
        offset 0  -- noqa: AM09
    ) as judged
    group by judged.trend_date
),

-- one row per moment from which organizations exist
beginnings as (
    select
        existence.exists_from,
        count(*) as organizations
    from existence
    group by existence.exists_from
),

-- one row per period, with how many organizations should have a trend of it by now
expected as (
    select
        periods.first_day,
        coalesce(sum(beginnings.organizations), 0) as organizations_existing,
        case
            when periods.first_day <= %(last_due)s::timestamp
                then coalesce(sum(beginnings.organizations), 0)
            else 0
        end as organizations_expected
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
    coalesce(totals.confidence, 0)::bigint as confidence,
    coalesce(totals.confident, 0)::bigint as confident,
    coalesce(totals.hotspot_count, 0)::bigint as hotspot_count,
    coalesce(totals.organizations_stored, 0) as organizations_stored,
    coalesce(totals.organizations_not_final, 0)::bigint as organizations_not_final,
    coalesce(totals.organizations_unreadable, 0) as organizations_unreadable,
    expected.organizations_expected::bigint as organizations_expected,
    case
        when expected.first_day <= %(last_due)s::timestamp
            then
                expected.organizations_expected
                - coalesce(totals.organizations_stored, 0)
                - coalesce(totals.organizations_unreadable, 0)
        else 0
    end::bigint as organizations_missing,
    (select count(*) from existence) as organizations_total
from expected
left join totals on expected.first_day = totals.trend_date
left join distributions on expected.first_day = distributions.trend_date
order by expected.first_day;
