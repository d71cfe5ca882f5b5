-- A view: one row, how many organization-days of the range should be stored by now: of
-- one organization, or of all where none is given.
-- reads: existence
select count(*) as days
from (
    -- read once, not for each period
    select existence.exists_from
    from existence
    offset 0  -- noqa: AM09
) as beginnings
inner join
    generate_series(
        %(first_day)s::timestamp,
        least(%(last_day)s::timestamp, %(last_due)s::timestamp),
        %(step)s::interval
    ) as periods (first_day)
    on periods.first_day + %(step)s::interval > beginnings.exists_from;
