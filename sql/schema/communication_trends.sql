-- The target table, made only where the application has not made it yet.
create table if not exists communication_trends (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null
    references organizations (id) on delete cascade,
    trend_date timestamp not null,
    trend_period text not null,
    topic_distribution jsonb not null default '{}',
    sentiment_distribution jsonb not null default '{}',
    escalation_counts jsonb not null default '{}',
    channel_hotspots jsonb not null default '[]',
    total_classifications integer default 0,
    avg_confidence integer,
    created_at timestamp default now()
);

create unique index if not exists communication_trends_organization_day_idx
on communication_trends (organization_id, trend_date, trend_period);

create index if not exists communication_trends_trend_date_idx
on communication_trends (trend_date);
