-- The application's tables, as far as this package reads them. Demo and tests
-- only: in production the application owns them. Timestamps hold UTC.
create table if not exists organizations (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    slug text not null unique,
    created_at timestamp not null default now()
);

create table if not exists topic_classifications (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null
    references organizations (id) on delete cascade,
    workspace_id uuid,
    user_id text,
    channel_id text,
    suggestion_id text unique,
    topic text not null,
    confidence integer,
    reasoning text,
    sentiment jsonb,
    created_at timestamp not null default now()
);

create index if not exists topic_classifications_organization_created_idx
on topic_classifications (organization_id, created_at);

create index if not exists topic_classifications_topic_created_idx
on topic_classifications (topic, created_at);

create index if not exists topic_classifications_channel_created_idx
on topic_classifications (channel_id, created_at);

create index if not exists topic_classifications_user_created_idx
on topic_classifications (user_id, created_at);

create table if not exists escalation_alerts (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null
    references organizations (id) on delete cascade,
    workspace_id uuid,
    channel_id text,
    message_ts text,
    alert_type text,
    severity text not null,
    summary text,
    status text,
    created_at timestamp default now()
);

create index if not exists escalation_alerts_organization_idx
on escalation_alerts (organization_id);

create index if not exists escalation_alerts_status_idx
on escalation_alerts (status);

create index if not exists escalation_alerts_severity_idx
on escalation_alerts (severity);
