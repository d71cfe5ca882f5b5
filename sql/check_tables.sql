-- What PostgreSQL would pass in silence, or report only one by one: a row per table or
-- column that is missing, of another type, or not the one that is meant, with the
-- remedy. All else is found by running the statements themselves: core/preflight.py.
with recursive
-- the tables of each side, with the type of each column and which others will do
required_tables (side, table_name, entries) as (
    values
    ('source', 'organizations', 'id uuid,slug text strings,created_at timestamp days'),
    (
        'source', 'topic_classifications',
        'organization_id uuid,channel_id text labels,topic text labels,'
        || 'confidence integer numbers,sentiment jsonb json,'
        || 'created_at timestamp moments'
    ),
    (
        'source', 'escalation_alerts',
        'organization_id uuid,severity text labels,created_at timestamp moments'
    ),
    ('target', 'organizations', 'id uuid,slug text strings,created_at timestamp days'),
    (
        'target', 'communication_trends',
        'id uuid strings,organization_id uuid,trend_date timestamp days,'
        || 'trend_period text strings,topic_distribution jsonb,'
        || 'sentiment_distribution jsonb,escalation_counts jsonb,'
        || 'channel_hotspots jsonb,total_classifications integer numbers,'
        || 'avg_confidence integer numbers'
    ),
    (
        'target', 'communication_trends_provenance',
        'organization_id uuid,trend_date timestamp,trend_period text strings,'
        || 'computed_at timestamptz,changed_at timestamptz,change text strings,'
        || 'is_final boolean,messages bigint numbers,messages_with_tone bigint numbers,'
        || 'messages_with_confidence bigint numbers,alerts bigint numbers,'
        || 'hotspot_rule jsonb,dag_id text strings,run_id text strings,'
        || 'package_version text strings'
    )
),

-- one row per table; without an oid where the connection finds none, or only something
-- else of that name, such as an index
checked_tables as (
    select distinct
        required_tables.table_name,
        starts_with(required_tables.table_name, 'communication_trends') as is_ours,
        relations.oid as table_oid,
        relations.relkind as kind,
        relations.relpersistence as persistence,
        relations.relhassubclass as has_children,
        relations.relnamespace::regnamespace::text as schema_name
    from required_tables
    left join pg_class as relations
        on
            to_regclass(required_tables.table_name) = relations.oid
            and relations.relkind in ('r', 'p', 'v', 'm', 'f')
    where required_tables.side = any(%(sides)s::text[])
),

-- one row per column and type, null where the table has no such column; a domain's is
-- followed by the type that it is made of
column_types as (
    select distinct
        checked_tables.table_oid,
        checked_tables.table_name,
        string_to_array(entries.entry, ' ') as required,
        attributes.atttypid as type_oid,
        format_type(attributes.atttypid, attributes.atttypmod) as found
    from checked_tables
    inner join required_tables
        on checked_tables.table_name = required_tables.table_name
    cross join regexp_split_to_table(required_tables.entries, ',') as entries (entry)
    left join pg_attribute as attributes
        on
            checked_tables.table_oid = attributes.attrelid
            and split_part(entries.entry, ' ', 1) = attributes.attname
            and not attributes.attisdropped
    where checked_tables.table_oid is not null
    union all
    select
        column_types.table_oid,
        column_types.table_name,
        column_types.required,
        types.typbasetype as type_oid,
        column_types.found
    from column_types
    inner join pg_type as types on column_types.type_oid = types.oid
    where types.typtype = 'd'
),

-- one row per table of one of these names, in whatever spelling and schema
namesakes as (
    select
        checked_tables.table_name,
        relations.oid as table_oid,
        relations.relname as name,
        relations.relnamespace as schema_oid,
        quote_ident(namespaces.nspname) as schema_name
    from checked_tables
    inner join pg_class as relations
        on
            checked_tables.table_name = lower(relations.relname)
            and relations.relkind in ('r', 'p', 'v', 'm', 'f')
            and relations.oid is distinct from checked_tables.table_oid
    inner join pg_namespace as namespaces
        on
            relations.relnamespace = namespaces.oid
            and not starts_with(namespaces.nspname, 'pg_')
            and namespaces.nspname <> 'information_schema'
)

select
    checked_tables.table_name || ': the table does not exist' as problem,
    coalesce(
        (
            select
                case
                    when namesakes.name <> checked_tables.table_name
                        then
                            namesakes.table_oid::regclass || ' is not the same name: '
                            || 'create a view of the lower-case name'
                    when has_schema_privilege(namesakes.schema_oid, 'usage')
                        then
                            'it is in the schema ' || namesakes.schema_name
                            || ': put that into the search_path of the connection'
                    else
                        'grant usage on schema ' || namesakes.schema_name || ' to '
                        || quote_ident(current_user)
                        || ', and add it to the search_path of the connection'
                end
            from namesakes
            where namesakes.table_name = checked_tables.table_name
            order by namesakes.name desc, namesakes.schema_name asc
            limit 1
        ),
        case
            when checked_tables.is_ours then 'apply sql/schema/communication_trends.sql'
            else 'check the database and the search_path of the connection'
        end
    ) as remedy
