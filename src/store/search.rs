//! Full-text search: FTS5 on SQLite, a `tsvector` with a GIN index on PostgreSQL, over one table of what can be found.
//!
//! The repositories of the nouns call [`keep`] and [`forget`] beside each of their writes, so that a search is never
//! behind. Who sees what is decided in [`seen`] and nowhere else.

mod terms;

use std::collections::HashMap;

use super::db::{Conn, Db, Dialect, Query, ROWS, Row};
use super::incidents::visible;
use super::{Result, balancers, incidents, tasks, timeline};
use crate::domain::id::Reference;
use crate::domain::search::{Document, Filter, Found, Hit, Search};
use uuid::Uuid;

/// Of the folding and of what goes into a document; a step up makes every installation's index anew.
const VERSION: i64 = 1;
/// Hits that are ranked, the newest of all: a word that stands everywhere costs no more than this.
pub const RANKED_MAX: i64 = 1_000;
/// Rows read at once while the index is made.
const BATCH: i64 = 500;

/// Rewrites a part of the index without what was deleted from it, which else stands in it until its next large merge;
/// false when there was nothing left to do. `first` begins it anew. (fts5.html, 6.8: the merge command.)
pub async fn purge_step(conn: &mut Conn, first: bool) -> Result<bool> {
    if conn.dialect() == Dialect::Postgres {
        return Ok(false);
    }
    const CHANGES: &str = "select total_changes()";
    let before: Option<i64> = conn.query(CHANGES).value().await?;
    let pages = if first { -PURGE_PAGES } else { PURGE_PAGES };
    conn.query("insert into search_words (search_words, rank) values ('merge', $1)").bind(pages).execute().await?;
    let after: Option<i64> = conn.query(CHANGES).value().await?;
    Ok(after > before.map(|before| before + 1))
}

const PURGE_PAGES: i64 = 500;

/// Adds what can be found, or replaces what was kept of it before.
pub async fn keep(conn: &mut Conn, document: &Document) -> Result<()> {
    keep_all(conn, std::slice::from_ref(document)).await
}

/// [`keep`] for several, none of them twice.
pub async fn keep_all(conn: &mut Conn, documents: &[Document]) -> Result<()> {
    for batch in documents.chunks(ROWS) {
        let dialect = conn.dialect();
        let words: Vec<_> = batch.iter().map(terms::words).collect();
        let text = conn.per_dialect(
            "insert into search_documents as d (kind, subject, incident_id, entry_kind, at, title, body) values ",
            "insert into search_documents as d (kind, subject, incident_id, entry_kind, at, title, body, words, folded) values ",
        );
        let query = conn.query(text).push_rows(batch.iter().zip(&words), |row, (document, words)| {
            let row = row.value(document.found.as_str()).value(document.id).value(document.incident.map(|incident| incident.0));
            let row = row.value(document.entry_kind.map(|kind| kind.as_str())).value(document.at);
            let row = row.value(&document.title).value(&document.body);
            Ok(match dialect {
                Dialect::Sqlite => row,
                Dialect::Postgres => row.cast(words.tsvector(), " as tsvector)").value(words.in_order()),
            })
        })?;
        let query = query.push(
            " on conflict (kind, subject) do update set entry_kind = excluded.entry_kind, at = excluded.at,
                title = excluded.title, body = excluded.body",
        );
        let query = match dialect {
            Dialect::Sqlite => query,
            Dialect::Postgres => query.push(", words = excluded.words, folded = excluded.folded"),
        };
        let changed = query
            .push(
                " where d.title <> excluded.title or d.body <> excluded.body or d.at <> excluded.at or d.entry_kind <> excluded.entry_kind
                 returning id, kind, subject",
            )
            .all(|row| Ok((row.get::<i64>("id")?, row.word::<Found>("kind")?, row.get::<Uuid>("subject")?)))
            .await?;
        if dialect == Dialect::Postgres || changed.is_empty() {
            continue;
        }
        let places: HashMap<_, _> =
            batch.iter().zip(&words).map(|(document, words)| ((document.found, document.id), words)).collect();
        let folded = changed.iter().filter_map(|(id, found, subject)| places.get(&(*found, *subject)).map(|words| (*id, words)));
        let query = conn.query("insert or replace into search_words (rowid, title, body) values ");
        query.push_rows(folded, |row, (id, words)| Ok(row.value(id).value(&words.title).value(&words.body)))?.execute().await?;
    }
    Ok(())
}

