//! What a power cut leaves of acknowledged writes, which killing a process cannot show: that keeps the page cache.
//!
//! The real server runs under `strace` while alerts and entries are sent to it over HTTP. From the trace come images of
//! its folder as a disk may hold them when the power goes: what was synced before the cut stands, of what was written
//! and not synced yet anything may be there, whole, torn or not at all. Each image is opened by the real store, and
//! whatever was acknowledged before the cut must be in it. The control is the same server with `synchronous=NORMAL`,
//! which must lose some: a harness that finds nothing there would prove nothing.
//!
//! `just power-loss` runs it; `AFTERLOAD_IMAGES` says another number than 200. Needs `strace`.
#![expect(clippy::print_stdout, reason = "it reports what it found")]

mod image;
mod trace;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use afterload::app::App;
use afterload::config::{Config, DataConfig};
use afterload::store::{Store, db::Durability};

use image::{Chance, Disk, Replay};
use trace::Step;

/// Alerts and entries that are sent, in all.
const SENT: u64 = 1_200;
const SENDERS: u64 = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if let [word, folder] = arguments.as_slice()
        && word == "serve-normal"
    {
        return runtime.block_on(serve_normal(PathBuf::from(folder)));
    }
    let images = std::env::var("AFTERLOAD_IMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let full = runtime.block_on(trial("FULL", images));
    let normal = runtime.block_on(trial("NORMAL", images));
    assert_eq!(full.images_with_loss, 0, "the server lost what it had acknowledged");
    assert!(normal.images_with_loss > 0, "the control lost nothing: this harness proves nothing");
    println!("good: FULL loses nothing, and the harness finds what NORMAL loses");
}

/// What a command line cannot ask for: the same server, which does not wait for the disk at each commit.
async fn serve_normal(folder: PathBuf) {
    let store = Store::open_with(&folder, Durability::Normal).await.expect("the store opens");
    let data = DataConfig { data: folder, database_url: None, database_url_file: None };
    let app = App::open(Config { max_connections: 100, ..Config::for_command(data) }, store).await.expect("opens");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("serving at http://{}", listener.local_addr().expect("an address"));
    let router = afterload::server::router(&app);
    afterload::server::serve(app, listener, router).await.expect("serves");
}

struct Outcome {
    images_with_loss: usize,
}

async fn trial(name: &str, images: usize) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let token = command(&data, &["token", "create", "load", "--scopes", "incidents:write"]);
    let hook = command(&data, &["integration", "create", "generic", "--name", "load"]);
    let before = Disk::read(&data);
    let file = folder.path().join("trace");
    let server = Traced::start(name, &data, &file);
    load(&server.address, &hook, &token);
    server.kill();
    let steps = trace::read(&file, &data);
    let acknowledged: usize = steps.iter().map(|step| if let Step::Acknowledge(keys) = step { keys.len() } else { 0 }).sum();
    let syncs = steps.iter().filter(|step| matches!(step, Step::Sync(_))).count();
    let writes = steps.iter().filter(|step| matches!(step, Step::Write { .. })).count();
    println!("{name}: {acknowledged} acknowledged with {writes} writes and {syncs} syncs in the trace");
    assert!(acknowledged as u64 >= SENT / 2, "too little was acknowledged to learn from");
    let first = steps.iter().position(|step| matches!(step, Step::Acknowledge(_))).expect("an acknowledgement");
    let told: Vec<usize> = (first..steps.len()).filter(|at| matches!(steps[*at], Step::Acknowledge(_))).collect();
    let mut chance = Chance::new(0xAF7E_210A);
    let (mut images_with_loss, mut lost, mut most) = (0, 0, 0);
    // Half of the cuts fall right behind a promise, the others anywhere.
    let mut cuts: Vec<usize> = (0..images)
        .map(
            |number| if number % 2 == 0 { told[chance.below(told.len())] + 1 } else { first + chance.below(steps.len() - first) },
        )
        .collect();
    cuts.sort_unstable();
    let mut replay = Replay::new(before, &steps);
    for cut in cuts {
        let image = tempfile::tempdir().expect("a folder");
        replay.cut(cut, &mut chance).write(image.path());
        let kept = open(image.path()).await;
        let promised =
            steps[..cut].iter().flat_map(|step| if let Step::Acknowledge(keys) = step { keys.as_slice() } else { &[] });
        let missing = promised.filter(|key| !kept.contains(*key)).count();
        images_with_loss += usize::from(missing > 0);
        lost += missing;
        most = most.max(missing);
    }
    println!("{name}: {images_with_loss} of {images} images lack something acknowledged; {lost} in all, at most {most} in one");
    Outcome { images_with_loss }
}

