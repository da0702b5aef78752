//! `afterload demo`: what it promises to hold, every page of it, and that it leaves nothing behind.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use afterload::app::{App, SystemClock};
use afterload::demo::Demo;
use afterload::domain::access::Actor;
use afterload::domain::incident::{Incident, Status};
use afterload::domain::snapshot::SnapshotRole;
use afterload::domain::time::Clock;
use afterload::domain::timeline::EntryKind;
use afterload::server;
use afterload::services::incidents::IncidentFilter;
use afterload::services::tasks::TaskFilter;
use afterload::services::{Page, balancers, findings, flight, incidents, recording, snapshots, tasks, timeline};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

const WHO: Actor = Actor::Console;

async fn get(router: &Router, path: &str, cookie: &str) -> (u16, Option<String>, String) {
    let request =
        Request::get(path).header("host", "afterload.test").header("cookie", cookie).body(Body::empty()).expect("a request");
    let answer = router.clone().oneshot(request).await.expect("an answer");
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, cookie, kind) = (answer.status().as_u16(), header("set-cookie"), header("content-type").unwrap_or_default());
    // The stream of changes has no end.
    let text = match kind.starts_with("text/event-stream") {
        true => String::new(),
        false => String::from_utf8_lossy(&axum::body::to_bytes(answer.into_body(), 32 << 20).await.expect("a body")).into_owned(),
    };
    (status, cookie, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_holds_all_that_it_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let began = SystemClock.now();
    let demo = Demo::make(folder.path(), ([127, 0, 0, 1], 0).into(), began).await.expect("a demo");
    let app = demo.app();
    let all = incidents::list(app, &WHO, &IncidentFilter::default(), &Page::first(200)).await.expect("a list").items;
    assert_eq!(all.len(), 46, "five stories, forty smaller ones, one that goes on");
    let open: Vec<&Incident> = all.iter().filter(|incident| incident.fields.status != Status::Resolved).collect();
    assert_eq!(open.len(), 1);
    assert_eq!((began - open[0].fields.milestones.detected.expect("known")).num_minutes(), 23);
    let year = app.now() - all.iter().map(Incident::beginning).min().expect("one");
    assert!((300..=370).contains(&year.num_days()), "{year}");
    let overdue = TaskFilter { overdue: true, ..TaskFilter::default() };
    let overdue = tasks::list(app, &WHO, &overdue, &Page::first(200)).await.expect("tasks").items.len();
    let waiting = TaskFilter { open: true, ..TaskFilter::default() };
    let waiting = tasks::list(app, &WHO, &waiting, &Page::first(200)).await.expect("tasks").items.len();
    assert!(overdue >= 3 && waiting > overdue + 3, "{overdue} overdue of {waiting}");

    stories(app, &all).await;
    for balancer in balancers::list(app, &WHO).await.expect("balancers") {
        let (name, silent) = (&balancer.fields.name, balancer.failing_since.map(|since| (app.now() - since).num_hours()));
        assert_eq!(silent, (name == "mesh-1").then_some(3), "{name}: {:?}", balancer.last_error);
        assert!(balancer.last_answer_at.is_some(), "{name}");
    }
    pages(&demo).await;

    demo.go_on();
    let edge = balancers::for_recorder(app).await.expect("balancers").into_iter().find(|one| one.fields.name == "edge-1");
    let edge = edge.expect("edge-1");
    let mut polled = began;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        polled = app.now();
        recording::poll(app, &edge).await.expect("polled");
    }
    let live = balancers::live(app, &WHO, edge.id).await.expect("live");
    let shop = live.pools.iter().find(|pool| pool.name == "be_shop").expect("the shop");
    assert!(shop.rate.is_some_and(|rate| rate > 100.0), "{shop:?}");
    assert!(live.at.is_some_and(|at| at > polled - chrono::Duration::seconds(1)), "its samples go on: {:?}, {polled}", live.at);
    app.shutdown().cancel();
}

