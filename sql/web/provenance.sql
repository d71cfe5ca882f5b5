-- A view: one row per stored trend of the periods read that has provenance, with what
-- is read of it. Where it cannot be read, no_provenance.sql takes its place.
select
    communication_trends_provenance.organization_id,
    communication_trends_provenance.trend_date,
    communication_trends_provenance.is_final,
    communication_trends_provenance.messages_with_confidence
from communication_trends_provenance
where
    communication_trends_provenance.trend_period = %(period)s::text
    and communication_trends_provenance.trend_date >= %(read_from)s::timestamp
    and communication_trends_provenance.trend_date <= %(read_to)s::timestamp;
