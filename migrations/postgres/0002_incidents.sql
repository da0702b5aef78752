-- Numbers are gapless: they are taken inside the transaction that uses them.
create table counters (
    name text primary key,
    value bigint not null
);
insert into counters (name, value) values ('incident', 0);

-- `fields` holds what people write; the columns beside it are copies that lists filter and sort by.
create table incidents (
    id uuid primary key,
    number bigint not null,
    title text not null,
    kind text not null,
    severity text not null,
    status text not null,
    visibility text not null,
    began_at timestamptz not null,
    fields jsonb not null,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    version bigint not null
);
create unique index incidents_number on incidents (number);
create index incidents_began on incidents (began_at, id) where deleted_at is null;
create index incidents_status_began on incidents (status, began_at, id) where deleted_at is null;

-- Who is named on an incident: the lookup behind restricted visibility.
create table incident_people (
    incident_id uuid not null references incidents (id) on delete cascade,
    handle text not null,
    primary key (incident_id, handle)
);

create table entries (
    id uuid primary key,
    incident_id uuid not null references incidents (id) on delete cascade,
    kind text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    pinned boolean not null,
    source text not null,
    author text not null,
    fields jsonb not null,
    edited_at timestamptz,
    edited_by text,
    deleted_at timestamptz,
    version bigint not null
);
create index entries_order on entries (incident_id, occurred_at, id);

-- Earlier versions of an entry, with who and when.
create table entry_revisions (
    entry_id uuid not null references entries (id) on delete cascade,
    version bigint not null,
    at timestamptz not null,
    author text not null,
    fields jsonb not null,
    primary key (entry_id, version)
);

create table tasks (
    id uuid primary key,
    incident_id uuid not null references incidents (id) on delete cascade,
    status text not null,
    owner text,
    due_on text,
    fields jsonb not null,
    created_by text not null,
    created_at timestamptz not null,
    closed_at timestamptz,
    version bigint not null
);
create index tasks_incident on tasks (incident_id, id);
create index tasks_open on tasks (due_on, id) where status in ('open', 'in_progress');

-- Texts and files by content: SHA-256 of the bytes as stored before compression.
create table blobs (
    hash bytea primary key,
    bytes bytea not null
);

create table attachments (
    id uuid primary key,
    hash bytea not null references blobs (hash),
    name text not null,
    media_type text not null,
    size bigint not null,
    created_by text not null,
    created_at timestamptz not null
);
