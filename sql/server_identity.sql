-- Which server this is: the same system identifier is that of a replica, or of another
-- copy of its files; the same start too is that of the server itself.
select
    system_identifier::text as system,
    pg_postmaster_start_time() as started_at,
    pg_is_in_recovery() as in_recovery
from pg_control_system();
