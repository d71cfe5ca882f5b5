-- One row per organization, of some ids, of which no trend of a period is stored. Each
-- is looked up, not joined: of a period just written the planner expects hardly a row,
-- and would read all of them again for each organization. So it would by an index on
-- the date alone; of a date from a subquery it expects as many rows as of any other.
select wanted.organization_id::text as id
from unnest(%(organization_ids)s::uuid[]) as wanted (organization_id)
where (
    select stored.trend_date
    from communication_trends as stored
    where
        wanted.organization_id = stored.organization_id
        and stored.trend_date = (select %(period_start)s::timestamp)
        and stored.trend_period = %(trend_period)s::text
) is null;
