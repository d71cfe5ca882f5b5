-- What differs as soon as an answer could: how often the stored trends and their
-- provenance have been written, by whomever; the latest changes, since PostgreSQL
-- counts a few seconds late; the organizations. Null where it does not count: in a view
-- or a foreign table, or with track_counts off. One row.
with
-- one row per table or partition
counted as (
    select
        tables.oid,
        tables.relfilenode,
        written.n_tup_ins,
        written.n_tup_upd,
        written.n_tup_del
    from pg_class as tables
    inner join pg_stat_all_tables as written on tables.oid = written.relid
    where
        tables.relkind = 'r'
        and (
            tables.oid in (
                to_regclass('communication_trends'),
                to_regclass('communication_trends_provenance')
            )
            or tables.oid in (
                select trees.relid
                from pg_partition_tree('communication_trends'::regclass) as trees
            )
        )
)

select
    case
        when
            current_setting('track_counts')::boolean
            and exists (
                select
                from pg_class
                where
                    pg_class.oid = 'communication_trends'::regclass
                    and pg_class.relkind in ('r', 'p')
            )
            then (
                select
                    string_agg(
                        concat_ws(
                            ' ',
                            counted.oid,
                            counted.relfilenode,
                            counted.n_tup_ins,
                            counted.n_tup_upd,
                            counted.n_tup_del
                        ),
                        ', ' order by counted.oid
                    )
                from counted
            )
    end as written,
    named.organizations_total,
    named.organizations
from (
    select
        count(*) as organizations_total,
        sum(
            hash_record_extended(
                row(
                    organizations.id,
                    organizations.name,
                    organizations.slug,
                    organizations.created_at
                ),
                0
            )
        ) as organizations
    from organizations
) as named;
