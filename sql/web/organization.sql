-- The organization with this id or slug.
-- reads: named_organizations
select
    named_organizations.id::text as organization_id,
    named_organizations.name,
    named_organizations.slug
from named_organizations
inner join organizations on named_organizations.id = organizations.id
where
    organizations.id::text = lower(%(organization)s::text)
    or organizations.slug = %(organization)s::text
order by
    -- an id comes before another organization's slug that reads the same
    (organizations.id::text = lower(%(organization)s::text)) desc,
    organizations.id asc
limit 1;