from checked_tables
where checked_tables.table_oid is null
union all
select
    column_types.table_name || '.' || column_types.required[1]
    || ': the column does not exist' as problem,
    coalesce(
        min(quote_ident(attributes.attname)) || ' is not the same name: put a view '
        || 'that has it as ' || column_types.required[1]
        || ' first into the search_path of the connection',
        'add it as in sql/schema/' || case
            when column_types.table_name like 'communication%%'
                then 'communication_trends.sql'
            else 'source_tables.sql'
        end
    ) as remedy
from column_types
left join pg_attribute as attributes
    on
        column_types.table_oid = attributes.attrelid
        and lower(replace(attributes.attname, '_', ''))
        = replace(column_types.required[1], '_', '')
where column_types.type_oid is null
group by
    column_types.table_name,
    column_types.required
union all
select
    column_types.table_name || '.' || column_types.required[1] || ': the column is '
    || column_types.found || ', wanted is ' || column_types.required[2] as problem,
    'change the type of the column'
    -- what a view casts cannot be written through it
    || case
        when column_types.table_name like 'communication%%' then ''
        else
            ', or put a view that casts it first into the search_path of the connection'
    end as remedy
from column_types
inner join pg_type as types
    on
        column_types.type_oid = types.oid
        and types.typtype <> 'd'
where
    types.oid <> column_types.required[2]::regtype
    and not case column_types.required[3]
        when 'strings' then types.typcategory = 'S'
        -- whatever can be cast to text without loss, and is counted as that
        when 'labels'
            then
                types.typcategory in ('S', 'E')
                or types.oid = any(
                    '{uuid, int2, int4, int8, numeric, "char"}'::regtype[]
                )
        -- no floating point: the order of its sum would decide how a mean is rounded
        when 'numbers' then types.oid = any('{int2, int4, int8, numeric}'::regtype[])
        when 'moments' then types.oid = 'timestamptz'::regtype
        when 'days' then types.oid = any('{timestamptz, date}'::regtype[])
        when 'json' then types.oid = 'json'::regtype
        else false
    end
union all
select
    table_name || ': row-level security hides rows from ' || quote_ident(current_user)
        as problem,
    'alter role ' || quote_ident(current_user) || ' bypassrls, or connect as a '
    || 'role that no policy applies to' as remedy
from checked_tables
where table_oid is not null and row_security_active(table_oid)
union all
select
    table_name || ': a temporary table of the session hides the one that is meant'
        as problem,
    'have the connection pooler reset its sessions (server_reset_query = discard all)'
        as remedy
from checked_tables
where persistence = 't'
union all
select
    checked_tables.table_name || ': ' || checked_tables.table_oid::regclass
    || ' of the schema ' || checked_tables.schema_name
    || ' is empty and hides that of the schema ' || min(namesakes.schema_name)
    || ', which is not' as problem,
    'have only the schema that is meant in the search_path of the connection' as remedy
from checked_tables
inner join namesakes on checked_tables.table_name = namesakes.name
left join pg_partition_tree(namesakes.table_oid) as partitions on true
where
    (
        checked_tables.kind = 'p'
        or (checked_tables.kind = 'r' and not checked_tables.has_children)
    )
    and namesakes.schema_oid::regnamespace::text in (
        select quote_ident(visible.name)
        from unnest(current_schemas(false)) as visible (name)
    )
    and pg_relation_size(coalesce(partitions.relid, namesakes.table_oid)) > 0
group by
    checked_tables.table_name,
    checked_tables.table_oid,
    checked_tables.schema_name
-- not before: it would wait for a lock on a table that no other one competes with
having
    pg_relation_size(checked_tables.table_oid) = 0
    and not exists (
        select 1
        from pg_partition_tree(checked_tables.table_oid) as parts
        inner join pg_class as relations on parts.relid = relations.oid
        where relations.relkind = 'f' or pg_relation_size(relations.oid) > 0
    )
union all
select
    checked_tables.table_name || ': ' || min(attachments.inhrelid::regclass::text)
    || ' inherits from it, and no unique index covers both' as problem,
    'move its rows into ' || checked_tables.table_name || ', and partition by '
    || 'trend_date where that is wanted' as remedy
from checked_tables
inner join pg_inherits as attachments
    on checked_tables.table_oid = attachments.inhparent
inner join pg_class as children on attachments.inhrelid = children.oid
where
    checked_tables.is_ours
    and not children.relispartition
    -- Timescale's chunks, over which it holds unique indexes itself
    and not starts_with(children.relnamespace::regnamespace::text, '_timescaledb')
group by checked_tables.table_name
order by problem;
