-- Sets up a transaction, and for it alone: a connection pooler can hand the session on.
select
    -- timestamp and timestamptz columns mean the same day
    set_config('timezone', 'UTC', true) as timezone,
    -- whatever the server or the environment says: JSON is always read as UTF-8
    set_config('client_encoding', 'UTF8', true) as client_encoding,
    -- a policy that would hide rows is an error instead of a wrong number
    set_config('row_security', 'off', true) as row_security,
    -- compiling takes longer than running the statement does for most organizations
    set_config('jit', 'off', true) as jit,
    -- whatever the role has: dates are written as the drivers read them,
    set_config('datestyle', 'ISO', true) as datestyle,
    -- backslashes are plain characters,
    set_config('standard_conforming_strings', 'on', true) as conforming_strings,
    -- a null in an array is one,
    set_config('array_nulls', 'on', true) as array_nulls,
    -- and the warning that no standby has confirmed a commit arrives
    set_config('client_min_messages', 'notice', true) as messages,
    -- statement_timeout bounds it already
    case
        when current_setting('server_version_num')::integer >= 170000
            then set_config('transaction_timeout', '0', true)
    end as transaction_timeout,
    -- The aggregation counts in hash tables, whatever number of rows the planner
    -- expects: it expects the same of each organization, and where few are average it
    -- would sort the rows of a large one, which takes twice as long.
    case
        when %(aggregating)s::boolean then set_config('enable_sort', 'off', true)
    end as enable_sort,
    -- a request: whether a transaction may write, the server decides
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
