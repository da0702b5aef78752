-- A room says how many of its entries were deleted: asked of few rows instead of all.
create index entries_gone on entries (incident_id) where deleted_at is not null;
