-- Whether everything is here that was committed before a moment. Anywhere but on a
-- replica it is. A replica has it once it has replayed a later transaction, or all that
-- its primary had written: as the primary says, where it is the target; else as the
-- replica's receiver last heard from it, at least every 30 seconds. What the receiver
-- knows only pg_read_all_stats may see.
with replica as (
    select
        pg_is_in_recovery() as in_recovery,
        pg_last_xact_replay_timestamp() as replayed_at,
        pg_last_wal_replay_lsn() as replayed,
        %(system)s::text = system.system_identifier::text as is_of_primary,
        coalesce(receiver.pid is not null and receiver.status is null, false)
            as receiver_is_hidden,
        coalesce(
            receiver.status = 'streaming'
            and receiver.last_msg_send_time
            >= least(%(until)s::timestamptz, now() - interval '1 minute'),
            false
        ) as receiver_is_current,
        greatest(receiver.latest_end_lsn, pg_last_wal_receive_lsn()) as received
    from pg_control_system() as system
    left join pg_stat_wal_receiver as receiver on true
)

select
    case
        when not in_recovery then true
        when replayed_at >= %(until)s::timestamptz then true
        when is_of_primary then replayed >= %(written)s::pg_lsn
        when not is_of_primary then receiver_is_current and replayed >= received
        else false
    end as is_there,
    to_char(replayed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as replayed_until,
    round(
        extract(epoch from least(%(until)s::timestamptz, now()) - replayed_at)
    )::bigint as seconds_behind,
    pg_wal_lsn_diff(
        greatest(
            case when is_of_primary then %(written)s::pg_lsn end, received, replayed
        ),
        replayed
    )::bigint as bytes_behind,
    not coalesce(is_of_primary, false) and receiver_is_hidden as receiver_is_hidden,
    case when in_recovery then pg_is_wal_replay_paused() else false end as is_paused
from replica;
