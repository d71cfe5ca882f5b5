-- One row per organization, of some ids, that there is.
select organizations.id::text as id
from organizations
where organizations.id = any(%(organization_ids)s::uuid[]);
