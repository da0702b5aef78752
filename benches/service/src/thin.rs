//! The control: what a bare program on the same libraries costs, in another process of the same run.
//!
//! axum on rusqlite, with the durability that Afterload has (WAL, `synchronous=FULL`, group commit behind one writer
//! thread) and nothing else that it has: no accounts, no rules, no events, no links between things. It is the ceiling.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use axum::routing::{get, post};
use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::seed;

const SCHEMA: &str = "
    create table incidents (id integer primary key, title text, severity text, status text, service text, began_at text, body text);
    create index by_status on incidents (status, began_at);
    create index by_began on incidents (began_at);
    create table entries (id integer primary key, incident integer, at text, author text, title text, body text);
    create index by_incident on entries (incident, at);
    create table alerts (id integer primary key, dedup_key text, body blob);
    create index by_key on alerts (dedup_key);
    create virtual table words using fts5 (title, body, content = 'incidents', content_rowid = 'id');";

/// A file with `incidents` incidents, the first of which has [`seed::ENTRIES`] entries.
pub fn fill(file: &std::path::Path, incidents: usize) {
    let mut db = Connection::open(file).expect("a database");
    db.pragma_update(None, "journal_mode", "wal").expect("wal");
    db.pragma_update(None, "synchronous", "off").expect("for filling alone");
    db.execute_batch(SCHEMA).expect("schema");
    let tx = db.transaction().expect("begin");
    for number in 0..incidents {
        let i = seed::incident(number);
        let values = params![i.title, i.severity, i.status, i.service, i.began.to_rfc3339(), i.summary];
        tx.execute("insert into incidents (title, severity, status, service, began_at, body) values (?, ?, ?, ?, ?, ?)", values)
            .expect("insert");
    }
    for number in 0..seed::ENTRIES {
        let e = seed::entry(number);
        let values = params![e.at.to_rfc3339(), e.title, e.body];
        tx.execute("insert into entries (incident, at, author, title, body) values (1, ?, 'mk', ?, ?)", values).expect("insert");
    }
    tx.execute("insert into words (words) values ('rebuild')", ()).expect("index");
    tx.commit().expect("commit");
}

type Waiting = (String, Bytes, oneshot::Sender<()>);

#[derive(Clone)]
struct Thin {
    line: mpsc::Sender<Waiting>,
    readers: Arc<Vec<Mutex<Connection>>>,
}

pub async fn serve(file: PathBuf) {
    let (line, waiting) = mpsc::channel(1_024);
    let writer = Connection::open(&file).expect("a database");
    writer.pragma_update(None, "synchronous", "full").expect("durable");
    std::thread::spawn(move || write(writer, waiting));
    let open = || Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).map(Mutex::new).expect("a reader");
    let thin = Thin { line, readers: Arc::new((0..4).map(|_| open()).collect()) };
    let app = axum::Router::new()
        .route("/alerts", post(take))
        .route("/incidents", get(list))
        .route("/incidents/{id}", get(show))
        .route("/search", get(search))
        .route("/", get(async || "thin\n"))
        .with_state(thin);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    crate::say(&format!("thin is at http://{}", listener.local_addr().expect("an address")));
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |io| drop(io.set_nodelay(true))), app).await.expect("serves");
}

/// All that waits goes into one transaction, and is answered after its commit.
fn write(mut db: Connection, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < 256
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        let tx = db.transaction().expect("begin");
        for (key, body, _) in &group {
            tx.prepare_cached("insert into alerts (dedup_key, body) values (?, ?)")
                .expect("sql")
                .execute(params![key, &body[..]])
                .expect("insert");
        }
        tx.commit().expect("commit");
        for (.., answer) in group {
            let _ = answer.send(());
        }
    }
}

async fn take(State(thin): State<Thin>, body: Bytes) -> &'static str {
    let alert: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let (answer, written) = oneshot::channel();
    thin.line.send((alert["dedup_key"].as_str().unwrap_or_default().to_owned(), body, answer)).await.expect("the writer lives");
    written.await.expect("written");
    "{\"stored\":true}"
}

