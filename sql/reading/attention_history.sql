-- The counts of some organizations: one row each, with a list of date, messages, risky
-- messages, alerts and negative tones for each trend that can be read and is final.
-- reads: trend_sums
select
    trend_sums.organization_id::text as organization_id,
    json_agg(
        json_build_array(
            trend_sums.trend_date::date,
            trend_sums.messages,
            trend_sums.risky::bigint,
            trend_sums.alerts::bigint,
            trend_sums.negative::bigint
        )
    ) as counts
from trend_sums
where
    trend_sums.is_final
    and trend_sums.organization_id = any(%(organization_ids)s::uuid[])
group by trend_sums.organization_id;
