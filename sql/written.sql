-- How far a primary has written its log: its replica has all once it has replayed that
-- far. Null on a replica.
select
    system_identifier::text as system,
    case when not pg_is_in_recovery() then pg_current_wal_flush_lsn() end::text
        as written
from pg_control_system();
