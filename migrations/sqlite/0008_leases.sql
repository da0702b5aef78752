-- What only one server of an installation may do at a time. On SQLite there is one server, and no row; the table is
-- here so that both databases have the same ones.
create table leases (
    name text primary key,
    holder blob not null,
    held_until text not null
) strict;
