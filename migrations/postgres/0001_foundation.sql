-- People, sessions, tokens, settings.

create table settings (
    name text primary key,
    value text not null
);

create table people (
    id uuid primary key,
    handle text not null,
    role text not null check (role in ('viewer', 'responder', 'editor', 'admin')),
    password_hash text not null,
    created_at timestamptz not null,
    disabled_at timestamptz
);
create unique index people_handle on people (handle);

-- Only the SHA-256 of a session's secret is kept.
create table sessions (
    secret_hash bytea primary key,
    person_id uuid not null references people (id) on delete cascade,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    user_agent text not null
);
create index sessions_person on sessions (person_id);

create table tokens (
    id uuid primary key,
    secret_hash bytea not null,
    name text not null,
    scopes jsonb not null,
    person_id uuid references people (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
create unique index tokens_secret on tokens (secret_hash);

-- Every change, in commit order: the audit log, the live stream and the wake-up in one.
create table events (
    seq bigint generated always as identity primary key,
    at timestamptz not null,
    kind text not null,
    actor text not null,
    incident_id uuid,
    subject uuid,
    data jsonb not null
);
create index events_incident on events (incident_id, seq);
