-- Which trends of some periods a run has filled: one row each.
select
    organization_id::text as organization_id,
    trend_date::date as date
from communication_trends_provenance
where
    trend_period = %(trend_period)s::text
    and trend_date = any(%(days)s::timestamp[])
    and run_id = %(run_id)s::text
    and change = 'filled';
