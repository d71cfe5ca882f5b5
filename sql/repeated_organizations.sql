-- One row per id that organizations lists more than once, or that is null: how often.
select
    organizations.id::text as id,
    count(*) as times
from organizations
group by organizations.id
having count(*) > 1 or organizations.id is null
order by organizations.id;
