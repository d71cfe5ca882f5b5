-- One row per subscription (logical replication) that fills a source table of this
-- database, with how far it is; none where no subscription does. It has applied all
-- that its publisher had written, if it has got that far in its log. Where the
-- publisher cannot be asked, it has applied all that was sent when it was looked at
-- first, once it has processed a sign of life from later (sent at least every 30
-- seconds) or is still without work half a second later. A worker that has just been
-- started proves nothing: it gets a sign of life before its first row. Any role may see
-- this, unless it has been revoked.
-- reads: table_parts
with
subscriptions as materialized (
    select
        subscriptions.oid,
        subscriptions.subname::text as name,
        subscriptions.subslotname::text as slot,
        subscriptions.subenabled as enabled
    from pg_subscription as subscriptions
    inner join pg_database as databases on subscriptions.subdbid = databases.oid
    where databases.datname = current_database()
),

-- the source tables, what a view among them reads, and their partitions
parts as materialized (
    select oid
    from table_parts
    where exists (select 1 from subscriptions)
),

-- with what they are a partition of, which may be what is published
published_relations as (
    select oid from parts
    union
    select ancestors.relid as oid
    from parts
    cross join lateral pg_partition_ancestors(parts.oid) as ancestors (relid)
),

positions as (
    select
        subscriptions.name,
        subscriptions.slot,
        subscriptions.enabled,
        worker.pid,
        -- not ready: the first copy of their rows has not ended
        string_agg(tables.srrelid::regclass::text, ', ' order by tables.srrelid)
        filter (where tables.srsubstate <> 'r') as unfinished_tables,
        worker.latest_end_lsn as applied,
        worker.latest_end_time as applied_until,
        worker.last_msg_send_time as sent_at
    from subscriptions
    inner join pg_subscription_rel as tables
        on
            subscriptions.oid = tables.srsubid
            and tables.srrelid in (select oid from published_relations)
    -- not the workers that copy a table or help with a large transaction; from
    -- PostgreSQL 16 on these have a leader
    left join pg_stat_subscription as worker
        on
            subscriptions.oid = worker.subid
            and worker.relid is null
            and to_jsonb(worker) ->> 'leader_pid' is null
    group by
        subscriptions.name,
        subscriptions.slot,
        subscriptions.enabled,
        worker.pid,
        worker.latest_end_lsn,
        worker.latest_end_time,
        worker.last_msg_send_time
),

-- with what was seen first, and what the publisher had written by then
compared as (
    select
        positions.*,
        (goals.goal ->> 'written')::pg_lsn as written,
        (goals.goal ->> 'pid')::integer as first_pid,
        (goals.goal ->> 'sent_at')::timestamptz as first_sent_at,
        (goals.goal ->> 'seen_at')::timestamptz as first_seen_at
    from positions
    left join jsonb_each(%(goals)s::jsonb) as goals (name, goal)
        on positions.name = goals.name
)

select
    name,
    slot,
    enabled,
    pid,
    applied is not null as has_applied,
    unfinished_tables,
    coalesce(
        enabled
        and unfinished_tables is null
        and case
            when written is not null then applied >= written
            else
                pid = first_pid
                and applied is not null
                and applied_until
                >= least(%(until)s::timestamptz, now() - interval '1 minute')
                and (
                    applied_until > first_sent_at
                    or (
                        applied_until = sent_at
                        and now() >= first_seen_at + interval '0.5 seconds'
                    )
                )
        end,
        false
    ) as is_caught_up,
    to_char(applied_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as applied_until,
    pg_wal_lsn_diff(greatest(written, applied), applied)::bigint as bytes_behind,
    sent_at::text as sent_at,
    now()::text as seen_at
from compared
order by name;
