-- Who sees a restricted incident is said in its fields alone: those who opened one are named on it from now on.
update incidents set fields = jsonb_set(fields, '{named}', jsonb_build_array(created_by))
where visibility = 'restricted' and created_by in (select handle from people);
insert into incident_people (incident_id, handle)
select id, created_by from incidents where visibility = 'restricted' and created_by in (select handle from people)
on conflict do nothing;

-- The incident whose texts named the file first: who sees the one sees the other. None: only who sent it.
alter table attachments add column incident_id uuid references incidents (id) on delete set null;
update attachments set incident_id = (
    select e.incident_id from entries e where position(attachments.id::text in e.fields::text) > 0
    order by e.recorded_at, e.id limit 1);
update attachments set incident_id = (
    select i.id from incidents i where position(attachments.id::text in i.fields::text) > 0 order by i.number limit 1)
where incident_id is null;
