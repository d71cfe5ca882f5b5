-- One row per organization to aggregate: all of them, or those with these ids.
select
    organizations.id::text as id,
    organizations.slug::text as slug
from organizations
where
    %(ids)s::uuid[] is null
    or organizations.id = any(%(ids)s::uuid[])
order by organizations.slug;