/// Opens an image as the server would, checks it, and returns the keys that are in it.
async fn open(folder: &Path) -> BTreeSet<String> {
    let store = Store::open(None, folder).await.expect("the image opens");
    let mut conn = store.read().await.expect("a reader");
    let sound: Vec<String> = conn.query("pragma integrity_check").all(|row| row.at(0)).await.expect("checked");
    assert_eq!(sound, ["ok"], "the image is corrupt");
    let alerts: Vec<String> = conn.query("select dedup_key from alerts").all(|row| row.at(0)).await.expect("alerts");
    let entries: Vec<String> =
        conn.query("select fields ->> '$.title' from entries").all(|row| row.at(0)).await.expect("entries");
    drop(conn);
    store.close().await;
    alerts.into_iter().chain(entries).collect()
}

fn command(data: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterload"));
    let output =
        command.args(arguments).env("AFTERLOAD_DATA", data).env_remove("DATABASE_URL").output().expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// The server as a child of strace.
struct Traced {
    strace: Child,
    address: String,
}

impl Traced {
    fn start(name: &str, data: &Path, file: &Path) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-xx", "-s", "1000000", "--seccomp-bpf", "-e", trace::CALLS, "-o"]).arg(file);
        if name == "FULL" {
            command.arg(env!("CARGO_BIN_EXE_afterload")).args(["serve", "--listen", "127.0.0.1:0"]);
        } else {
            command.arg(std::env::current_exe().expect("this program has a path")).arg("serve-normal").arg(data);
        }
        command.env("AFTERLOAD_DATA", data).env("AFTERLOAD_LOG", "error").env_remove("DATABASE_URL").stdout(Stdio::piped());
        let mut strace = command.spawn().expect("strace runs; `apt-get install strace` brings it");
        let mut lines = BufReader::new(strace.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a line").expect("text");
        let address = first.split("http://").nth(1).expect("an address").trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { strace, address }
    }

    /// Ends the server, and with it strace, which has written down everything by then.
    fn kill(mut self) {
        let pid = self.strace.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("Linux");
        for child in children.split_whitespace() {
            assert!(Command::new("kill").args(["-9", child]).status().expect("kill runs").success());
        }
        self.strace.wait().expect("strace ends");
    }
}

/// Sends alerts, and entries of the incident that the first alert opens; each has a key of its own.
fn load(address: &str, hook: &str, token: &str) {
    let alert =
        |key: u64| serde_json::json!({"title": format!("power-{key}"), "dedup_key": format!("power-{key}"), "group_key": "load"});
    assert!(post(address, hook, None, &alert(0)), "the first alert is taken");
    let next = Arc::new(AtomicU64::new(1));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (address, hook, token, next) = (address.to_owned(), hook.to_owned(), token.to_owned(), next.clone());
            std::thread::spawn(move || {
                loop {
                    let key = next.fetch_add(1, Ordering::Relaxed);
                    if key >= SENT {
                        break;
                    }
                    if sender % 4 == 0 {
                        let entry = serde_json::json!({"title": format!("power-{key}")});
                        post(&address, "/api/v1/incidents/INC-1/timeline", Some(&token), &entry);
                    } else {
                        post(&address, &hook, None, &alert(key));
                    }
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().expect("a sender does not panic"));
}

fn post(address: &str, path: &str, token: Option<&str>, body: &serde_json::Value) -> bool {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let body = body.to_string();
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{bearer}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.starts_with("HTTP/1.1 2")
}
