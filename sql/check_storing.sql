-- One row per thing that keeps trends from being stored in communication_trends, with
-- what mends it; none: ready. That the table and its columns are there, of the right
-- type and not out of reach, is checked by sql/check_tables.sql.
with recursive
-- the table, if there is one
targets as (
    select
        relations.oid as table_oid,
        relations.relkind as kind,
        relations.relnamespace as schema_oid,
        relations.relreplident as replica_identity
    from pg_class as relations
    where
        relations.oid = to_regclass('communication_trends')
        and relations.relkind in ('r', 'p', 'v', 'm', 'f')
),

-- one row per column, and whether the statement gives it a value
target_columns as (
    select
        attributes.attrelid as table_oid,
        attributes.attname::text as column_name,
        attributes.attnum as column_number,
        attributes.atttypid as type_oid,
        attributes.attnotnull as is_not_null,
        attributes.atthasdef as has_default,
        attributes.attidentity as identity_kind,
        attributes.attgenerated as generated_kind,
        attributes.attname = any(
            '{
                id, organization_id, trend_date, trend_period, topic_distribution,
                sentiment_distribution, escalation_counts, channel_hotspots,
                total_classifications, avg_confidence
            }'::text[]
        ) as is_written
    from targets
    inner join pg_attribute as attributes on targets.table_oid = attributes.attrelid
    where attributes.attnum > 0 and not attributes.attisdropped
),

-- one row per column and type: a domain's is followed by the type that it is made of
column_types as (
    select
        target_columns.column_number,
        types.typbasetype as base_oid,
        types.typnotnull as is_not_null,
        types.typdefault is not null as has_default
    from target_columns
    inner join pg_type as types on target_columns.type_oid = types.oid
    union all
    select
        column_types.column_number,
        types.typbasetype as base_oid,
        types.typnotnull as is_not_null,
        types.typdefault is not null as has_default
    from column_types
    inner join pg_type as types on column_types.base_oid = types.oid
),

-- one row per column that takes no null, and whether a null would get there at all
required_columns as (
    select
        target_columns.column_name,
        target_columns.is_written,
        target_columns.has_default
        or target_columns.identity_kind <> ''
        or target_columns.generated_kind <> ''
        or bool_or(column_types.has_default) as is_filled,
        -- a type's is checked before the triggers run, a column's after them
        bool_or(column_types.is_not_null) as is_not_null_type
    from target_columns
    inner join column_types
        on target_columns.column_number = column_types.column_number
    group by
        target_columns.column_name,
        target_columns.is_written,
        target_columns.is_not_null,
        target_columns.has_default,
        target_columns.identity_kind,
        target_columns.generated_kind
    having target_columns.is_not_null or bool_or(column_types.is_not_null)
),

-- one row per unique index, judged as PostgreSQL does where it looks for those that
-- on conflict means (infer_arbiter_indexes in plancat.c): it takes each valid one that
-- has these key columns in any order, no expression and no condition
unique_indexes as (
    select
        indexes.indexrelid as index_oid,
        constraints.conname as constraint_name,
        indexes.indimmediate as is_immediate,
        case
            when
                indexed.key_columns <> indexed.wanted
                and indexed.all_columns @> indexed.wanted
                then 'has columns other than these three, or some only as include'
            when indexed.key_columns <> indexed.wanted
                then 'is on other columns'
            when indexes.indexprs is not null
                then 'has an expression'
            -- the planner takes away a condition that is always true
            when pg_get_expr(indexes.indpred, indexes.indrelid) <> 'true'
                then 'has a condition'
            when not (indexes.indisvalid and indexes.indislive)
                then
                    case targets.kind
                        when 'p' then 'is not attached to one of each partition'
                        else
                            'is invalid, as create index concurrently leaves it that '
                            || 'fails or is not over'
                    end
        end as flaw,
        indexed.all_columns @> indexed.wanted as looks_right,
        indexed.key_columns = indexed.wanted
        and not (indexes.indisvalid and indexes.indislive) as is_broken
    from targets
    inner join pg_index as indexes on targets.table_oid = indexes.indrelid
    left join pg_constraint as constraints
        on
            indexes.indexrelid = constraints.conindid
            and constraints.contype in ('p', 'u')
    inner join lateral (
        select
            '{organization_id, trend_date, trend_period}'::text[] as wanted,
            array_agg(distinct attributes.attname::text) as all_columns,
            coalesce(
                array_agg(distinct attributes.attname::text)
                filter (where keys.position <= indexes.indnkeyatts),
                '{}'
            ) as key_columns
        from unnest(indexes.indkey) with ordinality as keys (attnum, position)
        inner join pg_attribute as attributes
            on
                indexes.indrelid = attributes.attrelid
                and keys.attnum = attributes.attnum
    ) as indexed on true
    where indexes.indisunique and not indexes.indisexclusion
),

