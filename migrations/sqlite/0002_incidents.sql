-- Numbers are gapless: they are taken inside the transaction that uses them.
create table counters (
    name text primary key,
    value integer not null
) strict;
insert into counters (name, value) values ('incident', 0);

-- `fields` holds what people write; the columns beside it are copies that lists filter and sort by.
create table incidents (
    id blob primary key,
    number integer not null,
    title text not null,
    kind text not null,
    severity text not null,
    status text not null,
    visibility text not null,
    began_at text not null,
    fields text not null,
    created_by text not null,
    created_at text not null,
    updated_at text not null,
    deleted_at text,
    version integer not null
) strict;
create unique index incidents_number on incidents (number);
create index incidents_began on incidents (began_at, id) where deleted_at is null;
create index incidents_status_began on incidents (status, began_at, id) where deleted_at is null;

-- Who is named on an incident: the lookup behind restricted visibility.
create table incident_people (
    incident_id blob not null references incidents (id) on delete cascade,
    handle text not null,
    primary key (incident_id, handle)
) strict;

create table entries (
    id blob primary key,
    incident_id blob not null references incidents (id) on delete cascade,
    kind text not null,
    occurred_at text not null,
    recorded_at text not null,
    pinned integer not null check (pinned in (0, 1)),
    source text not null,
    author text not null,
    fields text not null,
    edited_at text,
    edited_by text,
    deleted_at text,
    version integer not null
) strict;
create index entries_order on entries (incident_id, occurred_at, id);

-- Earlier versions of an entry, with who and when.
create table entry_revisions (
    entry_id blob not null references entries (id) on delete cascade,
    version integer not null,
    at text not null,
    author text not null,
    fields text not null,
    primary key (entry_id, version)
) strict;

create table tasks (
    id blob primary key,
    incident_id blob not null references incidents (id) on delete cascade,
    status text not null,
    owner text,
    due_on text,
    fields text not null,
    created_by text not null,
    created_at text not null,
    closed_at text,
    version integer not null
) strict;
create index tasks_incident on tasks (incident_id, id);
create index tasks_open on tasks (due_on, id) where status in ('open', 'in_progress');

-- Texts and files by content: SHA-256 of the bytes as stored before compression.
create table blobs (
    hash blob primary key,
    bytes blob not null
) strict;

create table attachments (
    id blob primary key,
    hash blob not null references blobs (hash),
    name text not null,
    media_type text not null,
    size integer not null,
    created_by text not null,
    created_at text not null
) strict;
