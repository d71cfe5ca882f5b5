-- How far a server has written its log, for a replica of its to be held against.
select
    system_identifier::text as system,
    case when not pg_is_in_recovery() then pg_current_wal_flush_lsn() end::text
        as written
from pg_control_system();
