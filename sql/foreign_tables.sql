-- One row per source table that is a foreign table, or reads from or is divided into
-- some: their servers, and whether each of these makes row-level security an error.
with recursive
relations as (
    select
        relations.oid,
        relations.relkind as kind,
        names.name
    from
        unnest('{organizations, topic_classifications, escalation_alerts}'::text[])
            as names (name)
    inner join pg_class as relations on to_regclass(names.name) = relations.oid
    union
    select
        found.oid,
        found.kind,
        relations.name
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
            and relations.kind = 'v'
        union all
        select
            children.oid,
            children.relkind as kind
        from pg_inherits as inheritance
        inner join pg_class as children on inheritance.inhrelid = children.oid
        where inheritance.inhparent = relations.oid
    ) as found
)

select
    relations.name as table_name,
    string_agg(distinct servers.srvname::text, ', ') as servers,
    bool_and(
        coalesce(
            array_to_string(servers.srvoptions, ' ') ~ 'row_security *= *off', false
        )
    ) as shows_hidden_rows
from relations
inner join pg_foreign_table as foreign_tables on relations.oid = foreign_tables.ftrelid
inner join pg_foreign_server as servers on foreign_tables.ftserver = servers.oid
group by relations.name
order by relations.name;
