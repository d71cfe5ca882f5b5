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

-- Where each stored trend came from: the package's own table. A trend without a row
-- here was stored by something else: its origin is unknown. A null says that this part
-- of the trend is of unknown origin.
create table if not exists communication_trends_provenance (
    organization_id uuid not null,
    trend_date timestamp not null,
    trend_period text not null,
    -- the snapshot that the stored values are from
    computed_at timestamptz,
    -- when the stored values last changed, and how: filled, corrected or, by force with
    -- fewer rows, reduced. Null where the package has found them, and has not changed
    -- them since
    changed_at timestamptz,
    change text,
    -- the period had ended, and its source was complete as far as can be known
    is_final boolean not null,
    -- source rows that the trend was made from
    messages bigint,
    messages_with_tone bigint,
    messages_with_confidence bigint,
    alerts bigint,
    -- {"topics": [...], "minMessages": 10, "minRatio": 0.3}
    hotspot_rule jsonb,
    -- the run that changed the values last, or else found them first
    dag_id text,
    run_id text,
    package_version text,
    primary key (organization_id, trend_date, trend_period)
);

-- Changes since a moment, for the asset event and for changedSince.
create index if not exists communication_trends_provenance_changed_at_idx
on communication_trends_provenance using brin (changed_at);

-- The rules by which the trends of a range were computed, for the page.
create index if not exists communication_trends_provenance_trend_date_idx
on communication_trends_provenance using brin (trend_date);

-- Goes with its organization, as the trend does. A view cannot be referenced: there,
-- remove the rows of deleted organizations yourself.
do $$
begin
    if not exists (
        select from pg_constraint
        where
            conrelid = 'communication_trends_provenance'::regclass
            and contype = 'f'
    )
    and exists (
        select from pg_class
        where oid = 'organizations'::regclass and relkind in ('r', 'p')
    )
    then
        alter table communication_trends_provenance
        add foreign key (organization_id)
        references organizations (id) on delete cascade;
    end if;
end
$$;
