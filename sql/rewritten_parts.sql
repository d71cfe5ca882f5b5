-- What views read and tables are divided into, as far as it has been truncated,
-- rewritten or exchanged since this transaction's snapshot: one row each, see
-- rewritten_tables.sql. A function that a view calls does not show what it reads, but
-- all that has been read is locked until the transaction ends.
-- reads: table_parts
with
-- once, though it is read twice
parts as materialized (
    select
        oid,
        kind
    from table_parts
),

-- those that the snapshot has, and those that are partitions now
read_relations as (
    select oid from parts
    union
    select partitions.relid as oid
    from parts
    cross join lateral pg_partition_tree(parts.oid) as partitions
    where parts.kind = 'p'
    union
    select locks.relation as oid
    from pg_locks as locks
    inner join pg_class as locked on locks.relation = locked.oid
    where
        locks.pid = pg_backend_pid()
        and locks.locktype = 'relation'
        and locked.relkind in ('r', 'm', 'p')
        and locked.relnamespace <> 'pg_catalog'::regnamespace
)

select read_relations.oid::regclass::text as table_name
from read_relations
left join pg_class as seen on read_relations.oid = seen.oid
where
    seen.oid is null
    or seen.relfilenode <> coalesce(pg_relation_filenode(seen.oid), 0)
order by table_name;
