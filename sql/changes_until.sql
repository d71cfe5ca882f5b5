-- The moment up to which a snapshot that is taken after this sees every change. A
-- transaction that is still open, also one that has written nothing yet, may commit
-- changes that it dates to its beginning. Sessions of its own role see it, as the one
-- that stores trends does, and so do members of pg_read_all_stats. Where it is hidden,
-- also without track_activities or on a replica, the moment is a day ago, since no
-- transaction is that long.
with
viewer as (
    select
        pg_has_role('pg_read_all_stats', 'usage') as sees_all,
        to_regclass('communication_trends_provenance') as provenance
),

writers as (
    select
        viewer.sees_all,
        has_table_privilege(viewer.provenance, 'insert') as is_writer,
        sessions.xact_start
    from pg_stat_activity as sessions
    cross join viewer
    where
        sessions.datname = current_database()
        and (
            sessions.usename = current_user
            or (
                viewer.sees_all
                and has_table_privilege(
                    sessions.usesysid, viewer.provenance, 'insert'
                )
            )
        )
)

select
    coalesce(
        case
            when not pg_is_in_recovery() and bool_or(sees_all or is_writer)
                then min(xact_start) - interval '1 microsecond'
        end,
        least(now(), pg_last_xact_replay_timestamp()) - interval '1 day'
    ) as changes_until
from writers;
