-- One row per table or column that this connection cannot read or write as the package
-- needs it, with what mends it; none: ready. Whether trends can be stored in the table
-- is checked by sql/check_storing.sql.
with recursive
-- one row per column that the package touches, on the side it is used on: the type
-- that is wanted, and which other types will do
required_columns (side, table_name, column_name, wanted, also) as (
    values
    ('source', 'organizations', 'id', 'uuid', ''),
    ('source', 'organizations', 'slug', 'text', 'strings'),
    ('source', 'organizations', 'created_at', 'timestamp', 'days'),
    ('source', 'topic_classifications', 'organization_id', 'uuid', ''),
    ('source', 'topic_classifications', 'channel_id', 'text', 'labels'),
    ('source', 'topic_classifications', 'topic', 'text', 'labels'),
    ('source', 'topic_classifications', 'confidence', 'integer', 'numbers'),
    ('source', 'topic_classifications', 'sentiment', 'jsonb', 'json'),
    ('source', 'topic_classifications', 'created_at', 'timestamp', 'moments'),
    ('source', 'escalation_alerts', 'organization_id', 'uuid', ''),
    ('source', 'escalation_alerts', 'severity', 'text', 'labels'),
    ('source', 'escalation_alerts', 'created_at', 'timestamp', 'moments'),
    ('target', 'organizations', 'id', 'uuid', ''),
    ('target', 'organizations', 'slug', 'text', 'strings'),
    ('target', 'organizations', 'created_at', 'timestamp', 'days'),
    ('target', 'communication_trends', 'id', 'uuid', 'strings'),
    ('target', 'communication_trends', 'organization_id', 'uuid', ''),
    ('target', 'communication_trends', 'trend_date', 'timestamp', 'days'),
    ('target', 'communication_trends', 'trend_period', 'text', 'strings'),
    ('target', 'communication_trends', 'topic_distribution', 'jsonb', ''),
    ('target', 'communication_trends', 'sentiment_distribution', 'jsonb', ''),
    ('target', 'communication_trends', 'escalation_counts', 'jsonb', ''),
    ('target', 'communication_trends', 'channel_hotspots', 'jsonb', ''),
    ('target', 'communication_trends', 'total_classifications', 'integer', 'numbers'),
    ('target', 'communication_trends', 'avg_confidence', 'integer', 'numbers')
),

-- one row per table of the sides asked for; without an oid where the connection finds
-- none, or only something else of that name, such as an index
checked_tables as (
    select
        required_tables.table_name,
        relations.oid as table_oid,
        relations.relkind as kind,
        relations.relpersistence as persistence,
        relations.relhassubclass as has_children,
        relations.relispopulated as populated
    from (
        select distinct table_name
        from required_columns
        where side = any(%(sides)s::text[])
    ) as required_tables
    left join pg_class as relations
        on
            to_regclass(required_tables.table_name) = relations.oid
            and relations.relkind in ('r', 'p', 'v', 'm', 'f')
),

-- one row per column of those tables; without a number where the table has none
checked_columns as (
    select distinct
        checked_tables.table_name,
        checked_tables.table_oid,
        required_columns.column_name,
        required_columns.wanted,
        required_columns.also,
        attributes.attnum as column_number,
        attributes.atttypid as type_oid,
        attributes.atttypmod as type_modifier
    from checked_tables
    inner join required_columns
        on checked_tables.table_name = required_columns.table_name
    left join pg_attribute as attributes
        on
            checked_tables.table_oid = attributes.attrelid
            and required_columns.column_name = attributes.attname
            and not attributes.attisdropped
    where
        checked_tables.table_oid is not null
        and required_columns.side = any(%(sides)s::text[])
),

-- one row per column and type: a domain's is followed by the type that it is made of
column_types as (
    select
        table_oid,
        column_number,
        type_oid,
        type_modifier
    from checked_columns
    where column_number is not null
    union all
    select
        column_types.table_oid,
        column_types.column_number,
        types.typbasetype as type_oid,
        types.typtypmod as type_modifier
    from column_types
    inner join pg_type as types on column_types.type_oid = types.oid
    where types.typtype = 'd'
),

