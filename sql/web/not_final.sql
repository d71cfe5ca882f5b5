-- A view: one row per stored trend that is known not to be final. Where the provenance
-- cannot be read, none_not_final.sql takes its place.
select
    provenance.organization_id,
    provenance.trend_date
from communication_trends_provenance as provenance
where
    not provenance.is_final
    and provenance.trend_period = %(period)s::text
    and provenance.trend_date >= %(read_from)s::timestamp
    and provenance.trend_date <= %(read_to)s::timestamp;
