//! Words in the grammars of the two databases. Folded words are letters and digits alone, so whatever is typed the text
//! made here is well formed. PostgreSQL gives up on the order of words in long texts (positions end at 16,383, and at
//! 256 for one word), so there a phrase is looked up as its words and then held against the words in order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::search::words::folded;
use crate::domain::search::{Document, Search, Term};
use crate::store::db::{Dialect, Query};

/// PostgreSQL's highest position, and how many it keeps of one word (fewer here: they only serve the rank).
const POSITION_MAX: usize = 16_383;
const POSITIONS_KEPT: usize = 64;

/// The words of a document.
pub struct Words {
    pub title: String,
    pub body: String,
}

pub fn words(document: &Document) -> Words {
    Words { title: folded(&document.title), body: folded(&document.body) }
}

impl Words {
    /// As PostgreSQL reads a `tsvector`: `'queue':1A,7`. Words of the title weigh more.
    pub fn tsvector(&self) -> String {
        let mut positions: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
        let title = self.title.split_whitespace().map(|word| (word, "A"));
        let body = self.body.split_whitespace().map(|word| (word, ""));
        for (index, (word, weight)) in title.chain(body).enumerate() {
            let kept = positions.entry(word).or_default();
            if kept.is_empty() || (kept.len() < POSITIONS_KEPT && index < POSITION_MAX) {
                kept.push(((index + 1).min(POSITION_MAX), weight));
            }
        }
        let mut text = String::new();
        for (word, kept) in positions {
            let kept: Vec<String> = kept.iter().map(|(position, weight)| format!("{position}{weight}")).collect();
            let _ = write!(text, "'{word}':{} ", kept.join(","));
        }
        text
    }

    /// All words between single spaces; no phrase goes from the title into the body.
    pub fn in_order(&self) -> String {
        format!(" {} | {} ", self.title, self.body)
    }
}

/// All terms, as FTS5 reads it.
fn fts5(terms: &[Term], between: &str) -> String {
    let term = |term: &Term| format!("\"{}\"{}", term.words.join(" "), if term.prefix { " *" } else { "" });
    format!("({})", terms.iter().map(term).collect::<Vec<_>>().join(between))
}

/// The words of all terms, as PostgreSQL reads a `tsquery`.
pub fn tsquery(terms: &[Term]) -> String {
    let last = |term: &Term| term.words.len().saturating_sub(1);
    let words = terms.iter().flat_map(|term| {
        let beginning = move |index: usize| if term.prefix && index == last(term) { ":*" } else { "" };
        term.words.iter().enumerate().map(move |(index, word)| format!("'{word}'{}", beginning(index)))
    });
    words.collect::<Vec<_>>().join(" & ")
}

/// `% connection refused %`, for a term of several words.
fn in_order(term: &Term) -> Option<String> {
    let end = if term.prefix { "%" } else { " %" };
    (term.words.len() > 1).then(|| format!("% {}{end}", term.words.join(" ")))
}

/// That document `d` has all of the terms, on PostgreSQL.
fn has_all<'c>(query: Query<'c>, terms: &[Term]) -> Query<'c> {
    let query = query.push_bind("d.words @@ cast(", tsquery(terms)).push(" as tsquery)");
    terms.iter().fold(query, |query, term| query.and_if(" and d.folded like ", in_order(term)))
}

/// Narrows documents `d` (on SQLite joined to the index where words are wanted) to those that the search finds.
pub fn found<'c>(mut query: Query<'c>, dialect: Dialect, search: &Search) -> Query<'c> {
    let (wanted, unwanted) = (&search.wanted, &search.unwanted);
    match dialect {
        Dialect::Sqlite if !wanted.is_empty() && !unwanted.is_empty() => {
            let text = format!("{} NOT {}", fts5(wanted, " AND "), fts5(unwanted, " OR "));
            query.push_bind(" and search_words match ", text)
        }
        Dialect::Sqlite if !wanted.is_empty() => query.push_bind(" and search_words match ", fts5(wanted, " AND ")),
        Dialect::Sqlite if !unwanted.is_empty() => query
            .push_bind(" and d.id not in (select rowid from search_words where search_words match ", fts5(unwanted, " OR "))
            .push(")"),
        Dialect::Sqlite => query,
        Dialect::Postgres => {
            if !wanted.is_empty() {
                query = has_all(query.push(" and "), wanted);
            }
            for term in unwanted {
                query = has_all(query.push(" and not ("), std::slice::from_ref(term)).push(")");
            }
            query
        }
    }
}

/// Narrows incidents `i` to those that have all wanted words in one of their documents, and no unwanted one in any.
pub fn incidents<'c>(mut query: Query<'c>, dialect: Dialect, search: &Search) -> Query<'c> {
    if !search.wanted.is_empty() {
        query = listed(query.push(" and i.id in ("), dialect, &search.wanted).push(")");
    }
    for term in &search.unwanted {
        query = listed(query.push(" and i.id not in ("), dialect, std::slice::from_ref(term)).push(")");
    }
    query
}

fn listed<'c>(query: Query<'c>, dialect: Dialect, terms: &[Term]) -> Query<'c> {
    let query = query.push("select d.incident_id from ");
    let query = match dialect {
        Dialect::Sqlite => query
            .push("search_words cross join search_documents d on d.id = search_words.rowid")
            .push_bind(" where search_words match ", fts5(terms, " AND ")),
        Dialect::Postgres => has_all(query.push("search_documents d where "), terms),
    };
    query.push(" and d.kind in ('incident', 'postmortem')")
}
