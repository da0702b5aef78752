create table balancers (
    id blob primary key,
    name text not null,
    fields text not null,
    created_at text not null,
    version integer not null,
    last_answer_at text,
    failing_since text,
    last_error text,
    deleted_at text
) strict;
-- A deleted one is only hidden: what incidents keep of it still names it.
create unique index balancers_name on balancers (name) where deleted_at is null;

-- The config text is a blob by hash, already redacted; the state is what the balancer said of itself, the
-- verdict what the balancer's own program said of the config. What the config means is derived when it is read.
create table snapshots (
    id blob primary key,
    balancer_id blob not null references balancers (id) on delete cascade,
    number integer not null,
    captured_at text not null,
    kind text not null,
    config_hash blob references blobs (hash),
    state text,
    changes text not null,
    notices text not null,
    verdict text,
    source text not null
) strict;
create unique index snapshots_number on snapshots (balancer_id, number);
create index snapshots_time on snapshots (balancer_id, captured_at);

create table incident_snapshots (
    incident_id blob not null references incidents (id) on delete cascade,
    snapshot_id blob not null references snapshots (id) on delete cascade,
    role text not null,
    primary key (incident_id, snapshot_id)
) strict;

-- An incident's window of samples, copied out of the rolling store so that it outlives retention.
create table frozen_chunks (
    incident_id blob not null references incidents (id) on delete cascade,
    balancer_id blob not null,
    balancer text not null,
    pool text not null,
    server text not null,
    metric text not null,
    bytes blob not null,
    primary key (incident_id, balancer_id, pool, server, metric)
) strict;
