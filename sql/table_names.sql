-- One row per table that the search_path finds, with its full name: database, schema,
-- table.
select
    wanted.name,
    concat_ws('.', current_database(), pg_namespace.nspname, pg_class.relname)
        as full_name
from unnest(%(tables)s::text[]) as wanted (name)
inner join pg_class on pg_class.oid = to_regclass(wanted.name)
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid;
