//! Several people in the room of an incident: who is there, what each works on, how far each has read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use afterload::domain::access::{Role, Scope};
use afterload::domain::person::NewPerson;
use afterload::domain::presence::LEAVES_AFTER;
use afterload::services::{people, presence, timeline, tokens};
use axum::http::Method;
use serde_json::{Value, json};

use crate::api::events::Stream;
use crate::api::{Client, pairs};
use crate::kill::{Server, command};
use crate::web::Browser;
use crate::world::{World, admin, on_both, responder};

const ROOM: &str = "/incidents/INC-1";
const PRESENCE: &str = "/api/v1/incidents/INC-1/presence";
const WORKING: &str = "/api/v1/incidents/INC-1/working-on";
const READING: &str = "/api/v1/incidents/INC-1/reading";
/// How long a busy machine may take; nothing is held to be wrong before.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody with a browser and a token.
async fn somebody(world: &World, handle: &str, role: Role) -> (Browser, Client) {
    let (browser, person) = Browser::of(world, handle, role).await;
    let (_, secret) = tokens::create(&world.app, &person.actor(), handle, vec![Scope::Admin], None).await.expect("a token");
    (browser, Client { token: Some(secret), ..Client::anonymous(world) })
}

/// Handles in order, with `!` behind those who are away.
async fn who(client: &Client) -> Vec<String> {
    let list = client.get(PRESENCE).await.is(200);
    let list = list["items"].as_array().expect("a list").clone();
    let said =
        |one: &Value| format!("{}{}", one["handle"].as_str().expect("a handle"), if one["here"] == true { "" } else { "!" });
    list.iter().map(said).collect()
}

async fn lines(client: &Client) -> Vec<(String, Value)> {
    let list = client.get(PRESENCE).await.is(200);
    let list = list["items"].as_array().expect("a list").clone();
    list.iter().map(|one| (one["handle"].as_str().expect("a handle").to_owned(), one["working_on"].clone())).collect()
}

