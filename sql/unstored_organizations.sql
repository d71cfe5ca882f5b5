-- One row per organization, of some ids, of which no trend of a period is stored. Those
-- found are taken away, not joined: of a period just written the planner expects hardly
-- a row, and would read all of them again for each organization.
select organization_id::text as id
from unnest(%(organization_ids)s::uuid[]) as wanted (organization_id)
except
select organization_id::text as id
from communication_trends
where
    organization_id = any(%(organization_ids)s::uuid[])
    and trend_date = %(period_start)s::timestamp
    and trend_period = %(trend_period)s::text;
