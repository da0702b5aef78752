-- Who has the room of an incident open: one row for each open stream, renewed while it lives. Rows that ended are
-- removed by whoever comes next.
create table seats (
    id uuid primary key,
    incident_id uuid not null references incidents (id) on delete cascade,
    handle text not null,
    ends_at timestamptz not null
);
create index seats_incident on seats (incident_id);
create index seats_end on seats (ends_at);

-- The one line that somebody says about what they do, until they take it back or are gone for long.
create table working_lines (
    incident_id uuid not null references incidents (id) on delete cascade,
    handle text not null,
    line text not null,
    since timestamptz not null,
    ends_at timestamptz not null,
    primary key (incident_id, handle)
);

-- Up to which event somebody has read an incident.
create table readings (
    incident_id uuid not null references incidents (id) on delete cascade,
    handle text not null,
    seq bigint not null,
    read_at timestamptz not null,
    primary key (incident_id, handle)
);
