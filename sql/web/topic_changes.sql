-- Two ranges, topic by topic and tone by tone, over the organization-days with a
-- readable and final trend in both: of one organization, or of all where none is given.
-- One row per topic or tone with its sums, and one for each of the organizations that
-- have most to do with its rise. What people read is divided in core/totals.py.
-- reads: due_days, matched_trends
with
-- one row per trend; read once for the entries and for the number of days
matched as materialized (
    select matched_trends.*
    from matched_trends
),

-- one row per distribution, key and organization
entries as materialized (
    select
        named.distribution,
        named.name,
        matched.organization_id,
        coalesce(sum(named.value) filter (where matched.is_current), 0) as count,
        coalesce(sum(named.value) filter (where not matched.is_current), 0)
            as previous_count
    from matched
    cross join
        lateral (
            select
                'topics' as distribution,
                topics.name,
                trunc(topics.value::numeric)::bigint as value
            from jsonb_each(matched.topic_distribution) as topics (name, value)
            union all
            select
                'tones' as distribution,
                tones.name,
                trunc(tones.value::numeric)::bigint as value
            from jsonb_each(matched.sentiment_distribution) as tones (name, value)
        ) as named
    group by named.distribution, named.name, matched.organization_id
),

-- one row per distribution and organization: what its shares are of
wholes as (
    select
        entries.distribution,
        entries.organization_id,
        sum(entries.count) as whole,
        sum(entries.previous_count) as previous_whole
    from entries
    group by entries.distribution, entries.organization_id
),

-- one row per distribution, key and organization; more than its share before makes of
-- its messages now comes first
ranked as (
    select
        entries.*,
        wholes.whole,
        wholes.previous_whole,
        entries.count
        - entries.previous_count * wholes.whole / nullif(wholes.previous_whole, 0)
            as excess,
        row_number() over (
            partition by entries.distribution, entries.name
            order by
                entries.count
                - entries.previous_count
                * wholes.whole
                / nullif(wholes.previous_whole, 0) desc nulls last,
                entries.organization_id asc
        ) as place
    from entries
    inner join wholes
        on
            entries.distribution = wholes.distribution
            and entries.organization_id = wholes.organization_id
),

-- one row: what is compared
compared as (
    select count(*) filter (where matched.is_current) as matched_days
    from matched
),

-- one row per topic or tone, and one per organization that is named for it
listed as (
    select
        ranked.distribution,
        ranked.name,
        null::uuid as organization_id,
        sum(ranked.count)::bigint as count,
        sum(ranked.previous_count)::bigint as previous_count,
        null::bigint as whole,
        null::bigint as previous_whole,
        null::bigint as place
    from ranked
    group by ranked.distribution, ranked.name
    union all
    select
        ranked.distribution,
        ranked.name,
        ranked.organization_id,
        ranked.count::bigint as count,
        ranked.previous_count::bigint as previous_count,
        ranked.whole::bigint as whole,
        ranked.previous_whole::bigint as previous_whole,
        ranked.place
    from ranked
    where
        ranked.place <= %(named_organizations)s::integer
        and ranked.excess > 0
)

select
    compared.matched_days,
    due_days.days as possible_days,
    listed.distribution,
    listed.name as key,
    listed.count,
    listed.previous_count,
    listed.whole,
    listed.previous_whole,
    existence.id::text as organization_id,
    existence.name,
    existence.slug
from compared
cross join due_days
left join listed on true
left join existence on listed.organization_id = existence.id
order by listed.distribution, listed.name, listed.place nulls first;
