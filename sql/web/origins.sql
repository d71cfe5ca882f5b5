-- One organization: one row per stored trend of the range whose origin is known.
select
    provenance.trend_date::date as date,
    provenance.is_final,
    -- a date beyond the calendar is no moment
    case
        when provenance.computed_at between '0001-01-02' and '9999-12-30'
            then provenance.computed_at
    end as computed_at
from communication_trends_provenance as provenance
where
    provenance.organization_id = %(organization_id)s::uuid
    and provenance.trend_period = %(trend_period)s::text
    and provenance.trend_date >= %(first_day)s::timestamp
    and provenance.trend_date <= %(last_day)s::timestamp;
