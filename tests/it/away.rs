//! The database goes away while the server runs, and comes back: everything resumes by itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kill::{Server, command, post};
use crate::world::World;

/// Between the server and PostgreSQL; cut, it answers nobody and drops who is connected.
struct Wire {
    address: String,
    /// None while it is cut; ends of the connections otherwise.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Wire {
    /// To the server of `url`, whose host is a folder of a socket or an address.
    fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let (known, url) = (open.clone(), url.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().map(|client| client.expect("a connection")) {
                let mut known = known.lock().expect("not poisoned");
                let Some(ends) = known.as_mut() else { continue };
                ends.push(client.try_clone().expect("a handle"));
                match url.split_once("host=") {
                    Some((_, folder)) => {
                        let server = UnixStream::connect(format!("{folder}/.s.PGSQL.5432")).expect("PostgreSQL");
                        pipe(client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                        pipe(server, client);
                    }
                    None => {
                        let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
                        let server = TcpStream::connect(host).expect("PostgreSQL");
                        ends.push(server.try_clone().expect("a handle"));
                        pipe(client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                        pipe(server, client);
                    }
                }
            }
        });
        Self { address, open }
    }

    fn cut(&self) {
        for end in self.open.lock().expect("not poisoned").take().into_iter().flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        *self.open.lock().expect("not poisoned") = Some(Vec::new());
    }
}

fn pipe(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) {
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Asks again until `wanted` is in the answer.
fn until(what: &str, ask: impl Fn() -> String, wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer.contains(wanted) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{what} never says {wanted}: {answer}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_and_comes_back_needs_nobody() {
    let world = World::postgres().await;
    let hook = command(&world, &["integration", "create", "generic", "--name", "load"]);
    let wire = Wire::to(&world.url);
    let database = world.url.split('?').next().and_then(|url| url.rsplit('/').next()).expect("a name");
    let server = Server::start_on(&world, &format!("postgres://postgres@{}/{database}", wire.address));
    let alert = |name: &str| {
        let answer = post(&server.address, &hook, None, &json!({"title": name, "dedup_key": name}));
        answer.expect("the server is there").1
    };
    assert!(alert("before").starts_with("HTTP/1.1 2"));

    wire.cut();
    let refused = until("the hook", || alert("meanwhile"), "HTTP/1.1 503");
    assert!(refused.to_ascii_lowercase().contains("retry-after:"), "{refused}");
    let page = until("the page", || get(&server.address, "/setup?code=x"), "has not answered since 20");
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(get(&server.address, "/readyz").starts_with("HTTP/1.1 503"));
    assert!(get(&server.address, "/livez").starts_with("HTTP/1.1 200"));

    wire.mend();
    until("the hook", || alert("after"), "HTTP/1.1 2");
    until("the page", || get(&server.address, "/login"), "HTTP/1.1 200");
    let mut conn = world.app.store().read().await.expect("read");
    let kept: Vec<String> = conn.query("select dedup_key from alerts order by 1").all(|row| row.at(0)).await.expect("alerts");
    assert!(kept.contains(&"before".to_owned()) && kept.contains(&"after".to_owned()), "{kept:?}");
}
