-- What can be found, one row a thing, kept by the store beside every write. Title and body are shown; the words that
-- are compared come folded from the program, so that both databases find the same: `words` for the index and the rank,
-- `folded` for the order of words in phrases, which has no limits there.
create table search_documents (
    id bigint generated always as identity primary key,
    kind text not null,
    subject uuid not null,
    incident_id uuid references incidents (id) on delete cascade,
    entry_kind text,
    at timestamptz not null,
    title text not null,
    body text not null,
    words tsvector not null,
    folded text not null
);
create unique index search_documents_subject on search_documents (kind, subject);
create index search_documents_incident on search_documents (incident_id);
create index search_documents_time on search_documents (at, id);
create index search_documents_words on search_documents using gin (words);

-- What is deleted for good is found no more, whoever deletes it.
create function search_gone() returns trigger language plpgsql as $$
begin
    delete from search_documents where kind = tg_argv[0] and subject = old.id;
    return null;
end
$$;
create trigger entries_search_gone after delete on entries for each row execute function search_gone('entry');
create trigger tasks_search_gone after delete on tasks for each row execute function search_gone('task');
create trigger balancers_search_gone after delete on balancers for each row execute function search_gone('balancer');

-- Which version of the folding the rows were made by; another one makes them anew at the next start.
create table search_state (
    version bigint not null
);
insert into search_state (version) values (0);
