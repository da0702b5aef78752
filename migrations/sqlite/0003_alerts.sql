-- A key may only post to its own hook; during a rotation the key before stays valid for a while.
create table integrations (
    id blob primary key,
    name text not null,
    format text not null,
    key_hash blob not null,
    previous_key_hash blob,
    previous_key_until text,
    created_at text not null,
    disabled_at text,
    last_delivery_at text,
    last_error text,
    last_error_at text,
    deliveries integer not null
) strict;
create unique index integrations_name on integrations (name);
create unique index integrations_key on integrations (key_hash);

-- Raw bodies, kept for a limited time.
create table deliveries (
    id blob primary key,
    integration_id blob not null references integrations (id) on delete cascade,
    received_at text not null,
    status text not null,
    error text,
    alerts integer not null,
    size integer not null,
    body blob not null
) strict;
create index deliveries_order on deliveries (integration_id, received_at, id);

create table alerts (
    id blob primary key,
    integration_id blob not null references integrations (id) on delete cascade,
    dedup_key text not null,
    group_key text not null,
    status text not null,
    severity text not null,
    service text not null,
    title text not null,
    detail text not null,
    starts_at text not null,
    ends_at text,
    first_seen_at text not null,
    last_received_at text not null,
    count integer not null,
    incident_id blob references incidents (id) on delete set null
) strict;
-- At most one open occurrence per key: the database says so, not luck.
create unique index alerts_open on alerts (integration_id, dedup_key) where status in ('firing', 'acknowledged');
create index alerts_key on alerts (integration_id, dedup_key, starts_at);
create index alerts_incident on alerts (incident_id, status, starts_at);
create index alerts_order on alerts (last_received_at, id);

-- One open incident per integration and group key.
create table incident_groups (
    incident_id blob not null references incidents (id) on delete cascade,
    integration_id blob not null references integrations (id) on delete cascade,
    group_key text not null,
    is_open integer not null check (is_open in (0, 1)),
    closed_at text,
    primary key (incident_id, integration_id, group_key)
) strict;
create unique index incident_groups_open on incident_groups (integration_id, group_key) where is_open = 1;
