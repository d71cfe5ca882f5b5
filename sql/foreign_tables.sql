-- One row per source table that is a foreign table, or reads from or is divided into
-- some: their servers, and whether each of these makes row-level security an error.
-- reads: table_parts
select
    table_parts.table_name,
    string_agg(distinct servers.srvname::text, ', ') as servers,
    bool_and(
        coalesce(
            array_to_string(servers.srvoptions, ' ') ~ 'row_security *= *off', false
        )
    ) as shows_hidden_rows
from table_parts
inner join pg_foreign_table as foreign_tables
    on table_parts.oid = foreign_tables.ftrelid
inner join pg_foreign_server as servers on foreign_tables.ftserver = servers.oid
where not table_parts.is_copied
group by table_parts.table_name
order by table_parts.table_name;
