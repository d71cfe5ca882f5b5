-- One row per table: whether it has been truncated, rewritten or exchanged since this
-- transaction's snapshot, and whether it is made from others. To an older snapshot a
-- rewritten table looks empty (PostgreSQL manual, 13.6), so what was read of it is
-- wrong. Run it after the table was read: it is locked from then on. What pg_class has
-- is as of the snapshot, what the functions return is as of now.
select
    names.name as table_name,
    seen.oid is null
    or seen.relfilenode <> coalesce(pg_relation_filenode(seen.oid), 0) as is_rewritten,
    seen.relkind in ('v', 'm', 'p') or seen.relhassubclass as has_parts
from unnest(%(tables)s::text[]) as names (name)
left join pg_class as seen on to_regclass(names.name) = seen.oid
where to_regclass(names.name) is not null;
