-- One row per organization that has a trend of a period: all of them, or those named by
-- id or slug.
select
    organizations.id::text as id,
    organizations.slug::text as slug
from communication_trends as trends
inner join organizations on trends.organization_id = organizations.id
where
    trends.trend_date = %(period_start)s::timestamp
    and trends.trend_period = %(trend_period)s::text
    and (
        (%(ids)s::uuid[] is null and %(slugs)s::text[] is null)
        or organizations.id = any(%(ids)s::uuid[])
        or organizations.slug::text = any(%(slugs)s::text[])
    )
order by organizations.slug;
