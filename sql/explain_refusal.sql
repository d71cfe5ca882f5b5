-- Names for what PostgreSQL has refused, with the remedy. It is run only then, and
-- decides nothing: no row where there is nothing to add to PostgreSQL's own message.
with
-- the tables that are written, with what they should have instead of a view
written_tables as (
    select
        wanted.table_name,
        wanted.index_name,
        relations.oid as table_oid,
        relations.relnamespace as schema_oid,
        case relations.relkind
            when 'v' then 'view that PostgreSQL cannot write through'
            when 'm' then 'materialized view'
            when 'f' then 'foreign table, which PostgreSQL cannot update on conflict'
        end as other_kind
    from (
        values
        ('communication_trends', 'communication_trends_organization_day_idx'),
        ('communication_trends_provenance', 'communication_trends_provenance_pkey')
    ) as wanted (table_name, index_name)
    inner join pg_class as relations on to_regclass(wanted.table_name) = relations.oid
)

-- what sql/schema/grants.sql grants
select
    tables.name || ': no ' || privileges.name || ' privilege' as problem,
    'grant ' || privileges.name || ' on ' || tables.name || ' to '
    || quote_ident(current_user) || ' (see sql/schema/grants.sql)' as remedy
from
    unnest(
        '{
            organizations, topic_classifications, escalation_alerts,
            communication_trends, communication_trends_provenance
        }'::text[]
    ) as tables (name)
cross join unnest('{select, insert, update}'::text[]) as privileges (name)
where
    %(sqlstate)s::text = '42501'
    and case
        when tables.name like 'communication%%' then 'target' = any(%(sides)s::text[])
        when privileges.name = 'select'
            then tables.name = 'organizations' or 'source' = any(%(sides)s::text[])
    end
    and not has_any_column_privilege(to_regclass(tables.name), privileges.name)
union all
select
    table_name || ': it is a ' || other_kind as problem,
    'connect to the database and schema that the table itself is in, or rename this '
    || 'and apply sql/schema/communication_trends.sql' as remedy
from written_tables
where
    %(sqlstate)s::text in ('0A000', '42809', '42P10', '55000')
    and (
        other_kind not like 'view%%'
        -- 8 is an insert, 4 is an update
        or pg_relation_is_updatable(table_oid, false) & 12 <> 12
    )
union all
select
    written_tables.table_name || ': the constraint ' || quote_ident(constraints.conname)
    || ' is deferrable, which ON CONFLICT does not support' as problem,
    'alter table ' || written_tables.table_name || ' drop constraint '
    || quote_ident(constraints.conname)
    || '; then apply sql/schema/communication_trends.sql' as remedy
from written_tables
inner join pg_constraint as constraints
    on written_tables.table_oid = constraints.conrelid
where
    %(sqlstate)s::text = '55000'
    -- PostgreSQL names one, of a partition where there are partitions
    and %(constraint_name)s::text is not null
    and constraints.condeferrable
    and cardinality(constraints.conkey) = 3
union all
select
    written_tables.table_name || ': it has the rule ' || quote_ident(rules.rulename)
    || ', and PostgreSQL does not support ON CONFLICT on tables with rules' as problem,
    'drop rule ' || quote_ident(rules.rulename) || ' on ' || written_tables.table_name
    || '; a trigger can do the same' as remedy
from written_tables
inner join pg_rewrite as rules on written_tables.table_oid = rules.ev_class
where
    %(sqlstate)s::text = '0A000'
    and rules.ev_type in ('2', '3')
    and written_tables.other_kind is null
union all
select
    written_tables.table_name || ': no unique index on (organization_id, trend_date, '
    || 'trend_period) that ON CONFLICT can use'
    || coalesce('; found ' || string_agg(found.definition, ', '), '') as problem,
    coalesce(
        'drop what is in the way first: ' || string_agg(found.removal, '; ')
        || '; remove duplicate rows; then ',
        ''
    ) || case written_tables.table_name
        when 'communication_trends' then 'apply sql/schema/communication_trends.sql'
        else
            'alter table communication_trends_provenance add primary key '
            || '(organization_id, trend_date, trend_period)'
    end as remedy
from written_tables
left join lateral (
    select
        pg_get_indexdef(relations.oid)
        || case when indexes.indisvalid then '' else ' (invalid)' end as definition,
        case
            when indexes.indisvalid and relations.relname <> written_tables.index_name
                then null
            when constraints.conname is not null
                then
                    'alter table ' || written_tables.table_name || ' drop constraint '
                    || quote_ident(constraints.conname)
            else 'drop index ' || relations.oid::regclass
        end as removal,
        indexes.indisvalid
        and indexes.indisunique
        and indexes.indnkeyatts = 3
        and coalesce(indexes.indpred, indexes.indexprs) is null as is_usable
    from pg_class as relations
    inner join pg_index as indexes on relations.oid = indexes.indexrelid
    left join pg_constraint as constraints on relations.oid = constraints.conindid
    where
        relations.relnamespace = written_tables.schema_oid
        and (
            relations.relname = written_tables.index_name
            or (
                indexes.indrelid = written_tables.table_oid
                and indexes.indisunique
                and indexes.indnatts > 1
            )
        )
) as found on true
where %(sqlstate)s::text = '42P10' and written_tables.other_kind is null
group by written_tables.table_name
having not coalesce(bool_or(found.is_usable), false)
order by problem;
