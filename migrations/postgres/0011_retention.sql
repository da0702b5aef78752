-- A legal hold: who set it, when and why. While there is one, nothing of the incident is deleted.
alter table incidents add column hold jsonb;
create index incidents_held on incidents (id) where hold is not null;

-- What clean-up looks for: what was deleted long ago, and files that nothing needs any more.
create index incidents_deleted on incidents (deleted_at) where deleted_at is not null;
create index entries_deleted on entries (deleted_at) where deleted_at is not null;
create index attachments_incident on attachments (incident_id);
create index attachments_hash on attachments (hash);
create index snapshots_config on snapshots (config_hash);
