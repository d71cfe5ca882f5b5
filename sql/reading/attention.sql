-- Periods that may be anomalous: one row per organization and period with a count that
-- is far from the median of its baseline, with a share that may last among fewer
-- messages than usual, or that would be sure even with too short a baseline; with all
-- of them, how many organizations there are, of how many enough is stored, in all and
-- in each period, and whether any has a period without messages. Looked at are trends
-- that can be read and are final. What is anomalous is decided in core/anomalies.py;
-- is_suspect() and may_last() there ask the same, with the same values.
-- reads: existence, trend_sums
with
-- one row per trend
counts as materialized (
    select
        trend_sums.organization_id,
        trend_sums.trend_date,
        trend_sums.messages,
        trend_sums.risky::bigint as risky,
        trend_sums.alerts::bigint as alerts,
        trend_sums.negative::bigint as negative
    from trend_sums
    where
        trend_sums.is_final
        and trend_sums.trend_date = any(%(read_days)s::timestamp[])
        and (
            %(organization_ids)s::uuid[] is null
            or trend_sums.organization_id = any(%(organization_ids)s::uuid[])
        )
),

-- one row per trend and period that it is compared for: its own, or a later one
placed as (
    select
        counts.organization_id,
        pairs.compared_day as day,
        pairs.compared_day = counts.trend_date as is_current,
        counts.messages,
        counts.risky,
        counts.alerts,
        counts.negative
    from counts
    inner join
        unnest(%(read_days)s::timestamp[], %(compared_days)s::timestamp[])
            as pairs (read_day, compared_day)
        on counts.trend_date = pairs.read_day
),

-- one row per organization and stored period. Grouped, not joined: of trends just
-- written the planner expects hardly a row, and would read all of them again for each
compared as materialized (
    select
        placed.organization_id,
        placed.day as trend_date,
        count(*) filter (where not placed.is_current)
        >= %(min_baseline)s::integer as is_judged,
        max(placed.messages) filter (where placed.is_current) as messages,
        -- of a silence that lasts, the others are part of it
        max(placed.messages) filter (where not placed.is_current) as most_messages,
        max(placed.risky) filter (where placed.is_current) as risky,
        max(placed.alerts) filter (where placed.is_current) as alerts,
        max(placed.negative) filter (where placed.is_current) as negative,
        percentile_cont(array[0.25, 0.5, 0.75])
        within group (order by placed.messages)
        filter (where not placed.is_current) as usual_messages,
        percentile_cont(array[0.25, 0.5, 0.75])
        within group (order by placed.risky)
        filter (where not placed.is_current) as usual_risky,
        percentile_cont(array[0.25, 0.5, 0.75])
        within group (order by placed.alerts)
        filter (where not placed.is_current) as usual_alerts,
        percentile_cont(array[0.25, 0.5, 0.75])
        within group (order by placed.negative)
        filter (where not placed.is_current) as usual_negative,
        -- of no messages there is no share
        percentile_cont(0.5)
        within group (
            order by placed.risky::float / nullif(placed.messages, 0)
        )
        filter (where not placed.is_current) as usual_risky_share,
        percentile_cont(0.5)
        within group (
            order by placed.negative::float / nullif(placed.messages, 0)
        )
        filter (where not placed.is_current) as usual_negative_share
    from placed
    group by
        placed.organization_id,
        placed.day
    having bool_or(placed.is_current)
),

-- one row per organization and period that may be anomalous
suspects as (
    select
        compared.organization_id,
        compared.trend_date,
        compared.is_judged,
        existence.name,
        existence.slug
    from compared
    inner join existence on compared.organization_id = existence.id
    where
        case
            when compared.is_judged
                then exists (
                    select
                    from (
                        values
                        (compared.messages, compared.usual_messages, true, null),
                        (
                            compared.risky,
                            compared.usual_risky,
                            false,
                            compared.usual_risky_share
                        ),
                        (compared.alerts, compared.usual_alerts, false, null),
                        (
                            compared.negative,
                            compared.usual_negative,
                            false,
                            compared.usual_negative_share
                        )
                    ) as metrics (number, quartiles, sinks, share)
                    where
                        (
                            (metrics.number - metrics.quartiles[2])
                            * (metrics.number - metrics.quartiles[2])
                            >= %(screen_variance)s::float * metrics.quartiles[2]
                            and case
                                when metrics.number > metrics.quartiles[2]
                                    then
                                        metrics.number >= greatest(
                                            %(min_count)s::float,
                                            %(screen_ratio)s::float
                                            * metrics.quartiles[2],
                                            metrics.quartiles[2]
                                            + %(screen_quartiles)s::float
                                            * (
                                                metrics.quartiles[2]
                                                - metrics.quartiles[1]
                                            )
                                        )
                                else
                                    metrics.sinks
                                    and metrics.quartiles[2] >= %(min_count)s::float
                                    and metrics.number <= least(
                                        %(screen_ratio_low)s::float
                                        * metrics.quartiles[2],
                                        metrics.quartiles[2]
                                        - %(screen_quartiles)s::float
                                        * least(
                                            metrics.quartiles[2] - metrics.quartiles[1],
                                            metrics.quartiles[3] - metrics.quartiles[2]
                                        )
                                    )
                            end
                        )
                        or (
                            metrics.number >= %(min_count)s::float
                            and compared.messages < compared.usual_messages[2]
                            and metrics.number::float / nullif(compared.messages, 0)
                            > %(continuing_ratio)s::float * metrics.share
                        )
                )
            else
                compared.alerts >= %(sure_count)s::integer
                or (
                    compared.messages = 0
                    -- of a first week none of these may be stored
                    and coalesce(
                        compared.most_messages >= %(sure_count)s::integer,
                        true
                    )
                )
        end
)

select
    counted.organizations_total,
    counted.organizations_compared,
    counted.compared_by_date,
    counted.any_silent,
    suspects.organization_id::text as organization_id,
    suspects.name,
    suspects.slug,
    suspects.trend_date::date as date,
    suspects.is_judged
from (
    select
        (
            select count(*)
            from existence
            where
                %(organization_ids)s::uuid[] is null
                or existence.id = any(%(organization_ids)s::uuid[])
        ) as organizations_total,
        (
            select count(distinct compared.organization_id)
            from compared
            where compared.is_judged
        ) as organizations_compared,
        (
            select
                coalesce(
                    json_object_agg(by_date.trend_date::date, by_date.organizations),
                    '{}'
                )
            from (
                select
                    compared.trend_date,
                    count(*) as organizations
                from compared
                where compared.is_judged
                group by compared.trend_date
            ) as by_date
        ) as compared_by_date,
        (
            select coalesce(bool_or(compared.messages = 0), false)
            from compared
        ) as any_silent
) as counted
left join suspects on true;
