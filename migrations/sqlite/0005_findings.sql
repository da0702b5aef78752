-- A finding that people know of: which rule, where, why it may stand, and until when.
create table acknowledgements (
    id blob primary key,
    balancer_id blob not null references balancers (id) on delete cascade,
    rule text not null,
    pool text,
    server text,
    reason text not null,
    created_by text not null,
    created_at text not null,
    expires_at text,
    ended_at text,
    ended_by text
) strict;
create index acknowledgements_balancer on acknowledgements (balancer_id, created_at);
