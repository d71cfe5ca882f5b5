-- For this transaction only, so that a connection pooler can hand the session on.
-- UTC makes timestamp and timestamptz columns mean the same day. With row_security
-- off, a policy that would hide rows is an error instead of a wrong number.
select
    set_config('timezone', 'UTC', true) as timezone,
    set_config('row_security', 'off', true) as row_security,
    set_config('transaction_read_only', %(read_only)s, true) as read_only,
    set_config('statement_timeout', %(statement_timeout)s, true)
        as statement_timeout,
    set_config('lock_timeout', %(lock_timeout)s, true) as lock_timeout;