-- one row per column: what PostgreSQL makes of the type that it is stored as
stored_columns as (
    select
        checked_columns.table_name,
        checked_columns.column_name,
        checked_columns.wanted,
        checked_columns.also,
        format_type(checked_columns.type_oid, checked_columns.type_modifier) as found,
        types.oid as type_oid,
        types.typcategory as category,
        -- of varchar(n) and char(n); null where there is no limit
        case
            when types.oid = any('{varchar, bpchar}'::regtype[])
                then nullif(column_types.type_modifier, -1) - 4
        end as length_limit
    from checked_columns
    inner join column_types
        on
            checked_columns.table_oid = column_types.table_oid
            and checked_columns.column_number = column_types.column_number
    inner join pg_type as types
        on
            column_types.type_oid = types.oid
            and types.typtype <> 'd'
),

-- one row per column and privilege that the statements need
checked_privileges as (
    select
        checked_columns.table_name,
        checked_columns.table_oid,
        checked_columns.column_number,
        privileges.name as privilege
    from checked_columns
    inner join (values ('select'), ('insert'), ('update'))
        as privileges (name)
        on
            privileges.name = 'select'
            or (
                checked_columns.table_name = 'communication_trends'
                and (
                    privileges.name = 'insert'
                    -- columns that identify a trend are never updated
                    or checked_columns.column_name <> all(
                        '{id, organization_id, trend_date, trend_period}'::text[]
                    )
                )
            )
    where checked_columns.column_number is not null
),

-- one row per table of one of these names, in whatever spelling and schema
namesakes as (
    select
        checked_tables.table_name,
        relations.oid as table_oid,
        relations.relname as name,
        relations.relkind as kind,
        namespaces.nspname as schema_name,
        namespaces.oid as schema_oid
    from checked_tables
    inner join pg_class as relations
        on
            checked_tables.table_name = lower(relations.relname)
            and relations.relkind in ('r', 'p', 'v', 'm', 'f')
            and relations.oid is distinct from checked_tables.table_oid
    inner join pg_namespace as namespaces
        on
            relations.relnamespace = namespaces.oid
            and namespaces.nspname not like 'pg\_%%'
            and namespaces.nspname <> 'information_schema'
),

-- one row per table that a view reads, or a view in it, or so on
read_relations as (
    select
        table_name,
        table_oid,
        kind
    from checked_tables
    where table_oid is not null
    union
    select
        read_relations.table_name,
        relations.oid as table_oid,
        relations.relkind as kind
    from read_relations
    inner join pg_rewrite as view_queries
        on
            read_relations.table_oid = view_queries.ev_class
            and read_relations.kind = 'v'
    inner join pg_depend as dependencies
        on
            view_queries.oid = dependencies.objid
            and dependencies.classid = 'pg_rewrite'::regclass
            and dependencies.refclassid = 'pg_class'::regclass
    inner join pg_class as relations on dependencies.refobjid = relations.oid
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
                    when not has_schema_privilege(namesakes.schema_oid, 'usage')
                        then
                            'grant usage on schema '
                            || quote_ident(namesakes.schema_name) || ' to '
                            || quote_ident(current_user)
                            || ', and have it in the search_path of the connection'
                    else
                        'it is in the schema ' || quote_ident(namesakes.schema_name)
                        || ': put that into the search_path of the connection'
                end
            from namesakes
            where namesakes.table_name = checked_tables.table_name
            order by
                namesakes.name <> checked_tables.table_name,
                namesakes.schema_name
            limit 1
        ),
        case checked_tables.table_name
            when 'communication_trends'
                then 'apply sql/schema/communication_trends.sql'
            else 'check the database and the search_path of the connection'
        end
    ) as remedy