/// Config changes, findings and recordings explain each outage.
async fn stories(app: &App, all: &[Incident]) {
    /// Part of the title, its pool, what its changes say, which rules find it, and who stands out.
    type Told = (&'static str, &'static str, &'static [&'static str], &'static [&'static str], Option<&'static str>);
    let told: [Told; 6] = [
        (
            "portal flips",
            "be_portal",
            &["persistence “stick on src” added", "persistence “stick on src” removed"],
            &["LB010"],
            None,
        ),
        ("up by 40 %", "be_shop", &["algorithm roundrobin → source"], &["LB012"], Some("app1")),
        ("nine in ten", "be_shop", &["weight of 4 of 5 servers 100 → 0"], &["LB001", "LB003"], Some("app3")),
        ("release 4.0", "be_api", &["maxconn of 3 of 3 servers 100 → 500"], &["LB023"], None),
        ("5.2 is rolled out", "be_portal", &["node1 ready → maintenance"], &[], None),
        ("answers slowly", "be_shop", &["2 of 5 servers ready → maintenance"], &["LB003"], None),
    ];
    for (title, pool, changes, rules, outstanding) in told {
        let incident = all.iter().find(|incident| incident.fields.title.contains(title)).expect(title);
        let which = incident.reference.to_string().parse().expect("a reference");
        let entries = timeline::end(app, &WHO, which, false, timeline::LIST_MAX).await.expect("entries").entries;
        let said: String = entries
            .iter()
            .filter(|entry| entry.fields.kind == EntryKind::Change)
            .map(|entry| format!("{}\n{}\n", entry.fields.title, entry.fields.body))
            .collect();
        for change in changes {
            assert!(said.contains(change), "{title}: “{change}” is not among\n{said}");
        }
        let linked = snapshots::of_incident(app, &WHO, which).await.expect("snapshots");
        let mut found = BTreeMap::new();
        for one in linked.iter().filter(|one| one.role != SnapshotRole::Before) {
            for finding in findings::of_snapshot(app, &WHO, one.snapshot.id).await.expect("findings").open() {
                found.insert(finding.rule, finding.message.clone());
            }
        }
        for rule in rules {
            assert!(found.contains_key(*rule), "{title}: no {rule} among {found:#?}");
        }
        let charts = flight::recorder(app, &WHO, which).await.expect("charts");
        let worst = charts.first().unwrap_or_else(|| panic!("{title} has no recording"));
        let failed = worst.error_ratio.iter().flatten().copied().fold(0.0, f64::max);
        assert_eq!(worst.pool, pool, "{title}: {failed}");
        assert!(worst.rate.iter().flatten().count() * 10 > worst.rate.len() * 8, "{title}: a chart with holes");
        if let Some(name) = outstanding {
            let track = worst.servers.iter().find(|track| track.name == name).expect(name);
            assert!(track.share.iter().flatten().any(|share| *share > 0.4), "{title}: {name} does not stand out");
            assert!(failed > 0.2, "{title}: only {failed} fail");
        }
        if incident.fields.status == Status::Resolved {
            assert!(entries.iter().any(|entry| entry.fields.is_detour()), "{title} has no detour");
            assert!(linked.iter().any(|one| one.role == SnapshotRole::Fix), "{title} has no fix");
            assert!(!incident.fields.root_cause.is_empty() && !incident.fields.lessons.went_badly.is_empty());
        }
    }
}

/// Follows every link, some of each kind: all pages are there and say that they are a demo.
async fn pages(demo: &Demo) {
    let router = server::router(demo.app());
    let link = demo.link().await.expect("a link");
    let path = link.find("/login").map(|at| &link[at..]).expect("a path");
    let (status, cookie, _) = get(&router, path, "").await;
    let cookie = cookie.and_then(|cookie| cookie.split(';').next().map(str::to_owned)).expect("a session");
    assert_eq!(status, 303);
    let (again, none, said) = get(&router, path, "").await;
    assert_eq!((again, none), (422, None), "a link works once");
    assert!(said.contains("this link was used"), "{said}");

    let shape = |path: &str| -> String {
        let parts = path.split('?').next().unwrap_or_default().split('/');
        parts.map(|part| if part.contains(|c: char| c.is_ascii_digit()) { "*" } else { part }).collect::<Vec<_>>().join("/")
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut visited = std::collections::BTreeSet::new();
    let mut waiting = VecDeque::from(["/".to_owned()]);
    while let Some(path) = waiting.pop_front() {
        let count = seen.entry(shape(&path)).or_default();
        if *count >= 8 || !visited.insert(path.clone()) {
            continue;
        }
        *count += 1;
        let (status, _, text) = get(&router, &path, &cookie).await;
        assert!(status == 200, "{path} answers {status}: {}", &text[..text.len().min(400)]);
        if text.starts_with("<!doctype html>") && text.contains("class=\"top\"") {
            assert!(text.contains("class=\"demo\""), "{path} does not say that it is a demo");
        }
        for href in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let href = href.replace("&amp;", "&");
            let href = href.split('#').next().unwrap_or_default();
            if href.starts_with('/') && !href.starts_with("//") && !href.starts_with("/static/") {
                waiting.push_back(href.to_owned());
            }
        }
    }
    assert!(visited.len() > 60, "{visited:?}");
}

#[test]
fn the_command_prints_a_link_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a folder");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_afterload"))
        .arg("demo")
        .env("TMPDIR", place.path())
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(demo.stdout.take().expect("its output")).lines();
    let link = lines
        .map_while(Result::ok)
        .find_map(|line| line.find("http://").filter(|_| line.contains("code=")).map(|at| line[at..].to_owned()));
    let link = link.expect("a link");
    let (address, path) = link.trim_start_matches("http://").split_once('/').expect("an address and a path");
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(std::fs::read_dir(place.path()).expect("a folder").count(), 1);
    let told = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().expect("kill");
    assert!(told.success());
    assert!(demo.wait().expect("ended").success());
    assert_eq!(std::fs::read_dir(place.path()).expect("a folder").count(), 0, "nothing is left behind");
}
