-- How far back the source goes: one row per organization, with its oldest message and
-- alert; and the oldest ones of all, where its own are no proof that the source goes
-- back to first_end. What is older may have been purged. A row of a year before, and
-- moments that are no dates of a calendar, prove nothing: they may be strays that no
-- retention job has met.
with
-- one row each: looked up by organization, since no index is on the time alone
message_of_all as materialized (
    select
        min(
            (
                select min(messages.created_at)
                from topic_classifications as messages
                where
                    messages.organization_id = organizations.id
                    and messages.created_at
                    >= %(first_end)s::timestamp - interval '1 year'
                    and messages.created_at <= '9999-12-31'
            )
        )::timestamp as created_at
    from organizations
),

alert_of_all as materialized (
    select min(created_at)::timestamp as created_at
    from escalation_alerts
    where
        created_at >= %(first_end)s::timestamp - interval '1 year'
        and created_at <= '9999-12-31'
),

own_rows as materialized (
    select
        organizations.id as organization_id,
        (
            select min(messages.created_at)
            from topic_classifications as messages
            where
                messages.organization_id = organizations.id
                and messages.created_at >= %(first_end)s::timestamp - interval '1 year'
                and messages.created_at <= '9999-12-31'
        )::timestamp as oldest_message,
        (
            select min(alerts.created_at)
            from escalation_alerts as alerts
            where
                alerts.organization_id = organizations.id
                and alerts.created_at >= %(first_end)s::timestamp - interval '1 year'
                and alerts.created_at <= '9999-12-31'
        )::timestamp as oldest_alert
    from organizations
    where organizations.id = any(%(organization_ids)s::uuid[])
)

select
    organization_id::text as organization_id,
    oldest_message,
    oldest_alert,
    case
        when coalesce(oldest_message >= %(first_end)s::timestamp, true)
            then (select message_of_all.created_at from message_of_all)
    end as oldest_message_of_all,
    case
        when oldest_alert is null
            then (select alert_of_all.created_at from alert_of_all)
    end as oldest_alert_of_all
from own_rows;