/// Asks again and again until the answer is `wanted`.
async fn until<T: PartialEq + std::fmt::Debug>(wanted: T, ask: impl AsyncFn() -> T) {
    let began = Instant::now();
    loop {
        let now = ask().await;
        if now == wanted {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{now:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the room holds exactly these.
async fn becomes(client: &Client, wanted: &[&str]) {
    let wanted: Vec<_> = wanted.iter().map(|&one| one.to_owned()).collect();
    until(wanted, async || who(client).await).await;
}

/// Waits until so many seats are taken: those that are given up end soon.
async fn seated(world: &World, wanted: i64) {
    let soon = world.app.now() + LEAVES_AFTER;
    let taken = async || -> i64 {
        let mut conn = world.app.store().read().await.expect("read");
        conn.query("select count(*) from seats where ends_at > $1").bind(soon).value().await.expect("counted").unwrap_or(0)
    };
    until(wanted, taken).await;
}

/// The next event of that kind.
async fn told(stream: &mut Stream, kind: &str) -> String {
    loop {
        let event = stream.next().await.expect("the stream goes on");
        if event.contains(&format!("event: {kind}\n")) {
            return event;
        }
    }
}

on_both!(an_open_page_is_somebody_in_the_room, world => {
    let ((mk, client), (jl, _)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Viewer).await);
    world.incident("x").await;
    assert!(who(&client).await.is_empty(), "who asks through the API is not in the room");
    let mut theirs = mk.live(&format!("{ROOM}/live")).await;
    becomes(&client, &["mk"]).await;
    let events = afterload::services::events::latest(&world.app).await.expect("a number");
    let (one, two) = (jl.live(&format!("{ROOM}/live")).await, jl.live(&format!("{ROOM}/live")).await);
    seated(world, 3).await;
    assert_eq!(who(&client).await, ["jl", "mk"], "two tabs are one person");
    assert!(told(&mut theirs, "presence").await.contains("data: {}"), "who came is asked for, not sent");
    assert_eq!(afterload::services::events::latest(&world.app).await.expect("a number"), events, "nothing of it is in the log");
    let page = mk.get(ROOM).await.text();
    assert!(page.contains("<bdi>jl</bdi>") && page.contains("<bdi>mk</bdi></b> <span class=\"muted\">you"), "{page}");
    let part = jl.get(&format!("{ROOM}/parts/people")).await.text();
    assert!(part.contains("<bdi>mk</bdi>") && !part.contains("name=\"text\""), "a viewer says nothing: {part}");

    drop(one);
    seated(world, 2).await;
    world.clock.advance_seconds(6);
    assert_eq!(who(&client).await, ["jl", "mk"], "the other tab is still open");
    drop(two);
    seated(world, 1).await;
    assert_eq!(who(&client).await, ["jl", "mk"], "a page that is loaded again is not gone in between");
    world.clock.advance_seconds(6);
    assert_eq!(who(&client).await, ["mk"]);
    told(&mut theirs, "presence").await;
    // Who gave no sign of life for 45 s is gone, whatever became of the process that served them.
    world.clock.advance_seconds(46);
    assert!(who(&client).await.is_empty());
    assert!(jl.get(ROOM).await.text().contains("<bdi>jl</bdi>"), "who looks is there");
});

on_both!(a_room_that_one_does_not_see_tells_nothing, world => {
    let ((mk, client), (jl, other)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Responder).await);
    client.post("/api/v1/incidents", &json!({"title": "Theirs"})).await.is(201);
    let mut theirs = jl.live(&format!("{ROOM}/live")).await;
    becomes(&client, &["jl"]).await;
    client.patch("/api/v1/incidents/INC-1", "\"1\"", &json!({"visibility": "restricted"})).await.is(200);
    let _mine = mk.live(&format!("{ROOM}/live")).await;
    seated(world, 2).await;
    client.put(WORKING, &json!({"text": "between us"})).await.is(200);
    for path in [PRESENCE, READING] {
        assert!(other.get(path).await.problem(404).is_empty());
    }
    assert!(other.put(WORKING, &json!({"text": "x"})).await.problem(404).is_empty());
    assert_eq!(jl.get(&format!("{ROOM}/parts/people")).await.status.as_u16(), 404);
    // Their page was open before: it hears of nobody, and keeps no seat.
    let silence = tokio::time::timeout(Duration::from_secs(5), theirs.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    world.clock.advance_seconds(46);
    assert_eq!(who(&client).await, ["mk!"]);
});

on_both!(a_line_says_what_somebody_works_on, world => {
    let ((mk, client), (jl, other)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Responder).await);
    let incident = world.incident("x").await;
    let mut watching = jl.live(&format!("{ROOM}/live")).await;
    let first = client.put(WORKING, &json!({"text": " rolling back lb-2 "})).await.is(200);
    assert_eq!(first, json!({"handle": "mk", "here": false, "working_on": "rolling back lb-2", "working_since": "2026-11-21T12:00:00Z"}));
    let event = told(&mut watching, "working.changed").await;
    assert!(event.contains(&format!("\"incident\":\"{}\"", incident.id)), "{event}");
    seated(world, 1).await;
    world.clock.advance_seconds(30);
    let again = client.put(WORKING, &json!({"text": "rolling back lb-2"})).await.is(200);
    assert_eq!(again["working_since"], first["working_since"], "the same again goes on");
    let next = client.put(WORKING, &json!({"text": "watching lb-2"})).await.is(200);
    assert_eq!(next["working_since"], "2026-11-21T12:00:30Z");
    assert_eq!(lines(&other).await, [("jl".into(), json!(null)), ("mk".into(), json!("watching lb-2"))], "away, and still at it");
    assert_eq!(client.put(WORKING, &json!({"text": " "})).await.problem(422), pairs(&[("/text", "required")]));
    assert_eq!(client.put(WORKING, &json!({"text": "x".repeat(121)})).await.problem(422), pairs(&[("/text", "too_long")]));
    assert_eq!(client.put(WORKING, &json!({"text": "x", "since": 1})).await.problem(422), pairs(&[("/since", "unknown_field")]));

    // The same through the page, without scripts.
    assert_eq!(jl.form(&format!("{ROOM}/working-on"), &[("text", "<b>calling the bank</b>")]).await.status.as_u16(), 303);
    let page = mk.get(ROOM).await.text();
    assert!(page.contains("&#60;b&#62;calling the bank") && page.contains("value=\"watching lb-2\""), "{page}");
    let long = jl.form(&format!("{ROOM}/working-on"), &[("text", &"y".repeat(130))]).await;
    assert!(long.status.as_u16() == 422 && long.text().contains(&"y".repeat(130)) && long.text().contains("130 characters"), "{}", long.text());
    assert!(!long.text().contains("data-swap"), "what is sent from there leads back to the room, also with scripts");
    assert_eq!(jl.form(&format!("{ROOM}/working-on"), &[("text", "<b>calling the bank</b>"), ("done", "1")]).await.status.as_u16(), 303);
    assert_eq!(lines(&client).await[0], ("jl".into(), json!(null)));
    other.delete(WORKING).await.is(204);

    // It stands while its writer is there, and half an hour longer.
    let _sits = mk.live(&format!("{ROOM}/live")).await;
    seated(world, 2).await;
    world.clock.advance_seconds(29 * 60);
    assert_eq!(lines(&client).await, [("mk".into(), json!("watching lb-2"))]);
    world.clock.advance_seconds(2 * 60);
    assert!(lines(&client).await.is_empty(), "they left");
    // Neither the page that was open all the time nor a new one brings it back.
    presence::Seat::new(&world.app).keep(&responder(), incident.id).await.expect("kept");
    assert_eq!(lines(&client).await, [("mk".into(), json!(null))], "what is over stays over");
    let log = Client::admin(world).await.get("/api/v1/audit?limit=200").await.is(200);
    let said: Vec<_> = log["items"].as_array().expect("events").iter().filter(|e| e["kind"] == "working.changed").map(|e| e["data"]["working_on"].clone()).collect();
    assert_eq!(said, [json!("rolling back lb-2"), json!("watching lb-2"), json!("<b>calling the bank</b>"), json!(null)]);
    assert!(timeline::end(&world.app, &admin(), "INC-1".parse().expect("a reference"), true, timeline::LIST_MAX).await.expect("entries").entries.is_empty());
});

on_both!(a_reader_goes_on_where_they_stopped, world => {
    let ((mk, client), (jl, other)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Viewer).await);
    world.incident("x").await;
    let which = "INC-1".parse().expect("a reference");
    let add = async |title: &str| timeline::add(&world.app, &responder(), which, world.note(title)).await.expect("added").0.id.to_string();
    add("old").await;
    assert_eq!(other.get(READING).await.is(200), json!({"seq": null, "read_at": null, "unread": []}), "who never read to the end has no line");
    let page = jl.get(ROOM).await.text();
    assert!(page.contains("I have read up to here") && !page.contains("id=\"unread\"><h3><span><b class=\"n\">1"), "{page}");
    let marked = other.put(READING, &json!({})).await.is(200);
    assert!(marked["seq"].is_i64() && marked["read_at"] == "2026-11-21T12:00:00Z", "{marked}");
    let seq = marked["seq"].clone();

    let late = add("one").await;
    add("two").await;
    let own = client.post("/api/v1/incidents/INC-1/timeline", &json!({"title": "before all", "occurred_at": "2026-11-21T08:00:00Z"})).await.is(201)["id"].clone();
    let news = other.get(READING).await.is(200);
    let entries: Vec<_> = news["unread"].as_array().expect("entries").iter().map(|one| one["entry"].clone()).collect();
    assert_eq!((entries.len(), &entries[0], &entries[2]), (3, &json!(late), &own), "in the order in which they were written");
    let page = jl.get(ROOM).await.text();
    let line = page.find("<b class=\"n\">3</b> new since").expect("the line");
    assert!(line < page.find("before all").expect("the entry"), "the line stands above the first that is new, as the timeline goes");
    assert_eq!(page.matches("data-unread=").count(), 3);

    timeline::delete(&world.app, &responder(), which, late.parse().expect("an id")).await.expect("deleted");
    assert_eq!(other.get(READING).await.is(200)["unread"].as_array().map(Vec::len), Some(2), "what was taken away again is not new");
    assert_eq!(other.put(READING, &json!({"seq": 1})).await.is(200)["seq"], seq, "the mark never goes back");
    let mut tab = jl.live(&format!("{ROOM}/live")).await;
    let answer = jl.form(&format!("{ROOM}/read"), &[("seq", &news["unread"][1]["seq"].to_string())]).await;
    assert_eq!(answer.status.as_u16(), 303);
    assert!(told(&mut tab, "read").await.contains(&format!("data: {{\"seq\":{}}}", news["unread"][1]["seq"])), "the other tab hears");
    assert_eq!(other.get(READING).await.is(200)["unread"].as_array().map(Vec::len), Some(1));
    jl.form(&format!("{ROOM}/read"), &[]).await;
    assert!(!jl.get(ROOM).await.text().contains("data-unread"));
    assert!(other.put(READING, &json!({"seq": 1_000_000})).await.is(200)["seq"].as_i64() < Some(1000), "what has not happened cannot be read");

    // One's own are not new.
    mk.form(&format!("{ROOM}/read"), &[]).await;
    client.put(READING, &json!({})).await.is(200);
    mk.form(&format!("{ROOM}/entries"), &[("text", "mine")]).await;
    client.post("/api/v1/incidents/INC-1/timeline", &json!({"title": "by my program"})).await.is(201);
    assert_eq!(client.get(READING).await.is(200)["unread"], json!([]));
});

on_both!(a_token_of_the_command_line_is_nobody_else, world => {
    let (_, client) = somebody(world, "mk", Role::Responder).await;
    world.incident("x").await;
    let scopes = vec![Scope::IncidentsWrite];
    let (_, secret) = tokens::create(&world.app, &afterload::domain::access::Actor::Console, "mk", scopes, None).await.expect("a token");
    let namesake = Client { token: Some(secret), ..Client::anonymous(world) };
    client.put(WORKING, &json!({"text": "mine"})).await.is(200);
    client.put(READING, &json!({})).await.is(200);
    assert_eq!(namesake.put(WORKING, &json!({"text": "its own"})).await.is(200)["handle"], "token:mk");
    assert_eq!(lines(&client).await, [("mk".into(), json!("mine")), ("token:mk".into(), json!("its own"))]);
    assert_eq!(namesake.get(READING).await.is(200)["seq"], json!(null));
    let octets = [("content-type", "application/octet-stream")];
    let file = client.send(Method::POST, "/api/v1/attachments?name=x.txt", &octets, "loose").await.is(201)["id"].clone();
    assert!(namesake.get(&format!("/api/v1/attachments/{}", file.as_str().expect("an id"))).await.problem(404).is_empty());
    namesake.post("/api/v1/incidents/INC-1/timeline", &json!({"title": "by the program"})).await.is(201);
    namesake.put(READING, &json!({"seq": 1})).await.is(200);
    assert_eq!(namesake.get(READING).await.is(200)["unread"], json!([]), "what it wrote is not new to it");
});

on_both!(a_seat_is_one_row_that_is_renewed, world => {
    let incident = world.incident("x").await;
    let mut seat = presence::Seat::new(&world.app);
    for _ in 0..3 {
        seat.keep(&responder(), incident.id).await.expect("kept");
        world.clock.advance_seconds(20);
    }
    let rows = async || -> i64 {
        let mut conn = world.app.store().read().await.expect("read");
        conn.query("select count(*) from seats").value().await.expect("counted").unwrap_or(0)
    };
    assert_eq!(rows().await, 1);
    seated(world, 1).await;
    drop(seat);
    seated(world, 0).await;
    world.clock.advance_seconds(60);
    presence::Seat::new(&world.app).keep(&responder(), incident.id).await.expect("kept");
    assert_eq!(rows().await, 1, "who comes clears away what ended");
});

/// A browser against a server that runs by itself: signs in, then follows the room.
struct Follower {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

fn ask(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("asked");
    stream
}

impl Follower {
    fn new(address: &str, cookie: &str) -> Self {
        let request = format!("GET {ROOM}/live HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n");
        let mut lines = BufReader::new(ask(address, &request)).lines();
        assert!(lines.next().is_some_and(|line| line.is_ok_and(|line| line.contains("200"))));
        Self { lines }
    }

    fn hears(&mut self, what: &str) {
        self.lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(what))).expect("it is told").expect("a line");
    }
}

