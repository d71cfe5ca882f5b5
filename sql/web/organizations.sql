-- One page of the organizations whose name or slug contains the search text, and how
-- many there are in all.
-- reads: named_organizations
with
-- one row per organization found
found_organizations as (
    select
        named_organizations.id,
        named_organizations.name,
        named_organizations.slug
    from named_organizations
    where
        strpos(lower(named_organizations.name), lower(%(search)s::text)) > 0
        or strpos(lower(named_organizations.slug), lower(%(search)s::text)) > 0
),

-- one row per organization of the page
page as (
    select
        found_organizations.id,
        found_organizations.name,
        found_organizations.slug
    from found_organizations
    order by
        lower(found_organizations.name),
        found_organizations.slug
    limit %(limit)s::integer offset %(offset)s::integer
)

select
    page.id::text as organization_id,
    page.name,
    page.slug,
    counted.total_entries
from (select count(*) as total_entries from found_organizations) as counted
left join page on true
order by
    lower(page.name),
    page.slug;
