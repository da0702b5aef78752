//! Reads what `strace` wrote: writes and syncs below one folder, and the acknowledgements that were sent.
//!
//! `strace` writes a call down when it ends, or in two lines when another thread came in between. A write counts from
//! its first line on, a sync only from its last: so nothing is taken for safe before the kernel said so. An
//! acknowledgement counts from the moment at which the server hands it to the kernel, before any client can have it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// What `strace -e` is told.
pub const CALLS: &str =
    "trace=pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,ftruncate,fallocate,rename,unlink,fsync,fdatasync";

#[derive(Debug)]
pub enum Step {
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    Unlink(String),
    /// Everything written to the file before is on disk.
    Sync(String),
    /// A 2xx with these keys went out.
    Acknowledge(Vec<String>),
}

/// The steps in their order.
pub fn read(trace: &Path, folder: &Path) -> Vec<Step> {
    let folder = format!("{}/", folder.canonicalize().expect("the folder is there").display());
    let mut steps = Vec::new();
    // Files whose sync has begun and not ended, by thread.
    let mut waiting: HashMap<String, String> = HashMap::new();
    for line in BufReader::new(std::fs::File::open(trace).expect("the trace")).lines() {
        let line = line.expect("text");
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(name) = call.strip_prefix("<... ").and_then(|rest| rest.split(' ').next()) {
            if matches!(name, "fsync" | "fdatasync") && call.ends_with("= 0") {
                steps.extend(waiting.remove(thread).map(Step::Sync));
            }
            continue;
        }
        let Some((name, rest)) = call.split_once('(') else { continue };
        let file = |text: &str| text.strip_prefix(folder.as_str()).filter(|name| is_data(name)).map(str::to_owned);
        match name {
            "unlink" => steps.extend(file(&text(&strings(rest).concat())).map(Step::Unlink)),
            "rename" => assert!(
                file(&text(&strings(rest)[0])).is_none(),
                "a database file is renamed, which is not replayed here: {call}"
            ),
            _ => {
                let Some(path) = descriptor(rest) else { continue };
                let Some(file) = file(&path) else {
                    let sent = strings(rest).concat();
                    if sent.starts_with(b"HTTP/1.1 2") {
                        steps.push(Step::Acknowledge(keys(&text(&sent))));
                    }
                    continue;
                };
                match name {
                    "pwrite64" => {
                        let bytes = strings(rest).concat();
                        steps.push(Step::Write { file, at: last_number(rest), bytes });
                    }
                    "ftruncate" => steps.push(Step::Truncate { file, length: last_number(rest) }),
                    "fsync" | "fdatasync" if rest.ends_with("<unfinished ...>") => drop(waiting.insert(thread.to_owned(), file)),
                    "fsync" | "fdatasync" => {
                        assert!(rest.ends_with("= 0"), "a sync failed: {call}");
                        steps.push(Step::Sync(file));
                    }
                    other => panic!("a database file is written by {other}, which is not replayed here"),
                }
            }
        }
    }
    steps
}

/// The database and its log; the shared memory beside them is made anew after a power cut.
fn is_data(name: &str) -> bool {
    name.ends_with(".db") || name.ends_with(".db-wal") || name.ends_with(".db-journal")
}

/// The path of the first argument, `9<\x2f…>`.
fn descriptor(rest: &str) -> Option<String> {
    let path = rest.split_once('<')?.1.split_once('>')?.0;
    Some(text(&unescaped(path)))
}

/// The last argument; a line that is not finished ends with it too.
fn last_number(rest: &str) -> usize {
    let arguments = rest.split(" <unfinished").next().unwrap_or(rest);
    let arguments = arguments.rsplit_once(") ").map_or(arguments, |(arguments, _)| arguments);
    let digits = arguments.rsplit(", ").next().unwrap_or_default().trim_end_matches([')', ' ']);
    digits.parse().unwrap_or_else(|_| panic!("no number at the end of {}", &rest[rest.len().saturating_sub(80)..]))
}

/// The quoted texts, each as its bytes.
fn strings(rest: &str) -> Vec<Vec<u8>> {
    rest.split('"').skip(1).step_by(2).map(unescaped).collect()
}

/// `-xx` writes every byte as `\x2f`.
fn unescaped(text: &str) -> Vec<u8> {
    text.split("\\x")
        .skip(1)
        .map(|hex| u8::from_str_radix(hex.get(..2).unwrap_or_default(), 16).expect("two hex digits"))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Keys of ours in an answer.
fn keys(answer: &str) -> Vec<String> {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let mut found: Vec<String> =
        body.match_indices("\"power-").map(|(at, _)| body[at + 1..].split('"').next().unwrap_or_default().to_owned()).collect();
    found.dedup();
    found
}
