-- One row per organization that still exists: whether the day's trend is stored. Asked
-- of each, not joined: of a day just written the planner expects hardly a row, and
-- would read all of them again for each organization.
select
    organizations.id::text as id,
    organizations.slug,
    exists(
        select communication_trends.id
        from communication_trends
        where
            communication_trends.organization_id = organizations.id
            and communication_trends.trend_date = %(day_start)s::timestamp
            and communication_trends.trend_period = 'daily'
    ) as stored
from organizations
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.slug;
