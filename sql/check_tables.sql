-- One row per thing that this connection lacks, with what mends it; none: ready.
with
-- one row per column that the package touches, on the side it is used on
required_columns (side, table_name, column_name) as (
    values
    ('source', 'organizations', 'id'),
    ('source', 'organizations', 'slug'),
    ('source', 'topic_classifications', 'organization_id'),
    ('source', 'topic_classifications', 'channel_id'),
    ('source', 'topic_classifications', 'topic'),
    ('source', 'topic_classifications', 'confidence'),
    ('source', 'topic_classifications', 'sentiment'),
    ('source', 'topic_classifications', 'created_at'),
    ('source', 'escalation_alerts', 'organization_id'),
    ('source', 'escalation_alerts', 'severity'),
    ('source', 'escalation_alerts', 'created_at'),
    ('target', 'organizations', 'id'),
    ('target', 'organizations', 'slug'),
    ('target', 'communication_trends', 'id'),
    ('target', 'communication_trends', 'organization_id'),
    ('target', 'communication_trends', 'trend_date'),
    ('target', 'communication_trends', 'trend_period'),
    ('target', 'communication_trends', 'topic_distribution'),
    ('target', 'communication_trends', 'sentiment_distribution'),
    ('target', 'communication_trends', 'escalation_counts'),
    ('target', 'communication_trends', 'channel_hotspots'),
    ('target', 'communication_trends', 'total_classifications'),
    ('target', 'communication_trends', 'avg_confidence')
),

-- one row per column of the sides asked for
checked_columns as (
    select distinct
        required_columns.table_name,
        required_columns.column_name,
        to_regclass(required_columns.table_name) as table_oid,
        attributes.attnum as column_number
    from required_columns
    left join pg_attribute as attributes
        on
            to_regclass(required_columns.table_name) = attributes.attrelid
            and required_columns.column_name = attributes.attname
            and not attributes.attisdropped
    where required_columns.side = any(%(sides)s::text[])
),

-- one row per table
checked_tables as (
    select distinct
        table_name,
        table_oid
    from checked_columns
),

-- one row per column and privilege; the target is written, all is read
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
            or checked_columns.table_name = 'communication_trends'
    where checked_columns.column_number is not null
)

select
    table_name || ': the table does not exist' as problem,
    case table_name
        when 'communication_trends'
            then 'apply sql/schema/communication_trends.sql'
        else 'check the database and the search_path of the connection'
    end as remedy
from checked_tables
where table_oid is null
union all
select
    table_name || '.' || column_name || ': the column does not exist' as problem,
    case table_name
        when 'communication_trends'
            then 'add it as in sql/schema/communication_trends.sql'
        else 'add it as in sql/schema/source_tables.sql'
    end as remedy
from checked_columns
where table_oid is not null and column_number is null
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
    'communication_trends: no unique index on '
    || '(organization_id, trend_date, trend_period)' as problem,
    'apply sql/schema/communication_trends.sql' as remedy
from checked_tables
where
    table_name = 'communication_trends'
    and table_oid is not null
    and not exists (
        select 1
        from pg_index as unique_indexes
        where
            unique_indexes.indrelid = checked_tables.table_oid
            and unique_indexes.indisunique
            and unique_indexes.indpred is null
            and (
                select array_agg(attributes.attname::text order by attributes.attname)
                from pg_attribute as attributes
                where
                    attributes.attrelid = unique_indexes.indrelid
                    and attributes.attnum = any(unique_indexes.indkey)
            ) = array['organization_id', 'trend_date', 'trend_period']
    )
order by problem;
