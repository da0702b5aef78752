-- One row per poll of one balancer until it is packed into chunks.
create table frames (
    balancer_id blob not null,
    at text not null,
    bytes blob not null,
    primary key (balancer_id, at)
) strict;

-- Packed series: `server` is empty for the pool as a whole. [from_at, to_at] are its first and last point.
create table chunks (
    balancer_id blob not null,
    pool text not null,
    server text not null,
    metric text not null,
    from_at text not null,
    to_at text not null,
    bytes blob not null,
    primary key (balancer_id, pool, server, metric, from_at)
) strict;
create index chunks_time on chunks (balancer_id, to_at);
