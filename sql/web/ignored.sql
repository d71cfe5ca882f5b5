-- How many stored trends of a range count for nothing, and why: of one organization, or
-- of all where none is given. One row.
-- reads: existence
select
    count(*) filter (where ignored.is_off_grid) as off_grid,
    count(*) filter (where not ignored.is_off_grid and ignored.exists_from is null)
        as of_no_organization,
    count(*) filter (
        where
        not ignored.is_off_grid
        and ignored.trend_date + %(step)s::interval <= ignored.exists_from
    ) as before_existence
from (
    select
        communication_trends.trend_date,
        existence.exists_from,
        communication_trends.trend_date
        <> date_trunc(%(unit)s::text, communication_trends.trend_date) as is_off_grid
    from communication_trends
    left join existence on communication_trends.organization_id = existence.id
    where
        communication_trends.trend_period = %(trend_period)s::text
        and communication_trends.trend_date >= %(first_day)s::timestamp
        and communication_trends.trend_date
        < %(last_day)s::timestamp + %(step)s::interval
        and (
            %(organization_id)s::uuid is null
            or communication_trends.organization_id = %(organization_id)s::uuid
        )
        -- most count
        and (
            communication_trends.trend_date
            <> date_trunc(%(unit)s::text, communication_trends.trend_date)
            or existence.id is null
            or communication_trends.trend_date + %(step)s::interval
            <= existence.exists_from
        )
) as ignored;
