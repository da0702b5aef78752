-- A key may only post to its own hook; during a rotation the key before stays valid for a while.
create table integrations (
    id uuid primary key,
    name text not null,
    format text not null,
    key_hash bytea not null,
    previous_key_hash bytea,
    previous_key_until timestamptz,
    created_at timestamptz not null,
    disabled_at timestamptz,
    last_delivery_at timestamptz,
    last_error text,
    last_error_at timestamptz,
    deliveries bigint not null
);
create unique index integrations_name on integrations (name);
create unique index integrations_key on integrations (key_hash);

-- Raw bodies, kept for a limited time.
create table deliveries (
    id uuid primary key,
    integration_id uuid not null references integrations (id) on delete cascade,
    received_at timestamptz not null,
    status text not null,
    error text,
    alerts bigint not null,
    size bigint not null,
    body bytea not null
);
create index deliveries_order on deliveries (integration_id, received_at, id);

create table alerts (
    id uuid primary key,
    integration_id uuid not null references integrations (id) on delete cascade,
    dedup_key text not null,
    group_key text not null,
    status text not null,
    severity text not null,
    service text not null,
    title text not null,
    detail jsonb not null,
    starts_at timestamptz not null,
    ends_at timestamptz,
    first_seen_at timestamptz not null,
    last_received_at timestamptz not null,
    count bigint not null,
    incident_id uuid references incidents (id) on delete set null
);
-- At most one open occurrence per key: the database says so, not luck.
create unique index alerts_open on alerts (integration_id, dedup_key) where status in ('firing', 'acknowledged');
create index alerts_key on alerts (integration_id, dedup_key, starts_at);
create index alerts_incident on alerts (incident_id, status, starts_at);
create index alerts_order on alerts (last_received_at, id);

-- One open incident per integration and group key.
create table incident_groups (
    incident_id uuid not null references incidents (id) on delete cascade,
    integration_id uuid not null references integrations (id) on delete cascade,
    group_key text not null,
    is_open boolean not null,
    closed_at timestamptz,
    primary key (incident_id, integration_id, group_key)
);
create unique index incident_groups_open on incident_groups (integration_id, group_key) where is_open;
