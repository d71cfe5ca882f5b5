-- A view: one row per organization, with what to call it, and when it was created; one
-- that does not say so has always been there. Without a name, or with an empty one, it
-- is called by its slug, or else by its id.
select
    organizations.id,
    coalesce(
        nullif(organizations.name::text, ''),
        nullif(organizations.slug::text, ''),
        organizations.id::text
    ) as name,
    coalesce(organizations.slug::text, organizations.id::text) as slug,
    organizations.name is null or organizations.slug is null as nameless,
    coalesce(organizations.created_at::timestamp, '-infinity') as created_from
from organizations;
