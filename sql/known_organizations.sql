-- One row per organization, of some ids, that there is, with since when: as a moment of
-- the calendar, the first one where that is not known.
select
    organizations.id::text as id,
    least(greatest(organizations.created_at, '0001-01-01'), '9999-12-31')::timestamp
        as created_at
from organizations
where organizations.id = any(%(organization_ids)s::uuid[]);
