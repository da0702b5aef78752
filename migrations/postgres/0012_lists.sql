-- A page of incidents costs what it shows, not what it leaves out: each filter has an index in the order of the list.
create index incidents_severity_began on incidents (severity, began_at, id) where deleted_at is null;
create index incidents_kind_began on incidents (kind, began_at, id) where deleted_at is null;
create index incidents_open_began on incidents (began_at, id) where deleted_at is null and status <> 'resolved';

-- The services of an incident, beside its fields, in the order of the list.
create table incident_services (
    incident_id uuid not null references incidents (id) on delete cascade,
    service text not null,
    began_at timestamptz not null,
    primary key (incident_id, service)
);
create index incident_services_began on incident_services (service, began_at, incident_id);
insert into incident_services (incident_id, service, began_at)
select i.id, s.value, i.began_at from incidents i, jsonb_array_elements_text(i.fields -> 'services') s(value)
on conflict do nothing;
