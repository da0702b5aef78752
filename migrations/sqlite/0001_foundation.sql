-- People, sessions, tokens, settings.

create table settings (
    name text primary key,
    value text not null
) strict;

create table people (
    id blob primary key,
    handle text not null,
    role text not null check (role in ('viewer', 'responder', 'editor', 'admin')),
    password_hash text not null,
    created_at text not null,
    disabled_at text
) strict;
create unique index people_handle on people (handle);

-- Only the SHA-256 of a session's secret is kept.
create table sessions (
    secret_hash blob primary key,
    person_id blob not null references people (id) on delete cascade,
    created_at text not null,
    last_seen_at text not null,
    expires_at text not null,
    user_agent text not null
) strict;
create index sessions_person on sessions (person_id);

create table tokens (
    id blob primary key,
    secret_hash blob not null,
    name text not null,
    scopes text not null,
    person_id blob references people (id) on delete cascade,
    created_at text not null,
    expires_at text,
    last_used_at text,
    revoked_at text
) strict;
create unique index tokens_secret on tokens (secret_hash);

-- Every change, in commit order: the audit log, the live stream and the wake-up in one.
create table events (
    seq integer primary key autoincrement,
    at text not null,
    kind text not null,
    actor text not null,
    incident_id blob,
    subject blob,
    data text not null
) strict;
create index events_incident on events (incident_id, seq);