-- one row per index that has to go before the one of the schema can be made: a broken
-- one, and any that has its name
indexes_in_the_way as (
    select
        relations.oid as index_oid,
        coalesce(
            'alter table communication_trends drop constraint '
            || quote_ident(unique_indexes.constraint_name),
            'drop index ' || relations.oid::regclass
        ) as removal
    from targets
    inner join pg_class as relations
        on
            targets.schema_oid = relations.relnamespace
            and relations.relkind in ('i', 'I')
    left join unique_indexes on relations.oid = unique_indexes.index_oid
    where
        relations.relname = 'communication_trends_organization_day_idx'
        or unique_indexes.is_broken
),

-- one row per way from the table to a partition that takes a row of this run. A key
-- that cannot be judged from here, such as a hash or an expression, counts as fitting
partition_paths as (
    select
        targets.table_oid,
        targets.kind,
        wanted.period_start
    from targets
    cross join unnest(%(period_starts)s::timestamp[]) as wanted (period_start)
    where targets.kind = 'p'
    union all
    select
        partitions.oid as table_oid,
        partitions.relkind as kind,
        partition_paths.period_start
    from partition_paths
    inner join pg_partitioned_table as parents
        on partition_paths.table_oid = parents.partrelid
    inner join pg_inherits as attachments
        on parents.partrelid = attachments.inhparent
    inner join pg_class as partitions on attachments.inhrelid = partitions.oid
    left join pg_attribute as keys
        on
            parents.partrelid = keys.attrelid
            and parents.partattrs[0] = keys.attnum
            and parents.partnatts = 1
    inner join lateral (  -- noqa: ST05
        select
            pg_get_expr(partitions.relpartbound, partitions.oid) as bound,
            regexp_match(
                pg_get_expr(partitions.relpartbound, partitions.oid),
                '^FOR VALUES FROM \(''?([^'']*)''?\) TO \(''?([^'']*)''?\)$'
            ) as range
    ) as bounds on true
    where
        case
            when bounds.bound = 'DEFAULT' then true
            when
                parents.partstrat = 'r'
                and keys.attname = 'trend_date'
                and keys.atttypid = any('{timestamp, timestamptz, date}'::regtype[])
                then
                    partition_paths.period_start
                    >= replace(bounds.range[1], 'MINVALUE', '-infinity')::timestamp
                    and partition_paths.period_start
                    < replace(bounds.range[2], 'MAXVALUE', 'infinity')::timestamp
            when parents.partstrat = 'l' and keys.attname = 'trend_period'
                then strpos(bounds.bound, quote_literal(%(trend_period)s::text)) > 0
            else true
        end
),

-- one row per table that rows go into: the table itself or its partitions
row_tables as (
    select
        relations.oid as table_oid,
        relations.relreplident as replica_identity,
        relations.relpersistence = 'p'
        and exists (
            select 1
            from pg_publication as publications
            where publications.puballtables and publications.pubupdate
        ) as is_published_with_all
    from targets
    left join pg_partition_tree(targets.table_oid) as partitions on true
    inner join pg_class as relations
        on coalesce(partitions.relid, targets.table_oid) = relations.oid
    where relations.relkind = 'r'
),

-- one row per table whose updates are published by name or schema
published_tables as (
    select published.relid as table_oid
    from pg_publication as publications
    cross join lateral pg_get_publication_tables(publications.pubname) as published
    where publications.pubupdate and not publications.puballtables
)

select
    'communication_trends: the database is a standby, which stores nothing' as problem,
    'connect to the primary: its host, or all hosts with '
    || 'target_session_attrs=read-write' as remedy
