-- The moment up to which every change is visible now: a transaction that is still open
-- may commit changes that it dates to its beginning.
select coalesce(min(xact_start), now()) as changes_until
from pg_stat_activity
where
    datname = current_database()
    and usename = current_user
    and backend_xid is not null;
