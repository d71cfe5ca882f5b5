-- A view, materialized since two parts of a statement read it: how many trends of a
-- range are stored on each date, whether they count or not; of one organization, or of
-- all where none is given.
-- reads: existence
select
    communication_trends.trend_date,
    communication_trends.trend_date
    <> date_trunc(%(unit)s::text, communication_trends.trend_date) as is_off_grid,
    count(*) as trends,
    count(existence.id) as of_organizations,
    count(*) filter (
        where
        -- most are older, which is quicker seen
        existence.exists_from > %(first_day)s::timestamp
        and communication_trends.trend_date + %(step)s::interval
        <= existence.exists_from
    ) as before_existence
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
group by communication_trends.trend_date;
