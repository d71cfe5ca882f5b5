-- For this transaction only, so that a connection pooler can hand the session on.
-- UTC makes timestamp and timestamptz columns mean the same day. With row_security
-- off, a policy that would hide rows is an error instead of a wrong number. UTF8 is
-- asked for whatever the server or the environment says: JSON is always read as UTF-8.
-- Read-only is asked for here; whether a transaction may write, the server decides.
-- Compiling the statement takes longer than running it does for most organizations.
-- The aggregation counts in hash tables, whatever number of rows the planner expects:
-- it expects the same of each organization, and where few are average it would sort
-- the rows of a large one, which takes twice as long as hashing them.
-- Whatever the role has: dates are written as the drivers read them, backslashes are
-- plain characters, the warning that no standby has confirmed a commit arrives, and no
-- transaction_timeout (from PostgreSQL 17 on) ends what statement_timeout bounds
-- already.
select
    set_config('timezone', 'UTC', true) as timezone,
    set_config('client_encoding', 'UTF8', true) as client_encoding,
    set_config('row_security', 'off', true) as row_security,
    set_config('jit', 'off', true) as jit,
    set_config('datestyle', 'ISO', true) as datestyle,
    set_config('standard_conforming_strings', 'on', true) as conforming_strings,
    set_config('client_min_messages', 'notice', true) as messages,
    case
        when current_setting('server_version_num')::integer >= 170000
            then set_config('transaction_timeout', '0', true)
    end as transaction_timeout,
    case
        when %(aggregating)s::boolean then set_config('enable_sort', 'off', true)
    end as enable_sort,
    case
        when %(read_only)s::boolean
            then set_config('transaction_read_only', 'on', true)
    end as read_only,
    set_config('statement_timeout', %(statement_timeout)s, true)
        as statement_timeout,
    set_config('lock_timeout', %(lock_timeout)s, true) as lock_timeout,
    set_config('idle_in_transaction_session_timeout', %(idle_timeout)s, true)
        as idle_timeout,
    current_setting('server_encoding') as server_encoding,
    pg_is_in_recovery() as in_recovery,
    pg_postmaster_start_time() as server_started_at,
    now() as began_at;
