//! Two servers on one PostgreSQL: one incident per key, live updates across, and one that records.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use afterload::store::db::Conn;
use serde_json::json;

use crate::kill::{Server, command, post};
use crate::world::World;

const CONFIG: &str =
    "backend web\n  balance roundrobin\n  server web1 10.0.0.1:80 weight 100\n  server web2 10.0.0.2:80 weight 100\n";

async fn count(conn: &mut Conn, of: &'static str) -> i64 {
    conn.query(of).value().await.expect("counted").unwrap_or(0)
}

/// Longer than anything here takes on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `of` counts `wanted`.
async fn until(world: &World, of: &'static str, wanted: i64) {
    let began = Instant::now();
    loop {
        let now = count(&mut world.app.store().read().await.expect("read"), of).await;
        if now == wanted {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{of}: {now}, not {wanted}, after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_are_one_installation() {
    let world = World::postgres().await;
    let token = command(&world, &["token", "create", "watcher", "--scopes", "admin"]);
    let hook = command(&world, &["integration", "create", "generic", "--name", "load"]);
    let config = world.path("haproxy.cfg");
    std::fs::write(&config, CONFIG).expect("a config");
    let path = config.to_str().expect("a path").to_owned();
    command(&world, &["balancer", "add", "edge-1", "--kind", "haproxy", "--config", &path]);

    let leader = Server::start(&world);
    until(&world, "select count(*) from leases", 1).await;
    let other = Server::start(&world);
    until(&world, "select count(*) from snapshots", 1).await;

    // What happens on one is seen by who watches the other.
    let mut stream = TcpStream::connect(&other.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let ask = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n",
        other.address
    );
    stream.write_all(ask.as_bytes()).expect("asked");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("the stream goes on"));
    assert!(lines.next().is_some_and(|line| line.contains("200")));
    lines.by_ref().find(String::is_empty).expect("the end of the head");
    let declared = post(&leader.address, "/api/v1/incidents", Some(&token), &json!({"title": "seen from afar"}));
    assert!(declared.is_some_and(|(status, _)| status == 201));
    lines.find(|line| line.contains("incident.opened")).expect("the event");

    // Deliveries of one outage reach both at once.
    let senders: Vec<_> = (0..24)
        .map(|number| {
            let address = [&leader, &other][number % 2].address.clone();
            let hook = hook.clone();
            let body = json!({"title": "5xx", "dedup_key": format!("k{}", number / 4), "group_key": "edge"});
            std::thread::spawn(move || post(&address, &hook, None, &body).map(|(status, _)| status))
        })
        .collect();
    for sender in senders {
        assert!(sender.join().expect("sent").is_some_and(|status| (200..300).contains(&status)));
    }
    let mut conn = world.app.store().read().await.expect("read");
    assert_eq!(count(&mut conn, "select count(*) from alerts").await, 6, "one alert per key");
    assert_eq!(count(&mut conn, "select count(*) from incidents").await, 2, "one incident for all of them");
    drop(conn);

    // The one that records is killed; the other one takes over.
    leader.kill();
    std::fs::write(&config, CONFIG.replace("web2 10.0.0.2:80 weight 100", "web2 10.0.0.2:80 weight 0")).expect("a config");
    until(&world, "select count(*) from snapshots", 2).await;
    other.kill();
}