from targets
where pg_is_in_recovery()
union all
select
    'communication_trends: ' || quote_ident(current_user)
    || ' can only open read-only transactions (default_transaction_read_only)'
        as problem,
    'alter role ' || quote_ident(current_user) || ' in database '
    || quote_ident(current_database())
    || ' set default_transaction_read_only = off, or find out who set it and why; to '
    || 'read from elsewhere there is the setting source_conn_id' as remedy
from targets
where
    current_setting('default_transaction_read_only')::boolean
    and not pg_is_in_recovery()
union all
select
    'communication_trends: it is a '
    || case kind
        when 'v' then 'view that PostgreSQL cannot write through'
        when 'm' then 'materialized view'
        else 'foreign table, which PostgreSQL cannot update on conflict'
    end as problem,
    'connect to the database and schema that the table itself is in, or rename this '
    || 'and apply sql/schema/communication_trends.sql' as remedy
from targets
where
    kind in ('m', 'f')
    -- 8 is an insert, 4 is an update
    or (kind = 'v' and pg_relation_is_updatable(table_oid, false) & 12 <> 12)
union all
select
    'communication_trends: the constraint ' || quote_ident(constraint_name)
    || ' on (organization_id, trend_date, trend_period) is deferrable, which on '
    || 'conflict cannot do with' as problem,
    'alter table communication_trends drop constraint ' || quote_ident(constraint_name)
    || '; then apply sql/schema/communication_trends.sql' as remedy
from unique_indexes
where flaw is null and not is_immediate
union all
select
    'communication_trends: no unique index on '
    || '(organization_id, trend_date, trend_period) that on conflict can use'
    || coalesce(
        (
            select
                string_agg(
                    '; ' || unique_indexes.index_oid::regclass || ' '
                    || unique_indexes.flaw,
                    '' order by unique_indexes.index_oid
                )
            from unique_indexes
            left join indexes_in_the_way
                on unique_indexes.index_oid = indexes_in_the_way.index_oid
            where
                unique_indexes.looks_right
                or indexes_in_the_way.index_oid is not null
        ),
        ''
    ) as problem,
    coalesce(
        (
            select
                'drop what is in the way first: '
                || string_agg(
                    indexes_in_the_way.removal, '; '
                    order by indexes_in_the_way.removal
                )
                || '; remove rows that are there twice; then '
            from indexes_in_the_way
        ),
        ''
    )
    || case
        when
            exists (
                select 1
                from pg_partitioned_table as parents
                cross join unnest(parents.partattrs) as keys (attnum)
                left join target_columns on keys.attnum = target_columns.column_number
                where
                    parents.partrelid = targets.table_oid
                    and coalesce(target_columns.column_name, '(an expression)') <> all(
                        '{organization_id, trend_date, trend_period}'::text[]
                    )
            )
            then
                'make the table anew, partitioned by trend_date: a unique index needs '
                || 'the columns that a table is partitioned by'
        else 'apply sql/schema/communication_trends.sql'
    end as remedy
from targets
where
    targets.kind in ('r', 'p')
    and not exists (
        select 1
        from unique_indexes
        where unique_indexes.flaw is null
    )
union all
select
    'communication_trends: it has the rule ' || quote_ident(rules.rulename)
    || ', and PostgreSQL takes no on conflict where there are rules' as problem,
    'drop rule ' || quote_ident(rules.rulename)
    || ' on communication_trends; a trigger can do the same' as remedy
from targets
inner join pg_rewrite as rules on targets.table_oid = rules.ev_class
where
    -- update; insert, unless it is disabled
    rules.ev_type = '2' or (rules.ev_type = '3' and rules.ev_enabled in ('O', 'A'))
union all
select
    'communication_trends.' || required_columns.column_name
    || ': the column takes no null and has no default' as problem,
    case
        when
            required_columns.is_not_null_type
            then 'give it a default, or a type that takes null'
        else
            'alter table communication_trends alter '
            || quote_ident(required_columns.column_name)
            || ' drop not null, or give it a default'
    end as remedy
from required_columns
cross join targets
where
    targets.kind in ('r', 'p')
    and not required_columns.is_written
    and not required_columns.is_filled
    and (
        required_columns.is_not_null_type
        -- a trigger may fill it in
        or not exists (
            select 1
            from pg_trigger as triggers
            where
                triggers.tgrelid = targets.table_oid
                -- before insert, for each row
                and triggers.tgtype & 7 = 7
                and triggers.tgenabled in ('O', 'A')
        )
    )
