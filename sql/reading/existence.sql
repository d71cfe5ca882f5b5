-- A view: one row per organization, or the one that is asked for, with the moment from
-- which it exists: when it was created, or the first stored trend with anything in it,
-- where that is earlier.
-- reads: named_organizations, trend_contents
select
    named_organizations.id,
    named_organizations.name,
    named_organizations.slug,
    named_organizations.nameless,
    case
        -- of one that is older than all that is read, it does not matter since when
        when named_organizations.created_from <= %(read_from)s::timestamp
            then named_organizations.created_from
        else
            least(
                named_organizations.created_from,
                (
                    -- looked up once for all of them, as one value: several processes
                    -- can read it, and no join can be planned badly
                    (
                        select
                            jsonb_object_agg(
                                young.id,
                                (
                                    select min(filled.trend_date)::timestamp
                                    from trend_contents as filled
                                    where
                                        young.id = filled.organization_id
                                        and filled.trend_period = %(trend_period)s::text
                                        -- a date of the calendar
                                        and filled.trend_date
                                        between '0001-01-01' and '9999-12-31'
                                        -- where a period begins
                                        and date_trunc(
                                            %(unit)s::text, filled.trend_date
                                        ) >= filled.trend_date
                                        and (
                                            filled.has_messages or filled.has_alerts
                                        )
                                )
                            )
                        from organizations as young
                        where young.created_at::timestamp > %(read_from)s::timestamp
                    ) ->> named_organizations.id::text
                )::timestamp
            )
    end as exists_from
from named_organizations
where
    %(organization_id)s::uuid is null
    or named_organizations.id = %(organization_id)s::uuid;
