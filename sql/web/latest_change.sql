-- When the trends were changed last, if that was within a day. One row.
select max(provenance.changed_at) as changed_at
from communication_trends_provenance as provenance
where
    provenance.changed_at > now() - interval '1 day'
    -- a date beyond the calendar is no moment
    and provenance.changed_at < '9999-12-31';
