-- One row per organization that has a trend of one period.
select
    organizations.id::text as id,
    organizations.slug::text as slug
from communication_trends as stored
inner join organizations on stored.organization_id = organizations.id
where
    stored.trend_period = %(trend_period)s::text
    and stored.trend_date = %(period_start)s::timestamp
order by organizations.slug;