fn sign_in(address: &str, handle: &str) -> String {
    let body = format!("handle={handle}&password=a+long+enough+phrase");
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: {address}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    ask(address, &request).read_to_string(&mut answer).expect("an answer");
    let cookie =
        answer.lines().find_map(|line| line.to_lowercase().starts_with("set-cookie:").then(|| line[11..].trim().to_owned()));
    cookie.unwrap_or_else(|| panic!("no cookie: {answer}")).split(';').next().unwrap_or_default().to_owned()
}

fn shown(address: &str, token: &str) -> String {
    let request =
        format!("GET {PRESENCE} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    ask(address, &request).read_to_string(&mut answer).expect("an answer");
    answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_on_two_servers_are_in_one_room() {
    let world = World::postgres().await;
    let token = command(&world, &["token", "create", "watcher", "--scopes", "admin"]);
    for handle in ["mk", "jl"] {
        let new = NewPerson { handle: handle.into(), password: "a long enough phrase".into(), role: Role::Responder };
        people::add(&world.app, &admin(), new).await.expect("added");
    }
    world.incident("x").await;
    let (one, two) = (Server::start(&world), Server::start(&world));
    let (mk, jl) = (sign_in(&one.address, "mk"), sign_in(&two.address, "jl"));
    let mut watching = Follower::new(&one.address, &mk);
    let here = |people: &str| ["mk", "jl"].map(|handle| people.contains(&format!("\"{handle}\",\"here\":true")));
    let other = Follower::new(&two.address, &jl);
    watching.hears("event: presence");
    for server in [&one, &two] {
        until([true, true], async || here(&shown(&server.address, &token))).await;
    }
    drop(other);
    watching.hears("event: presence");
    for server in [&one, &two] {
        until([true, false], async || here(&shown(&server.address, &token))).await;
    }
}
