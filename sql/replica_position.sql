-- How far a replica has replayed, and whether that includes everything committed before
-- a moment: once it has replayed a later transaction, or all that its primary had
-- written, as the primary says where it is the target, else as the replica's receiver
-- last heard from it, at least every 30 seconds. What the receiver knows only
-- pg_read_all_stats may see. A primary, which a pooler may lead to, has all there is.
with replica as (
    select
        paused.is_paused,
        pg_last_xact_replay_timestamp() as replayed_at,
        pg_last_wal_replay_lsn() as replayed,
        coalesce(receiver.pid is not null and receiver.status is null, false)
            as receiver_is_hidden,
        coalesce(
            receiver.status = 'streaming'
            and receiver.last_msg_send_time
            >= least(%(until)s::timestamptz, now() - interval '1 minute'),
            false
        ) as receiver_is_current,
        greatest(receiver.latest_end_lsn, pg_last_wal_receive_lsn()) as received
    from (
        select case when pg_is_in_recovery() then pg_is_wal_replay_paused() end
    ) as paused (is_paused)
    left join pg_stat_wal_receiver as receiver on true
)

select
    coalesce(
        case
            when not pg_is_in_recovery() then true
            when replayed_at >= %(until)s::timestamptz then true
            when %(target_is_primary)s::boolean
                then replayed >= %(written)s::pg_lsn
            else receiver_is_current and replayed >= received
        end,
        false
    ) as is_caught_up,
    to_char(replayed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as replayed_until,
    round(
        extract(epoch from least(%(until)s::timestamptz, now()) - replayed_at)
    )::bigint as seconds_behind,
    pg_wal_lsn_diff(greatest(%(written)s::pg_lsn, received, replayed), replayed)::bigint
        as bytes_behind,
    not %(target_is_primary)s::boolean and receiver_is_hidden as receiver_is_hidden,
    is_paused,
    pg_postmaster_start_time() as server_started_at
from replica;
