create table balancers (
    id uuid primary key,
    name text not null,
    fields jsonb not null,
    created_at timestamptz not null,
    version bigint not null,
    last_answer_at timestamptz,
    failing_since timestamptz,
    last_error text,
    deleted_at timestamptz
);
-- A deleted one is only hidden: what incidents keep of it still names it.
create unique index balancers_name on balancers (name) where deleted_at is null;

-- The config text is a blob by hash, already redacted; the state is what the balancer said of itself, the
-- verdict what the balancer's own program said of the config. What the config means is derived when it is read.
create table snapshots (
    id uuid primary key,
    balancer_id uuid not null references balancers (id) on delete cascade,
    number bigint not null,
    captured_at timestamptz not null,
    kind text not null,
    config_hash bytea references blobs (hash),
    state jsonb,
    changes jsonb not null,
    notices jsonb not null,
    verdict jsonb,
    source text not null
);
create unique index snapshots_number on snapshots (balancer_id, number);
create index snapshots_time on snapshots (balancer_id, captured_at);

create table incident_snapshots (
    incident_id uuid not null references incidents (id) on delete cascade,
    snapshot_id uuid not null references snapshots (id) on delete cascade,
    role text not null,
    primary key (incident_id, snapshot_id)
);

-- An incident's window of samples, copied out of the rolling store so that it outlives retention.
create table frozen_chunks (
    incident_id uuid not null references incidents (id) on delete cascade,
    balancer_id uuid not null,
    balancer text not null,
    pool text not null,
    server text not null,
    metric text not null,
    bytes bytea not null,
    primary key (incident_id, balancer_id, pool, server, metric)
);