from checked_tables
where checked_tables.table_oid is null
union all
select
    checked_columns.table_name || '.' || checked_columns.column_name
    || ': the column does not exist' as problem,
    coalesce(
        (
            select
                quote_ident(attributes.attname) || ' is not the same name: put a view '
                || 'that has it as ' || checked_columns.column_name
                || ' first into the search_path of the connection'
            from pg_attribute as attributes
            where
                attributes.attrelid = checked_columns.table_oid
                and attributes.attnum > 0
                and lower(replace(attributes.attname, '_', ''))
                = replace(checked_columns.column_name, '_', '')
                and not attributes.attisdropped
            order by attributes.attnum
            limit 1
        ),
        case checked_columns.table_name
            when 'communication_trends'
                then 'add it as in sql/schema/communication_trends.sql'
            else 'add it as in sql/schema/source_tables.sql'
        end
    ) as remedy
from checked_columns
where checked_columns.column_number is null
union all
select
    table_name || '.' || column_name || ': the column is ' || found || ', wanted is '
    || wanted as problem,
    'change the type of the column, or put a view that casts it first into the '
    || 'search_path of the connection' as remedy
from stored_columns
where
    type_oid <> wanted::regtype
    and not case also
        when 'strings' then category = 'S'
        -- whatever can be cast to text without loss, and is counted as that
        when 'labels'
            then
                category in ('S', 'E')
                or type_oid = any(
                    '{uuid, smallint, integer, bigint, numeric, "char"}'::regtype[]
                )
        -- no floating point: the order of its sum would decide how a mean is rounded
        when 'numbers'
            then type_oid = any('{smallint, bigint, numeric}'::regtype[])
        when 'moments' then type_oid = 'timestamptz'::regtype
        when 'days' then type_oid = any('{timestamptz, date}'::regtype[])
        when 'json' then type_oid = 'json'::regtype
        else false
    end
union all
select
    table_name || '.' || column_name || ': the column is ' || found
    || ', too short for ' || case column_name when 'id' then 36 else 7 end
    || ' characters' as problem,
    'alter table communication_trends alter ' || column_name || ' type '
    || wanted as remedy
from stored_columns
where
    table_name = 'communication_trends'
    and length_limit < case column_name when 'id' then 36 when 'trend_period' then 7 end
union all
select distinct
    table_name || ': no ' || privilege || ' privilege' as problem,
    'grant ' || privilege || ' on ' || table_name || ' to '
    || quote_ident(current_user) || ' (see sql/schema/grants.sql)' as remedy
from checked_privileges
where not has_column_privilege(table_oid, column_number, privilege)
union all
select
    table_name || ': row-level security hides rows from '
    || quote_ident(current_user) as problem,
    'alter role ' || quote_ident(current_user) || ' bypassrls, or connect as a '
    || 'role that no policy applies to' as remedy
from checked_tables
where table_oid is not null and row_security_active(table_oid)
union all
select
    read_relations.table_name || ': the materialized view '
    || read_relations.table_oid::regclass || ' has not been populated' as problem,
    'refresh materialized view ' || read_relations.table_oid::regclass as remedy
from read_relations
inner join pg_class as relations on read_relations.table_oid = relations.oid
where relations.relkind = 'm' and not relations.relispopulated
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
    table_name || ': the table is unlogged, which a standby cannot read' as problem,
    'alter table ' || table_name || ' set logged on the primary, or read from there'
        as remedy
from checked_tables
where persistence = 'u' and pg_is_in_recovery()
union all
select distinct on (checked_tables.table_name)
    checked_tables.table_name || ': ' || checked_tables.table_oid::regclass
    || ' of the schema ' || tables.relnamespace::regnamespace
    || ' is empty and hides that of the schema '
    || quote_ident(namesakes.schema_name) || ', which is not' as problem,
    'have only the schema that is meant in the search_path of the connection' as remedy
from checked_tables
inner join pg_class as tables on checked_tables.table_oid = tables.oid
inner join namesakes
    on
        checked_tables.table_name = namesakes.name
        and namesakes.schema_name = any(current_schemas(false))
where
    checked_tables.kind = 'r'
    and not checked_tables.has_children
    and pg_relation_size(checked_tables.table_oid) = 0
    and coalesce(
        (
            select sum(pg_relation_size(partitions.relid))
            from pg_partition_tree(namesakes.table_oid) as partitions
            where partitions.isleaf
        ),
        pg_relation_size(namesakes.table_oid)
    ) > 0
order by problem;
