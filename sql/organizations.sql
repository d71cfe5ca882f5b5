-- One row per organization to aggregate: all of them, or those named by id or slug.
select
    organizations.id::text as id,
    organizations.slug::text as slug
from organizations
where
    (%(ids)s::uuid[] is null and %(slugs)s::text[] is null)
    or organizations.id = any(%(ids)s::uuid[])
    or organizations.slug::text = any(%(slugs)s::text[])
order by organizations.slug;