/// As [`keep`] when there is a document; otherwise what was kept is taken out.
pub async fn keep_or_forget(conn: &mut Conn, document: Option<&Document>, found: Found, id: Uuid) -> Result<()> {
    match document {
        Some(document) => keep(conn, document).await,
        None => forget(conn, found, id).await,
    }
}

pub async fn forget(conn: &mut Conn, found: Found, id: Uuid) -> Result<()> {
    let query = conn.query("delete from search_documents where kind = $1 and subject = $2");
    query.bind(found.as_str()).bind(id).execute().await.map(drop)
}

/// Makes the index of everything that is there, once for each version of the folding. Two processes that start
/// together make it once: the second waits for the first.
pub async fn fill(db: &Db) -> Result<()> {
    let version: Option<i64> = db.read().await?.query("select version from search_state").value().await?;
    if version == Some(VERSION) {
        return Ok(());
    }
    let mut conn = db.begin().await?;
    let mine = conn.query("update search_state set version = $1 where version <> $1").bind(VERSION).execute().await?;
    if mine == 0 {
        return Ok(());
    }
    conn.query("delete from search_documents").execute().await?;
    for balancer in balancers::list(&mut conn).await? {
        keep(&mut conn, &Document::of_balancer(&balancer)).await?;
    }
    let mut after = Uuid::nil();
    loop {
        let batch = tasks::batch(&mut conn, after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after = last.id.0;
        keep_all(&mut conn, &batch.iter().map(Document::of_task).collect::<Vec<_>>()).await?;
    }
    after = Uuid::nil();
    loop {
        let batch = timeline::batch(&mut conn, after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after = last.id.0;
        keep_all(&mut conn, &batch.iter().filter_map(Document::of_entry).collect::<Vec<_>>()).await?;
    }
    after = Uuid::nil();
    loop {
        let batch = incidents::batch(&mut conn, after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after = last.id.0;
        for incident in &batch {
            incidents::keep_found(&mut conn, incident).await?;
        }
    }
    conn.commit().await
}

/// Whom the hits are for.
#[derive(Debug, Clone, Copy)]
pub struct Seer<'a> {
    /// As in [`incidents::list`].
    pub sees_only_as: Option<&'a str>,
    pub balancers: bool,
}

/// The best first, of equals the newest; without words the newest. After the first `skip`, of at most [`RANKED_MAX`].
pub async fn find(conn: &mut Conn, search: &Search, seer: Seer<'_>, skip: i64, limit: i64) -> Result<Vec<Hit>> {
    let dialect = conn.dialect();
    let by_words = !search.wanted.is_empty();
    let query = conn.query(
        "select d.kind, d.subject, i.number, i.severity, i.status, d.entry_kind, d.at, d.title, d.body from (select d.id as id, ",
    );
    let query = match dialect {
        // A cross join keeps its order: the index gives the newest first, and the join ends at the limit.
        Dialect::Sqlite if by_words => query.push(
            "bm25(search_words, 8.0, 1.0) as score from search_words cross join search_documents d on d.id = search_words.rowid",
        ),
        Dialect::Postgres if by_words => query
            .push_bind("-ts_rank('{0.1, 0.1, 0.1, 1.0}', d.words, cast(", terms::tsquery(&search.wanted))
            .push(" as tsquery), 1) as score from search_documents d"),
        _ => query.push("0 as score from search_documents d"),
    };
    let query = query.push(" left join incidents i on i.id = d.incident_id where ");
    let query = terms::found(seen(query, seer), dialect, search);
    let query = narrowed(query, dialect, search, Of::Documents);
    let query = if search.means_incidents() { query.push(" and d.kind = 'incident'") } else { query };
    let order = match (by_words, dialect) {
        (true, Dialect::Sqlite) => " order by search_words.rowid desc limit ",
        (true, Dialect::Postgres) => " order by d.id desc limit ",
        (false, _) => " order by d.at desc, d.id desc limit ",
    };
    query
        .push_bind(order, RANKED_MAX)
        .push(") h join search_documents d on d.id = h.id left join incidents i on i.id = d.incident_id")
        .push_bind(" order by h.score, d.at desc, d.id desc limit ", limit)
        .push_bind(" offset ", skip)
        .all(hit)
        .await
}

/// The one place that says which documents `d` of which incidents `i` somebody sees.
fn seen<'c>(query: Query<'c>, seer: Seer<'_>) -> Query<'c> {
    let query = query.push(if seer.balancers { "(d.incident_id is null or (" } else { "((" });
    visible(query.push("i.deleted_at is null and i.id is not null"), seer.sees_only_as).push("))")
}

fn hit(row: &Row) -> Result<Hit> {
    let word = |name: &str| row.get::<Option<String>>(name).map(|text| text.is_some());
    Ok(Hit {
        found: row.word("kind")?,
        id: row.get("subject")?,
        incident: row.get::<Option<i64>>("number")?.map(Reference),
        severity: if word("severity")? { Some(row.word("severity")?) } else { None },
        status: if word("status")? { Some(row.word("status")?) } else { None },
        entry_kind: if word("entry_kind")? { Some(row.word("entry_kind")?) } else { None },
        at: row.get("at")?,
        title: row.get("title")?,
        body: row.get("body")?,
    })
}

/// Narrows a list of incidents `i` to those that the search finds, in themselves or in their write-ups.
pub(super) fn matching<'c>(query: Query<'c>, dialect: Dialect, search: &Search) -> Query<'c> {
    narrowed(terms::incidents(query, dialect, search), dialect, search, Of::Incidents)
}

