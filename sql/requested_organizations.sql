-- One row per entry of a run's organizations and the organization that it means: the
-- one with that id, or else the one with that slug.
with requested as (
    select
        requested.entry,
        requested.entry_id
    from unnest(%(entries)s::text[], %(entry_ids)s::uuid[]) as requested (
        entry, entry_id
    )
)

select
    requested.entry,
    organizations.id::text as id
from requested
inner join organizations on requested.entry_id = organizations.id
union all
select
    requested.entry,
    organizations.id::text as id
from requested
inner join organizations on requested.entry = organizations.slug::text
where
    not exists (
        select 1
        from organizations as by_id
        where by_id.id = requested.entry_id
    );
