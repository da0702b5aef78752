-- What can be found, one row a thing, kept by the store beside every write. Title and body are shown; the words that
-- are compared come folded from the program, so that both databases find the same.
create table search_documents (
    id integer primary key,
    kind text not null,
    subject blob not null,
    incident_id blob references incidents (id) on delete cascade,
    entry_kind text,
    at text not null,
    title text not null,
    body text not null
) strict;
create unique index search_documents_subject on search_documents (kind, subject);
create index search_documents_incident on search_documents (incident_id);
create index search_documents_time on search_documents (at, id);

-- Only the index: the texts stand above. Folded words are letters and digits between spaces, which this tokenizer
-- takes as they are.
create virtual table search_words using fts5 (
    title, body, content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '2 3'
);

-- What is deleted for good is found no more, whoever deletes it.
create trigger search_documents_gone after delete on search_documents begin
    delete from search_words where rowid = old.id;
end;
create trigger entries_search_gone after delete on entries begin
    delete from search_documents where kind = 'entry' and subject = old.id;
end;
create trigger tasks_search_gone after delete on tasks begin
    delete from search_documents where kind = 'task' and subject = old.id;
end;
create trigger balancers_search_gone after delete on balancers begin
    delete from search_documents where kind = 'balancer' and subject = old.id;
end;

-- Which version of the folding the rows were made by; another one makes them anew at the next start.
create table search_state (
    version integer not null
) strict;
insert into search_state (version) values (0);
