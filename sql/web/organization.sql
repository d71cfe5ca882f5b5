-- The organization with this id or slug.
select
    organizations.id::text as id,
    organizations.name,
    organizations.slug
from organizations
where
    organizations.id::text = lower(%(organization)s::text)
    or organizations.slug = %(organization)s::text
-- an id comes before another organization's slug that reads the same
order by (organizations.id::text = lower(%(organization)s::text)) desc
limit 1;
