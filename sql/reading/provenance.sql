-- A view: one row per stored trend of the periods read whose provenance says anything
-- that is not taken for granted: that it is not final, or that not all of its messages
-- had a confidence. Where it cannot be read, no_provenance.sql takes its place.
select
    communication_trends_provenance.organization_id,
    communication_trends_provenance.trend_date,
    communication_trends_provenance.is_final,
    communication_trends_provenance.messages_with_confidence
from communication_trends_provenance
where
    communication_trends_provenance.trend_period = %(trend_period)s::text
    and communication_trends_provenance.trend_date >= %(read_from)s::timestamp
    and communication_trends_provenance.trend_date <= %(read_to)s::timestamp
    -- of most there is no such thing, and few are quicker joined than all
    and (
        not communication_trends_provenance.is_final
        or coalesce(
            communication_trends_provenance.messages_with_confidence
            < communication_trends_provenance.messages,
            true
        )
    );