impl Thin {
    async fn read<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        for reader in self.readers.iter() {
            if let Ok(reader) = reader.try_lock() {
                return work(&reader);
            }
        }
        work(&*self.readers[0].lock().await)
    }
}

async fn list(State(thin): State<Thin>, Query(asked): Query<Vec<(String, String)>>) -> Html<String> {
    let mut sql = String::from("select id, title, severity, status, service, began_at from incidents where 1 = 1");
    for (name, _) in &asked {
        sql += match name.as_str() {
            "status" => " and status = ?",
            "severity" => " and severity = ?",
            "service" => " and service = ?",
            "from" => " and began_at >= ?",
            _ => " and id in (select rowid from words where words match ?)",
        };
    }
    sql += " order by began_at desc limit 50";
    let rows = thin
        .read(|db| {
            let mut out = String::from("<!doctype html><title>Incidents</title><table>");
            let mut found = db.prepare_cached(&sql).expect("sql");
            let mut rows = found.query(rusqlite::params_from_iter(asked.iter().map(|(_, value)| value))).expect("rows");
            while let Some(row) = rows.next().expect("row") {
                let text = |at| escaped(row.get_ref(at).expect("column").as_str().expect("text"));
                let id: i64 = row.get(0).expect("id");
                let _ = write!(
                    out,
                    "<tr><td><a href=\"/incidents/{id}\">{}</a><td>{}<td>{}<td>{}<td>{}",
                    text(1),
                    text(2),
                    text(3),
                    text(4),
                    text(5)
                );
            }
            out + "</table>"
        })
        .await;
    Html(rows)
}

async fn show(State(thin): State<Thin>, Path(id): Path<i64>) -> Html<String> {
    let page = thin
        .read(|db| {
            let title: String = db
                .prepare_cached("select title from incidents where id = ?")
                .expect("sql")
                .query_row([id], |row| row.get(0))
                .expect("one");
            let mut out = format!("<!doctype html><title>{0}</title><h1>{0}</h1><ol>", escaped(&title));
            let mut found =
                db.prepare_cached("select at, author, title, body from entries where incident = ? order by at").expect("sql");
            let mut rows = found.query([id]).expect("rows");
            while let Some(row) = rows.next().expect("row") {
                let text = |at| row.get_ref(at).expect("column").as_str().expect("text");
                let _ =
                    write!(out, "<li><time>{}</time> <b>{}</b> {}<div>", escaped(text(0)), escaped(text(1)), escaped(text(2)));
                pulldown_cmark::html::push_html(&mut out, pulldown_cmark::Parser::new_ext(text(3), seed::markdown()));
                out += "</div></li>";
            }
            out + "</ol>"
        })
        .await;
    Html(page)
}

async fn search(State(thin): State<Thin>, Query(asked): Query<Vec<(String, String)>>) -> Html<String> {
    let word = asked.into_iter().find(|(name, _)| name == "q").map(|(_, value)| value).unwrap_or_default();
    let page = thin
        .read(|db| {
            let sql = "select i.id, i.title, snippet(words, 1, '<mark>', '</mark>', '…', 20) from words join incidents i on i.id = words.rowid
                where words match ? order by rank limit 50";
            let mut out = String::from("<!doctype html><title>Found</title><ul>");
            let mut found = db.prepare_cached(sql).expect("sql");
            let mut rows = found.query([word]).expect("rows");
            while let Some(row) = rows.next().expect("row") {
                let text = |at| row.get_ref(at).expect("column").as_str().expect("text");
                let id: i64 = row.get(0).expect("id");
                let _ = write!(out, "<li><a href=\"/incidents/{id}\">{}</a> {}", escaped(text(1)), escaped(text(2)));
            }
            out + "</ul>"
        })
        .await;
    Html(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
