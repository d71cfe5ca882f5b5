-- Whether the provenance of trends can be read: not before its table has been made, nor
-- without the privilege, nor where row-level security would hide some. One row.
select
    coalesce(
        has_table_privilege(provenance.oid, 'select')
        and not row_security_active(provenance.oid),
        false
    ) as knows_origins
from (select to_regclass('communication_trends_provenance')::oid as oid) as provenance;
