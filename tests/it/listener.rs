//! The limits of the listener, held against open sockets: half-sent heads, silence, stalled and endless bodies, too many
//! connections, too many guesses, and an orderly end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::kill::command;
use crate::world::World;

/// How long a busy machine may take; nothing is held to be wrong before.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with these settings; what it logs is kept.
struct Served {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

impl Served {
    fn start(world: &World, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_afterload"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", &world.url)
            .env("AFTERLOAD_DATA", world.path("data"))
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a line").expect("text");
        let address = first.split("http://").nth(1).expect("an address").to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        let (log, told) = (Arc::<Mutex<String>>::default(), BufReader::new(child.stderr.take().expect("piped")));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in told.lines().map_while(Result::ok) {
                *kept.lock().expect("not poisoned") += &format!("{line}\n");
            }
        });
        Self { child, address, log }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE * 2)).expect("a timeout");
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        // Who is turned away may not be listened to until the end.
        let _ = stream.write_all(request.as_bytes());
        rest(&mut stream)
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything until the end of the connection, which may be a hard one.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// How long the server keeps a connection on which this and nothing more is sent, and what it answers.
fn held(server: &Served, sent: &[u8]) -> (Duration, String) {
    let mut stream = server.connect();
    let began = Instant::now();
    stream.write_all(sent).expect("sent");
    let answer = rest(&mut stream);
    (began.elapsed(), answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_and_others_do_not_notice() {
    let world = World::sqlite().await;
    let hook = command(&world, &["integration", "create", "generic", "--name", "load"]);
    let server = Served::start(&world, &[("AFTERLOAD_MAX_CONNECTIONS", "200")]);
    let stalled = format!("POST {hook} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{{");
    let chunked = format!("POST {hook} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n");
    let once = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let cases: [(&str, &[u8], u64); 8] = [
        ("silence", b"", 10),
        ("half a line", b"GET /livez HT", 10),
        ("half a head", b"GET /livez HTTP/1.1\r\nHost: a\r\nX-A: ", 10),
        ("half an HTTP/2 preface", b"PRI * HTTP/2.0\r\n", 10),
        ("an idle connection", once.as_bytes(), 10),
        ("a stalled body", stalled.as_bytes(), 20),
        ("a stalled chunk", chunked.as_bytes(), 20),
        // Its pings are not answered.
        ("an HTTP/2 connection without a request", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 50),
    ];
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| held(&server, b"GET / HTTP/1.1\r\nHost"));
        }
        let slow: Vec<_> = cases.map(|(name, sent, seconds)| (name, seconds, scope.spawn(|| held(&server, sent)))).into();
        std::thread::sleep(Duration::from_secs(1));
        assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
        assert!(slow.iter().any(|(_, _, slow)| !slow.is_finished()), "others wait for them");
        for (name, seconds, slow) in slow {
            let (took, answer) = slow.join().expect("asked");
            // Longer on a busy machine, never for ever.
            assert!(took.as_secs() >= seconds - 2 && took < PATIENCE * 2, "{name}: {took:?} {answer}");
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_have_an_end() {
    let world = World::sqlite().await;
    let hook = command(&world, &["integration", "create", "generic", "--name", "load"]);
    let token = command(&world, &["token", "create", "ci", "--scopes", "admin"]);
    let server = Served::start(&world, &[]);
    let bearer = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
    for (path, head, most) in [
        (hook.as_str(), "", 16),
        ("/api/v1/incidents", bearer.as_str(), 4),
        ("/api/v1/attachments", bearer.as_str(), 25),
        ("/login", form, 2),
    ] {
        let mut stream = server.connect();
        let opening = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{head}Transfer-Encoding: chunked\r\n\r\n");
        stream.write_all(opening.as_bytes()).expect("begun");
        let part = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
        // Without an end: the server has to say that it is enough.
        let sent = (0..200).take_while(|_| stream.write_all(&part).is_ok()).count();
        assert!(sent < most + 24, "{path}: {sent} MiB were taken");
        let answer = rest(&mut stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
    }
    let head = format!("GET /livez HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "x".repeat(200_000));
    let answer = server.ask(&head);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(server.get("/livez").starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_alone_holds_all_connections() {
    let world = World::sqlite().await;
    let server = Served::start(&world, &[("AFTERLOAD_MAX_CONNECTIONS", "40")]);
    // Each is answered or closed before the next one comes.
    let greedy: Vec<(TcpStream, bool)> = (0..30)
        .map(|_| {
            let mut stream = server.connect();
            let asked = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
            let answered = asked.and_then(|()| stream.read_exact(&mut [0; 12]));
            (stream, answered.is_ok())
        })
        .collect();
    let answered: Vec<bool> = greedy.iter().map(|(_, answered)| *answered).collect();
    assert_eq!(answered, [[true; 20].as_slice(), &[false; 10]].concat(), "half of all are one address's at most");
    drop(greedy);
    let began = Instant::now();
    while !server.get("/livez").starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < PATIENCE, "their places are free again");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A proxy speaks for many.
    drop(server);
    let trusting = Served::start(&world, &[("AFTERLOAD_MAX_CONNECTIONS", "40"), ("AFTERLOAD_TRUSTED_PROXIES", "127.0.0.0/8")]);
    let held: Vec<TcpStream> = (0..39).map(|_| trusting.connect()).collect();
    assert!(trusting.get("/livez").starts_with("HTTP/1.1 200"));
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_and_the_log_knows_each_request() {
    let world = World::sqlite().await;
    let settings =
        [("AFTERLOAD_LOG", "info,afterload=debug"), ("AFTERLOAD_LOG_FORMAT", "json"), ("AFTERLOAD_TRUSTED_PROXIES", "127.0.0.1")];
    let server = Served::start(&world, &settings);
    let guess = |from: &str, handle: &str| {
        let body = format!("handle={handle}&password=not+the+right+one");
        server.ask(&format!(
            "POST /login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {from}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    // Tries come back one in six seconds: a slow machine gets a few more.
    let mut tries = 0;
    let slowed = loop {
        let answer = guess("192.0.2.1", "mk");
        if !answer.starts_with("HTTP/1.1 422") {
            break answer;
        }
        tries += 1;
        assert!(tries < 40, "nobody slows it");
    };
    assert!(tries >= 10, "{tries}");
    assert!(slowed.starts_with("HTTP/1.1 429") && slowed.to_ascii_lowercase().contains("retry-after:"), "{slowed}");
    assert!(guess("192.0.2.2", "mk").starts_with("HTTP/1.1 422"), "nobody is locked out by a stranger");

    // The page, the header and the log name the same request.
    let id = slowed.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id").trim();
    assert!(slowed.contains(&format!("Request {id}")), "{slowed}");
    let began = Instant::now();
    while !server.log.lock().expect("not poisoned").contains(id) {
        assert!(began.elapsed() < PATIENCE, "the log does not know {id}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = server.log.lock().expect("not poisoned").clone();
    let line = log.lines().find(|line| line.contains(id)).expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&line["fields"]["request"], &line["fields"]["status"]), (&id.into(), &429.into()), "{line}");
    let problem = server.get("/api/v1/nowhere");
    let id = problem.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id").trim();
    assert!(problem.contains(&format!("urn:uuid:{id}")), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_what_is_in_flight_and_ends_streams() {
    let world = World::sqlite().await;
    let hook = command(&world, &["integration", "create", "generic", "--name", "load"]);
    let token = command(&world, &["token", "create", "ci", "--scopes", "admin"]);
    let mut server = Served::start(&world, &[]);
    let mut stream = server.connect();
    let follow = format!("GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(follow.as_bytes()).expect("asked");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("it begins");
    assert_eq!(&head, b"HTTP/1.1 200");
    let idle = server.connect();
    let body = r#"{"title": "x", "dedup_key": "in flight"}"#;
    let mut flying = server.connect();
    let head = format!("POST {hook} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    flying.write_all(head.as_bytes()).expect("the head");
    // Said when the body is begun to be read.
    let mut go_on = [0; 25];
    flying.read_exact(&mut go_on).expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    flying.write_all(&body.as_bytes()[..10]).expect("half of it");

    let began = Instant::now();
    server.terminate();
    rest(&mut stream);
    assert!(began.elapsed() < PATIENCE, "the stream went on for {:?}", began.elapsed());
    flying.write_all(&body.as_bytes()[10..]).expect("the other half");
    let answer = rest(&mut flying);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(server.child.wait().expect("it ends").success());
    assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    assert!(TcpStream::connect(&server.address).is_err());
    let _ = idle.shutdown(Shutdown::Both);
    let mut conn = world.app.store().read().await.expect("read");
    let kept: Option<i64> =
        conn.query("select count(*) from alerts where dedup_key = 'in flight'").value().await.expect("a count");
    assert_eq!(kept, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_signs_in_waits_in_a_short_line() {
    let world = World::sqlite().await;
    let people = (0..80).map(|number| {
        let app = world.app.clone();
        tokio::spawn(async move {
            let outcome = afterload::services::people::sign_in(&app, &format!("p{number}"), "not the right one", None, "").await;
            matches!(outcome, Err(afterload::services::Error::Domain(afterload::domain::Error::Unavailable(_))))
        })
    });
    let outcomes = futures_util::future::join_all(people.collect::<Vec<_>>()).await;
    let turned_away = outcomes.into_iter().filter(|outcome| *outcome.as_ref().expect("asked")).count();
    assert!((1..=46).contains(&turned_away), "two are computed, 32 wait: {turned_away} were sent away");
}
