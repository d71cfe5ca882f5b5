-- One row per rule by which the hotspots of the stored trends of the range were
-- computed, the earliest first, with a null rule for those of unknown origin: of one
-- organization, or of all where none is given.
-- reads: stored_trends
select
    provenance.hotspot_rule::text as hotspot_rule,
    provenance.hotspot_rule = %(hotspot_rule)s::jsonb as is_current,
    count(*) as trends,
    min(stored_trends.trend_date)::date as first_date,
    max(stored_trends.trend_date)::date as last_date
from stored_trends
left join communication_trends_provenance as provenance
    on
        stored_trends.organization_id = provenance.organization_id
        and stored_trends.trend_date = provenance.trend_date
        and provenance.trend_period = %(trend_period)s::text
        -- the planner does not see that the range holds here as well
        and provenance.trend_date >= %(first_day)s::timestamp
        and provenance.trend_date <= %(last_day)s::timestamp
group by provenance.hotspot_rule
order by
    first_date,
    last_date,
    provenance.hotspot_rule;
