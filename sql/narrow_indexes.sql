-- One row per unique index of communication_trends that leaves no room for trends of
-- two kinds of periods that begin on the same date, if some of another kind are stored.
select
    indexes.indexrelid::regclass::text as index_name,
    quote_ident(constraints.conname) as constraint_name,
    pg_get_indexdef(indexes.indexrelid) as definition
from pg_index as indexes
left join pg_constraint as constraints on indexes.indexrelid = constraints.conindid
where
    indexes.indrelid = to_regclass('communication_trends')
    and indexes.indisunique
    and coalesce(indexes.indpred, indexes.indexprs) is null
    and not exists (
        select 1
        from pg_attribute as attributes
        where
            attributes.attrelid = indexes.indrelid
            and attributes.attnum = any(
                (indexes.indkey::smallint[])[0:indexes.indnkeyatts - 1]
            )
            and attributes.attname not in ('organization_id', 'trend_date')
    )
    and exists (
        select 1
        from communication_trends
        where communication_trends.trend_period <> %(trend_period)s::text
    )
order by index_name;
