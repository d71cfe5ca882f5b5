-- A view: one row per stored trend of the periods read that counts: it begins where a
-- period begins, and its organization is known and existed by the period's end. With
-- whether it can be read, and nulls where not; and whether it is final: its period has
-- ended, and its provenance does not say otherwise.
-- reads: existence, not_final
select
    communication_trends.organization_id,
    communication_trends.trend_date,
    case when judged.readable then communication_trends.topic_distribution end
        as topic_distribution,
    case when judged.readable then communication_trends.sentiment_distribution end
        as sentiment_distribution,
    case when judged.readable then communication_trends.escalation_counts end
        as escalation_counts,
    case when judged.readable then communication_trends.channel_hotspots end
        as channel_hotspots,
    case when judged.readable then communication_trends.total_classifications end
        as total_classifications,
    case when judged.readable then communication_trends.avg_confidence end
        as avg_confidence,
    -- of a trend without an average, neither side of the mean
    case
        when judged.readable
            then
                communication_trends.total_classifications::numeric
                * communication_trends.avg_confidence
    end as confidence,
    case
        when judged.readable and communication_trends.avg_confidence is not null
            then communication_trends.total_classifications
    end as confident,
    communication_trends.channel_hotspots <> '[]' as has_hotspots,
    judged.readable,
    not_final.organization_id is null
    and communication_trends.trend_date <= %(last_ended)s::timestamp as is_final
from communication_trends
inner join existence on communication_trends.organization_id = existence.id
cross join
    lateral (
        select
            coalesce(
                not communication_trends.topic_distribution
                @@ %(broken_counts)s::jsonpath
                and not communication_trends.sentiment_distribution
                @@ %(broken_counts)s::jsonpath
                -- most have none, which is quicker seen than judged
                and (
                    communication_trends.escalation_counts = '{}'
                    or not communication_trends.escalation_counts
                    @@ %(broken_counts)s::jsonpath
                )
                and (
                    communication_trends.channel_hotspots = '[]'
                    or not communication_trends.channel_hotspots
                    @@ %(broken_hotspots)s::jsonpath
                )
                and communication_trends.total_classifications >= 0
                and coalesce(communication_trends.avg_confidence, 0) between 0 and 100,
                false
            ) as readable
        -- judged once, not again for each column that depends on it
        from (values (1)) as once (number)
        offset 0  -- noqa: AM09
    ) as judged
left join not_final
    on
        communication_trends.organization_id = not_final.organization_id
        and communication_trends.trend_date = not_final.trend_date
where
    communication_trends.trend_period = %(period)s::text
    and communication_trends.trend_date = any(%(read_days)s::timestamp[])
    and (
        -- the same as the next, for most organizations, and costs nothing
        communication_trends.trend_date + %(step)s::interval > existence.created_from
        or communication_trends.trend_date + %(step)s::interval > existence.exists_from
    );
