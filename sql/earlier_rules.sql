-- One row per other rule of hotspots that organizations have in their latest trend up
-- to a period: how many have it.
select
    latest.hotspot_rule::text as hotspot_rule,
    count(*) as organizations
from unnest(%(organization_ids)s::uuid[]) as wanted (organization_id)
inner join lateral (  -- noqa: ST05
    select provenance.hotspot_rule
    from communication_trends_provenance as provenance
    where
        wanted.organization_id = provenance.organization_id
        and provenance.trend_period = %(trend_period)s::text
        and provenance.trend_date <= %(last_start)s::timestamp
    order by provenance.trend_date desc
    limit 1
) as latest on true
where latest.hotspot_rule <> %(hotspot_rule)s::jsonb
group by latest.hotspot_rule
order by organizations desc;
