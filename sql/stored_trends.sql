-- One row per organization that the target knows, with three lists, an entry for each
-- period: how many messages its stored trend has, null where none is stored; what is
-- known of where that comes from, null where it is of unknown origin; and whether the
-- organization existed by the period's end: it was created, or has a trend that is not
-- empty. Each trend is looked up, not joined: of a period just written the planner
-- expects hardly a row, and would read all of them again for each organization.
select
    organizations.id::text as id,
    organizations.slug::text as slug,
    array(
        select
            (
                select coalesce(stored.total_classifications, 0)::bigint
                from communication_trends as stored
                where
                    organizations.id = stored.organization_id
                    and periods.period_start = stored.trend_date
                    and stored.trend_period = %(trend_period)s::text
            )
        from
            unnest(%(period_starts)s::timestamp[]) with ordinality
                as periods (period_start, place)
        order by periods.place
    ) as stored_classifications,
    array(
        select
            (
                select
                    concat_ws(
                        ' ',
                        case
                            when provenance.is_final then 'final' else 'partial'
                        end,
                        -- what this run has done to it, in whichever attempt
                        case
                            when provenance.run_id = %(run_id)s::text
                                then provenance.change
                        end
                    )
                from communication_trends_provenance as provenance
                where
                    organizations.id = provenance.organization_id
                    and periods.period_start = provenance.trend_date
                    and provenance.trend_period = %(trend_period)s::text
            )
        from
            unnest(%(period_starts)s::timestamp[]) with ordinality
                as periods (period_start, place)
        order by periods.place
    ) as origins,
    array(
        select
            case
                when coalesce(organizations.created_at < periods.period_end, true)
                    then true
                -- the application may set it anew
                else
                    exists (
                        select 1
                        from communication_trends as stored
                        where
                            organizations.id = stored.organization_id
                            and stored.trend_period = %(trend_period)s::text
                            and stored.trend_date < periods.period_end
                            and (
                                stored.total_classifications > 0
                                or stored.escalation_counts <> '{}'
                            )
                    )
            end
        from
            unnest(%(period_ends)s::timestamp[]) with ordinality
                as periods (period_end, place)
        order by periods.place
    ) as existed
from organizations
where organizations.id = any(%(organization_ids)s::uuid[])
order by organizations.slug;
