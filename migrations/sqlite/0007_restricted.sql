-- Who sees a restricted incident is said in its fields alone: those who opened one are named on it from now on.
update incidents set fields = json_set(fields, '$.named', json_array(created_by))
where visibility = 'restricted' and created_by in (select handle from people);
insert into incident_people (incident_id, handle)
select id, created_by from incidents where visibility = 'restricted' and created_by in (select handle from people)
on conflict do nothing;

-- The incident whose texts named the file first: who sees the one sees the other. None: only who sent it.
alter table attachments add column incident_id blob references incidents (id) on delete set null;
create temporary table file_words as
select id, lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-'
    || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) as word
from attachments;
update attachments set incident_id = (
    select e.incident_id from entries e join file_words w on instr(e.fields, w.word) > 0
    where w.id = attachments.id order by e.recorded_at, e.id limit 1);
update attachments set incident_id = (
    select i.id from incidents i join file_words w on instr(i.fields, w.word) > 0
    where w.id = attachments.id order by i.number limit 1)
where incident_id is null;
drop table file_words;