/// What a filter is asked of: documents `d` (with their incidents `i`), or incidents `i` alone.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Documents,
    Incidents,
}

fn narrowed<'c>(mut query: Query<'c>, dialect: Dialect, search: &Search, of: Of) -> Query<'c> {
    for (holds, filter) in &search.filters {
        query = query.push(if *holds { " and (" } else { " and not (" });
        query = holding(query, dialect, filter, of).push(")");
    }
    query
}

fn holding<'c>(query: Query<'c>, dialect: Dialect, filter: &Filter, of: Of) -> Query<'c> {
    let documents = of == Of::Documents;
    // A balancer belongs to no incident: what is asked of one does not hold for it, and its opposite does.
    match filter {
        Filter::Open => query.push("coalesce(i.status, 'resolved') <> 'resolved'"),
        Filter::Status(status) => query.push_bind("coalesce(i.status, '') = ", status.as_str()),
        Filter::Severity(severity) => query.push_bind("coalesce(i.severity, '') = ", severity.as_str()),
        Filter::IncidentKind(kind) => query.push_bind("coalesce(i.kind, '') = ", kind.as_str()),
        Filter::Found(found) if documents => query.push_bind("d.kind = ", found.as_str()),
        Filter::EntryKind(kind) if documents => query.push_bind("coalesce(d.entry_kind, '') = ", kind.as_str()),
        Filter::Found(Found::Incident) => query.push("1 = 1"),
        Filter::Found(_) | Filter::EntryKind(_) => query.push("1 = 0"),
        Filter::Service(service) => incidents::with_service(query, service),
        Filter::Label(name, value) => incidents::with_label(query, dialect, name, value.as_deref()),
        Filter::After(at) => query.push_bind(if documents { "d.at >= " } else { "i.began_at >= " }, *at),
        Filter::Before(at) => query.push_bind(if documents { "d.at < " } else { "i.began_at < " }, *at),
    }
}
