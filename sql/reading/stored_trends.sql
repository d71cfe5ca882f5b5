-- A view: one row per stored trend of the periods read that counts: it begins where a
-- period begins, and its organization is known and existed by the period's end. With
-- whether it can be read, which has to be asked before anything is computed of it (if
-- not, it is false or null); and whether it is final: its period has ended, and its
-- provenance does not say otherwise.
-- reads: existence, provenance
select
    communication_trends.organization_id,
    communication_trends.trend_date,
    communication_trends.topic_distribution,
    communication_trends.sentiment_distribution,
    communication_trends.escalation_counts,
    communication_trends.channel_hotspots,
    communication_trends.total_classifications,
    communication_trends.avg_confidence,
    -- of a trend without an average, neither side of the mean
    weights.confident * communication_trends.avg_confidence as confidence,
    weights.confident,
    -- plain comparisons, whose nulls are left: of a coalesce() the planner would expect
    -- that half of the trends pass, and would look up the others one by one
    not communication_trends.topic_distribution @@ %(broken_counts)s::jsonpath
    and not communication_trends.sentiment_distribution @@ %(broken_counts)s::jsonpath
    and communication_trends.total_classifications between 0 and %(max_count)s::bigint
    and (
        communication_trends.avg_confidence is null
        or communication_trends.avg_confidence between 0 and 100
    )
    -- most have none, which is quicker seen than judged
    and (
        communication_trends.escalation_counts = '{}'
        or not communication_trends.escalation_counts @@ %(broken_counts)s::jsonpath
    )
    and (
        communication_trends.channel_hotspots = '[]'
        or not communication_trends.channel_hotspots @@ %(broken_hotspots)s::jsonpath
    ) as readable,
    coalesce(provenance.is_final, true)
    and communication_trends.trend_date <= %(last_ended)s::timestamp as is_final
from communication_trends
inner join existence on communication_trends.organization_id = existence.id
left join provenance
    on
        communication_trends.organization_id = provenance.organization_id
        and communication_trends.trend_date = provenance.trend_date
inner join lateral (  -- noqa: ST05
    select
        case
            -- a numeric column may hold NaN
            when
                communication_trends.avg_confidence between 0 and 100
                and communication_trends.total_classifications
                between 0 and %(max_count)s::bigint
                then
                    least(
                        communication_trends.total_classifications::bigint,
                        -- where it is not known of how many: as if of all
                        coalesce(
                            nullif(greatest(provenance.messages_with_confidence, 0), 0),
                            communication_trends.total_classifications::bigint
                        )
                    )
        end as confident
) as weights on true
where
    communication_trends.trend_period = %(trend_period)s::text
    and communication_trends.trend_date = any(%(read_days)s::timestamp[])
    -- it ends later: said with >, the planner would expect that of a third
    and greatest(
        communication_trends.trend_date + %(step)s::interval, existence.exists_from
    ) <> existence.exists_from;
