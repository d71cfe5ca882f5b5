-- How far a server has written its log, and the names of its slots for logical
-- replication: its replica has all once it has replayed that far, a subscription to it
-- once it has applied that far. Null on a replica, which writes none.
select
    case when not pg_is_in_recovery() then pg_current_wal_flush_lsn() end::text
        as written,
    array(
        select slots.slot_name::text
        from pg_replication_slots as slots
        where slots.slot_type = 'logical'
    ) as slots;
