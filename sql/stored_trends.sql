-- One row per organization that still exists: whether the day's trend is stored.
select
    organizations.id::text as id,
    organizations.slug,
    communication_trends.id is not null as stored
from organizations
left join communication_trends
    on
        organizations.id = communication_trends.organization_id
        and communication_trends.trend_date = %(day_start)s::timestamp
        and communication_trends.trend_period = 'daily'
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.slug;
