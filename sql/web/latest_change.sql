-- When the trends were changed last, if that was within a day. One row.
select max(provenance.changed_at) as changed_at
from communication_trends_provenance as provenance
where provenance.changed_at > now() - interval '1 day';
