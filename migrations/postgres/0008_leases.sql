-- What only one server of an installation may do at a time, who does it, and until when nobody else may.
create table leases (
    name text primary key,
    holder uuid not null,
    held_until timestamptz not null
);
