-- The organization with this id or slug.
select
    organizations.id::text as organization_id,
    coalesce(
        organizations.name::text,
        organizations.slug::text,
        organizations.id::text
    ) as name,
    coalesce(organizations.slug::text, organizations.id::text) as slug
from organizations
where
    organizations.id::text = lower(%(organization)s::text)
    or organizations.slug = %(organization)s::text
order by
    -- an id comes before another organization's slug that reads the same
    (organizations.id::text = lower(%(organization)s::text)) desc,
    organizations.id asc
limit 1;
