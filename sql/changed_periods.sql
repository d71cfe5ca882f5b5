-- One row per period whose trends have changed since a moment, or ever where there is
-- no such moment: how many were filled and how many corrected. Of one organization, or
-- of all where none is given.
select
    trend_date as period_start,
    count(*) filter (where change = 'filled') as filled,
    count(*) filter (where change <> 'filled') as corrected
from communication_trends_provenance
where
    trend_period = %(trend_period)s::text
    -- a date beyond the calendar is no period, and no moment
    and trend_date between '0001-01-01' and '9999-12-31'
    and (
        %(organization_id)s::uuid is null
        or organization_id = %(organization_id)s::uuid
    )
    and changed_at > coalesce(%(changed_since)s::timestamptz, '-infinity')
    and changed_at < '9999-12-31'
group by trend_date
order by trend_date;
