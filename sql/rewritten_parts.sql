-- What views read and tables are divided into, as far as it has been truncated,
-- rewritten or exchanged since this transaction's snapshot: one row each, see
-- rewritten_tables.sql. A function that a view calls does not show what it reads, but
-- all that has been read is locked until the transaction ends.
with recursive
relations as (
    select
        relations.oid,
        relations.relkind as kind
    from unnest(%(tables)s::text[]) as names (name)
    inner join pg_class as relations on to_regclass(names.name) = relations.oid
    union
    select
        found.oid,
        found.kind
    from relations
    cross join lateral (  -- noqa: ST05
        select
            read_relations.oid,
            read_relations.relkind as kind
        from pg_rewrite as view_queries
        inner join pg_depend as dependencies
            on
                view_queries.oid = dependencies.objid
                and dependencies.classid = 'pg_rewrite'::regclass
                and dependencies.refclassid = 'pg_class'::regclass
        inner join pg_class as read_relations
            on dependencies.refobjid = read_relations.oid
        where
            view_queries.ev_class = relations.oid
            and relations.kind in ('v', 'm')
        union all
        select
            children.oid,
            children.relkind as kind
        from pg_inherits as inheritance
        inner join pg_class as children on inheritance.inhrelid = children.oid
        where inheritance.inhparent = relations.oid
    ) as found
),

-- those that the snapshot has, and those that are partitions now
read_relations as (
    select oid from relations
    union
    select partitions.relid as oid
    from relations
    cross join lateral pg_partition_tree(relations.oid) as partitions
    where relations.kind = 'p'
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
