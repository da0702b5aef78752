//! A 2xx means on disk: the server is killed again and again under load, and every acknowledged write
//! is found afterwards. (SIGKILL keeps the page cache: power loss is another test's matter.)

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{World, on_both};

pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub fn start(world: &World) -> Self {
        Self::start_on(world, &world.url)
    }

    pub fn start_on(world: &World, database: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_afterload"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", database)
            .env("AFTERLOAD_DATA", world.path("data"))
            .env("AFTERLOAD_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a line").expect("text");
        let address = first.split("http://").nth(1).expect("an address").to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

/// A test that fails leaves no server behind.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn command(world: &World, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_afterload"))
        .args(args)
        .env("DATABASE_URL", &world.url)
        .env("AFTERLOAD_DATA", world.path("data"))
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// One request on a connection of its own; the status, or nothing when the server went away.
pub fn post(address: &str, path: &str, token: Option<&str>, body: &Value) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let body = body.to_string();
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{bearer}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

on_both!(a_killed_server_loses_nothing_it_acknowledged, world => {
    let rounds: usize = std::env::var("AFTERLOAD_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let token = command(world, &["token", "create", "load", "--scopes", "incidents:write"]);
    let hook = command(world, &["integration", "create", "generic", "--name", "load"]);
    let incident = world.incident("under load").await;
    let acknowledged: Arc<Mutex<(Vec<String>, Vec<String>)>> = Arc::default();
    for round in 0..rounds {
        let server = Server::start(world);
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let (address, token, hook, stop) = (server.address.clone(), token.clone(), hook.clone(), stop.clone());
                let (acknowledged, entries) = (acknowledged.clone(), format!("/api/v1/incidents/{}/timeline", incident.reference));
                std::thread::spawn(move || {
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let name = format!("r{round}-w{writer}-{number}");
                        let answer = if writer % 2 == 0 {
                            post(&address, &hook, None, &json!({"title": name, "dedup_key": name, "group_key": "load"}))
                        } else {
                            post(&address, &entries, Some(&token), &json!({"title": name}))
                        };
                        match answer {
                            Some((200..=299, _)) => {
                                let mut list = acknowledged.lock().expect("not poisoned");
                                if writer % 2 == 0 { list.0.push(name) } else { list.1.push(name) }
                            }
                            // It was killed in between, or is not up yet: nothing was promised.
                            None => std::thread::sleep(Duration::from_millis(5)),
                            Some((status, answer)) => assert!(status == 503, "{answer}"),
                        }
                    }
                })
            })
            .collect();
        // Kill at another moment each round, but only once something was acknowledged in it.
        let before = { let list = acknowledged.lock().expect("not poisoned"); list.0.len() + list.1.len() };
        let patience = Instant::now();
        while { let list = acknowledged.lock().expect("not poisoned"); list.0.len() + list.1.len() } < before + 20 + round * 7 {
            assert!(patience.elapsed() < Duration::from_secs(60), "the server acknowledges nothing");
            std::thread::sleep(Duration::from_millis(3));
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("a writer saw only promised answers");
        }
    }
    let (alerts, entries) = acknowledged.lock().expect("not poisoned").clone();
    let mut conn = world.app.store().read().await.expect("read");
    let stored: Vec<String> = conn.query("select dedup_key from alerts").all(|row| row.at(0)).await.expect("alerts");
    let lost: Vec<_> = alerts.iter().filter(|key| !stored.contains(key)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged alerts are lost: {lost:?}", lost.len(), alerts.len());
    let title = conn.per_dialect("select fields ->> '$.title' from entries", "select fields ->> 'title' from entries");
    let stored: Vec<String> = conn.query(title).all(|row| row.at(0)).await.expect("entries");
    let lost: Vec<_> = entries.iter().filter(|title| !stored.contains(title)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged entries are lost: {lost:?}", lost.len(), entries.len());
    assert!(alerts.len() >= rounds && entries.len() >= rounds);
    let groups: Option<i64> = conn.query("select count(*) from incidents").value().await.expect("incidents");
    assert_eq!(groups, Some(2), "one incident for the whole load, however often the server died");
});
