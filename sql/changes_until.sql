-- The moment up to which a snapshot that is taken after this sees every change. A
-- transaction that is still open, also one that has written nothing yet, may commit
-- changes that it dates to its beginning. That of others shows only for sessions of
-- the same role. Without track_activities none shows, and no transaction is that long.
select
    coalesce(min(xact_start) - interval '1 microsecond', now() - interval '1 day')
        as changes_until
from pg_stat_activity
where
    datname = current_database()
    and usename = current_user;
