-- One organization: one row per period of the range, from the first to the last, with
-- its trend, or with nulls where none is stored that can be read. No row: no such
-- organization.
-- reads: existence, stored_trends
with
-- one row: the moment from which the organization exists
asked_organization as materialized (
    select existence.exists_from
    from existence
    where existence.id = %(organization_id)s::uuid
),

-- one row per period with a trend
found_trends as materialized (
    select stored_trends.*
    from stored_trends
    where stored_trends.organization_id = %(organization_id)s::uuid
)

select
    periods.first_day::date as date,
    case
        when found_trends.readable then 'stored'
        when found_trends.trend_date is not null then 'unreadable'
        when periods.first_day > %(last_due)s::timestamp then 'notDue'
        when
            periods.first_day + %(step)s::interval <= asked_organization.exists_from
            then 'notCreated'
        else 'missing'
    end as state,
    found_trends.is_final,
    -- what cannot be read is not sent either: Python may fail to take it in
    case when found_trends.readable then found_trends.topic_distribution end
        as topic_distribution,
    case when found_trends.readable then found_trends.sentiment_distribution end
        as sentiment_distribution,
    case when found_trends.readable then found_trends.escalation_counts end
        as escalation_counts,
    case
        when found_trends.readable
            then (
                select
                    coalesce(
                        jsonb_agg(
                            jsonb_build_object(
                                'channelId', hotspots.entry -> 'channelId',
                                'riskScore', hotspots.entry -> 'riskScore',
                                'messageCount', hotspots.entry -> 'messageCount'
                            ) order by hotspots.position
                        ),
                        '[]'
                    )
                from
                    jsonb_array_elements(found_trends.channel_hotspots)
                    with ordinality as hotspots (entry, position)
            )
    end as channel_hotspots,
    -- another writer's columns may be numeric, with decimals
    case when found_trends.readable then found_trends.total_classifications::bigint end
        as total_classifications,
    case when found_trends.readable then found_trends.avg_confidence::bigint end
        as avg_confidence,
    coalesce(found_trends.confidence, 0)::bigint as confidence,
    coalesce(found_trends.confident, 0)::bigint as confident
from asked_organization
cross join
    generate_series(
        %(first_day)s::timestamp,
        %(last_day)s::timestamp,
        %(step)s::interval
    ) as periods (first_day)
left join found_trends on periods.first_day = found_trends.trend_date
order by periods.first_day;
