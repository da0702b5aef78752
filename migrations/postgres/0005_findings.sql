-- A finding that people know of: which rule, where, why it may stand, and until when.
create table acknowledgements (
    id uuid primary key,
    balancer_id uuid not null references balancers (id) on delete cascade,
    rule text not null,
    pool text,
    server text,
    reason text not null,
    created_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    ended_at timestamptz,
    ended_by text
);
create index acknowledgements_balancer on acknowledgements (balancer_id, created_at);