union all
select
    'communication_trends.avg_confidence: the column takes no null, which is the '
    || 'average of no confidence at all' as problem,
    case
        when is_not_null_type then 'give it a type that takes null'
        else 'alter table communication_trends alter avg_confidence drop not null'
    end as remedy
from required_columns
where column_name = 'avg_confidence'
union all
select
    'communication_trends.' || column_name
    || ': PostgreSQL generates the column and takes no value for it' as problem,
    'alter table communication_trends alter ' || column_name
    || case identity_kind
        when 'a' then ' set generated by default'
        else ' drop expression'
    end as remedy
from target_columns
where is_written and (generated_kind <> '' or identity_kind = 'a')
union all
select
    'communication_trends: its updates are published, and '
    || row_tables.table_oid::regclass || ' has no replica identity' as problem,
    'alter table ' || row_tables.table_oid::regclass || ' replica identity full, or '
    || 'give it a primary key' as remedy
from row_tables
where
    (
        row_tables.is_published_with_all
        or row_tables.table_oid in (
            select published_tables.table_oid
            from published_tables
        )
        or exists (
            select 1
            from pg_partition_ancestors(row_tables.table_oid) as ancestors
            inner join published_tables on ancestors.relid = published_tables.table_oid
        )
    )
    and row_tables.replica_identity <> 'f'
    and not exists (
        select 1
        from pg_index as indexes
        where
            row_tables.table_oid = indexes.indrelid
            and indexes.indisvalid
            and indexes.indimmediate
            and case row_tables.replica_identity
                when 'd' then indexes.indisprimary
                when 'i' then indexes.indisreplident
                else false
            end
    )
union all
select
    'communication_trends: no partition for trend_date '
    || to_char(dead_ends.period_start, 'YYYY-MM-DD') || ', trend_period '
    || quote_literal(%(trend_period)s::text) as problem,
    'create it, or one for all that is left: create table '
    || 'communication_trends_default partition of '
    || min(dead_ends.table_oid::regclass::text) || ' default' as remedy
from partition_paths as dead_ends
where
    dead_ends.kind = 'p'
    and not exists (
        select 1
        from partition_paths as leaves
        where
            leaves.period_start = dead_ends.period_start
            and leaves.kind <> 'p'
    )
    -- only the table where a way ends, not those on the way
    and not exists (
        select 1
        from partition_paths as deeper
        inner join pg_inherits as attachments
            on deeper.table_oid = attachments.inhrelid
        where
            deeper.period_start = dead_ends.period_start
            and attachments.inhparent = dead_ends.table_oid
    )
group by dead_ends.period_start
union all
select
    'communication_trends: ' || min(attachments.inhrelid::regclass::text)
    || ' inherits from it, and no unique index is over both' as problem,
    'move its rows into communication_trends, and partition by trend_date where that '
    || 'is wanted' as remedy
from targets
inner join pg_inherits as attachments on targets.table_oid = attachments.inhparent
inner join pg_class as children on attachments.inhrelid = children.oid
inner join pg_namespace as namespaces on children.relnamespace = namespaces.oid
where
    not children.relispartition
    -- Timescale's chunks, over which it holds unique indexes itself
    and namespaces.nspname not like '\_timescaledb%%'
having count(*) > 0
union all
select
    'communication_trends.' || target_columns.column_name || ': no usage privilege on '
    || sequences.oid::regclass || ', which its default takes numbers from' as problem,
    'grant usage on sequence ' || sequences.oid::regclass || ' to '
    || quote_ident(current_user) as remedy
from target_columns
inner join pg_attrdef as defaults
    on
        target_columns.table_oid = defaults.adrelid
        and target_columns.column_number = defaults.adnum
inner join pg_depend as dependencies
    on
        defaults.oid = dependencies.objid
        and dependencies.classid = 'pg_attrdef'::regclass
        and dependencies.refclassid = 'pg_class'::regclass
inner join pg_class as sequences on dependencies.refobjid = sequences.oid
where
    not target_columns.is_written
    -- a case, since the function fails for anything but a sequence
    and case sequences.relkind
        when 'S' then not has_sequence_privilege(sequences.oid, 'usage, update')
    end
order by problem;
