-- One row per source table that is a materialized view, or reads from some: their
-- names.
-- reads: table_parts
select
    table_name,
    string_agg(distinct oid::regclass::text, ', ') as views
from table_parts
where kind = 'm' and not is_copied
group by table_name
order by table_name;
