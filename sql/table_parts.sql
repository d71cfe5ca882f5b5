-- A view: one row per relation that is one of some tables, or that one of them reads or
-- is divided into, level by level; with whether it is read only when a materialized
-- view among them is refreshed.
with recursive
parts as (
    select
        names.name as table_name,
        relations.oid,
        relations.relkind as kind,
        false as is_copied
    from unnest(%(tables)s::text[]) as names (name)
    inner join pg_class as relations on to_regclass(names.name) = relations.oid
    union
    select
        parts.table_name,
        found.oid,
        found.kind,
        parts.is_copied or parts.kind = 'm' as is_copied
    from parts
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
            view_queries.ev_class = parts.oid
            and parts.kind in ('v', 'm')
        union all
        select
            children.oid,
            children.relkind as kind
        from pg_inherits as inheritance
        inner join pg_class as children on inheritance.inhrelid = children.oid
        where inheritance.inhparent = parts.oid
    ) as found
)

select
    table_name,
    oid,
    kind,
    is_copied
from parts;
