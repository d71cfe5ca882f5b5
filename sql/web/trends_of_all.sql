-- All organizations together, or one: one row per period of the range, with the sums of
-- its readable trends, or with nulls where there is none. Nothing is divided in here.
-- With what counts for nothing in the whole range, on each row the same.
-- reads: existence, stored_trends, stored_counts, ignored
with
-- one row per readable trend, with its entries of other names than the usual ones
trends as not materialized (
    select
        stored_trends.*,
        stored_trends.topic_distribution
        - array[
            'complaint',
            'escalation',
            'general',
            'request',
            'scheduling',
            'status_update',
            'technical'
        ] as other_topics,
        stored_trends.sentiment_distribution
        - array[
            'angry',
            'frustrated',
            'neutral',
            'positive',
            'tense'
        ] as other_tones,
        stored_trends.escalation_counts
        - array[
            'critical',
            'high',
            'medium'
        ] as other_severities
    from stored_trends
    where stored_trends.readable
),

-- one row per period with a readable trend; asked for by its name, an entry takes a
-- tenth of the time of one of any name. Nothing is truncated, since hardly any has
-- decimals
sums as (
    select
        trends.trend_date,
        count(*) as organizations_stored,
        count(*) filter (where not trends.is_final) as organizations_not_final,
        sum(trends.total_classifications) as total_classifications,
        sum(jsonb_array_length(trends.channel_hotspots)) as hotspot_count,
        sum(trends.confidence) as confidence,
        sum(trends.confident) as confident,
        jsonb_strip_nulls(
            jsonb_build_object(
                'complaint',
                sum((trends.topic_distribution -> 'complaint')::numeric),
                'escalation',
                sum((trends.topic_distribution -> 'escalation')::numeric),
                'general',
                sum((trends.topic_distribution -> 'general')::numeric),
                'request',
                sum((trends.topic_distribution -> 'request')::numeric),
                'scheduling',
                sum((trends.topic_distribution -> 'scheduling')::numeric),
                'status_update',
                sum((trends.topic_distribution -> 'status_update')::numeric),
                'technical',
                sum((trends.topic_distribution -> 'technical')::numeric)
            )
        ) as topic_distribution,
        jsonb_strip_nulls(
            jsonb_build_object(
                'angry',
                sum((trends.sentiment_distribution -> 'angry')::numeric),
                'frustrated',
                sum((trends.sentiment_distribution -> 'frustrated')::numeric),
                'neutral',
                sum((trends.sentiment_distribution -> 'neutral')::numeric),
                'positive',
                sum((trends.sentiment_distribution -> 'positive')::numeric),
                'tense',
                sum((trends.sentiment_distribution -> 'tense')::numeric)
            )
        ) as sentiment_distribution,
        jsonb_strip_nulls(
            jsonb_build_object(
                'critical',
                sum((trends.escalation_counts -> 'critical')::numeric),
                'high',
                sum((trends.escalation_counts -> 'high')::numeric),
                'medium',
                sum((trends.escalation_counts -> 'medium')::numeric)
            )
        ) as escalation_counts,
        bool_or(
            trends.other_topics <> '{}'
            or trends.other_tones <> '{}'
            or trends.other_severities <> '{}'
        ) as has_others
    from trends
    group by trends.trend_date
),

-- the same, with whether any count has decimals, as another writer may store them
totals as materialized (
    select
        sums.*,
        -- a sum has as many decimals as the summand that has the most, if only zeros
        concat(
            sums.topic_distribution,
            sums.sentiment_distribution,
            sums.escalation_counts
        ) like '%%.%%' as has_decimals
    from sums
),

-- one row per period, distribution and other name; where there are decimals, of the
-- usual names as well, each truncated before it is added
entries as (
    select
        trends.trend_date,
        entries.figure,
        entries.name,
        sum(trunc(entries.value::numeric)) as total
    from trends
    cross join
        lateral (  -- noqa: ST05
            select
                trends.trend_date = any(
                    array(
                        select totals.trend_date
                        from totals
                        where totals.has_decimals
                    )
                ) as has_decimals
        ) as periods
    cross join
        lateral (
            select
                'topics' as figure,
                topics.name,
                topics.value
            from
                jsonb_each(
                    case
                        when periods.has_decimals then trends.topic_distribution
                        else trends.other_topics
                    end
                ) as topics (name, value)
            union all
            select
                'tones' as figure,
                tones.name,
                tones.value
            from
                jsonb_each(
                    case
                        when periods.has_decimals then trends.sentiment_distribution
                        else trends.other_tones
                    end
                ) as tones (name, value)
            union all
            select
                'escalations' as figure,
                severities.name,
                severities.value
            from
                jsonb_each(
                    case
                        when periods.has_decimals then trends.escalation_counts
                        else trends.other_severities
                    end
                ) as severities (name, value)
        ) as entries
    where
        -- of one organization, there are too few to look up only some
        %(organization_id)s::uuid is not null
        or trends.trend_date = any(
            array(
                select totals.trend_date
                from totals
                where totals.has_others or totals.has_decimals
            )
        )
    group by
        trends.trend_date,
        entries.figure,
        entries.name
),

-- one row per such period, with what takes the place of the entries there are
others as (
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

-- one row per date with a trend, read or not
there as (
    select
        stored_counts.trend_date,
        stored_counts.of_organizations - stored_counts.before_existence
            as organizations
    from stored_counts
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
        when there.organizations > 0 then 'unreadable'
        when expected.first_day > %(last_due)s::timestamp then 'notDue'
        when expected.organizations_existing > 0 then 'missing'
        else 'notCreated'
    end as state,
    coalesce(totals.topic_distribution, '{}')
    || coalesce(others.topic_distribution, '{}') as topic_distribution,
    coalesce(totals.sentiment_distribution, '{}')
    || coalesce(others.sentiment_distribution, '{}') as sentiment_distribution,
    coalesce(totals.escalation_counts, '{}')
    || coalesce(others.escalation_counts, '{}') as escalation_counts,
    coalesce(totals.total_classifications, 0)::bigint as total_classifications,
    coalesce(totals.confidence, 0)::bigint as confidence,
    coalesce(totals.confident, 0)::bigint as confident,
    coalesce(totals.hotspot_count, 0)::bigint as hotspot_count,
    coalesce(totals.organizations_stored, 0) as organizations_stored,
    coalesce(totals.organizations_not_final, 0)::bigint as organizations_not_final,
    coalesce(there.organizations, 0) - coalesce(totals.organizations_stored, 0)
        as organizations_unreadable,
    expected.organizations_expected::bigint as organizations_expected,
    case
        when expected.first_day <= %(last_due)s::timestamp
            then
                expected.organizations_expected
                - coalesce(there.organizations, 0)
        else 0
    end::bigint as organizations_missing,
    (select count(*) from existence) as organizations_total,
    ignored.off_grid,
    ignored.of_no_organization,
    ignored.before_existence
from expected
cross join ignored
left join totals on expected.first_day = totals.trend_date
left join there on expected.first_day = there.trend_date
left join others on expected.first_day = others.trend_date
order by expected.first_day;
