//! What goes by age and what stays: deleting really deletes, down to the bytes of the files, and a legal hold keeps all of
//! an incident.

use afterload::domain::Error as Problem;
use afterload::domain::access::Role;
use afterload::domain::balancer::BalancerFields;
use afterload::domain::id::IncidentRef;
use afterload::domain::incident::IncidentFields;
use afterload::domain::snapshot::SnapshotRole;
use afterload::domain::timeline::{Entry, EntryFields, NewEntry};
use afterload::services::snapshots::PushedSnapshot;
use afterload::services::{Error, Result, attachments, balancers, events, holds, incidents, retention, snapshots, timeline};
use afterload::store::{db::Dialect, portable};
use axum::http::Method;
use serde_json::json;

use crate::api::Client;
use crate::world::{World, admin, on_both, person, refused, responder};

const DAY: i64 = 24 * 3600;
/// A word that is in no other place; the parts keep the search for it from finding this file's own binary.
fn canary() -> String {
    ["quokka", "lagoon", "violin"].concat()
}

/// Where `word` stands: in rows, and on SQLite in the bytes of the files.
async fn traces(world: &World, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in world.app.store().parts() {
        let mut conn = part.snapshot().await.expect("snapshot");
        for table in portable::tables(&mut conn).await.expect("tables") {
            let name = table.name.as_str().to_owned();
            let see = |cells: Vec<portable::Cell>| {
                if format!("{cells:?}").contains(word) {
                    found.push(name.clone());
                }
                Ok(())
            };
            portable::rows(&mut conn, &table, see).await.expect("rows");
        }
    }
    if world.app.store().dialect() == Dialect::Sqlite {
        for entry in std::fs::read_dir(world.path("")).expect("the folder") {
            let path = entry.expect("a file").path();
            let bytes = if path.is_file() { std::fs::read(&path).expect("bytes") } else { Vec::new() };
            if bytes.windows(word.len()).any(|part| part == word.as_bytes()) {
                found.push(path.file_name().expect("a name").to_string_lossy().into_owned());
            }
        }
    }
    found
}

/// An entry with a file, both with `word` in them.
async fn entry(world: &World, which: IncidentRef, word: &str) -> Entry {
    let file =
        attachments::add(&world.app, &responder(), "seen.txt", format!("{word} ").repeat(400).into()).await.expect("a file");
    let fields = EntryFields {
        body: format!("It says {word} in ![it](/attachments/{}).", file.id),
        attachments: vec![file.id],
        ..world.note(&format!("Saw {word}")).fields
    };
    timeline::add(&world.app, &responder(), which, NewEntry { id: None, fields }).await.expect("an entry").0
}

/// Alerts that came in, raw.
async fn deliveries(world: &World) -> i64 {
    let mut conn = world.app.store().read().await.expect("read");
    conn.query("select count(*) from deliveries").value().await.expect("a count").expect("a row")
}

async fn hook(world: &World, name: &str) -> (Client, String) {
    let client = Client::admin(world).await;
    let made = client.post("/api/v1/integrations", &json!({"name": name, "format": "generic"})).await.is(201);
    (client, made["hook_path"].as_str().expect("a hook").to_owned())
}

on_both!(what_was_deleted_is_gone_to_the_last_byte, world => {
    let (app, word) = (&world.app, canary());
    let (client, hook) = hook(world, "checkout").await;
    let alert = json!({"title": format!("Alert {word}"), "dedup_key": "a", "description": word});
    let opened = client.post(&hook, &alert).await.is(202)["alerts"][0]["incident"].as_str().expect("opened").to_owned();
    let which = opened.parse::<IncidentRef>().expect("a reference");
    entry(world, which, &word).await;
    client.post(&hook, &json!({"title": "Alert", "dedup_key": "a", "status": "resolved"})).await.is(202);
    let kept = world.incident("Stays").await;
    let part = entry(world, IncidentRef::Id(kept.id), &word).await;
    let other = entry(world, IncidentRef::Id(kept.id), "nothing").await;
    // Found while it is there.
    let search = format!("/api/v1/search?q={word}");
    assert!(client.get(&search).await.is(200)["items"].as_array().is_some_and(|hits| hits.len() >= 3));
    incidents::delete(app, &responder(), which).await.expect("deleted");
    timeline::delete(app, &responder(), IncidentRef::Id(kept.id), part.id).await.expect("deleted");

    world.clock.advance_seconds(29 * DAY);
    retention::expire(app).await.expect("clean-up");
    incidents::restore(app, &responder(), which).await.expect("there for a month");
    incidents::delete(app, &responder(), which).await.expect("deleted again");
    assert!(!traces(world, &word).await.is_empty());

    world.clock.advance_seconds(31 * DAY);
    assert!(matches!(incidents::restore(app, &responder(), which).await, Err(Error::Domain(Problem::NotFound { .. }))));
    retention::expire(app).await.expect("clean-up");
    assert_eq!(traces(world, &word).await, Vec::<String>::new());
    let left = timeline::end(app, &responder(), IncidentRef::Id(kept.id), true, timeline::LIST_MAX).await.expect("a timeline").entries;
    assert_eq!(left.iter().map(|entry| entry.id).collect::<Vec<_>>(), [other.id]);
    let file = other.fields.attachments[0];
    attachments::fetch(app, &responder(), file).await.expect("the file of what stays");
    assert_eq!(client.get(&search).await.is(200)["items"], json!([]));
    assert_eq!(deliveries(world).await, 0);
    let log = events::audit(app, &admin(), 0, 200).await.expect("the log");
    assert!(log.iter().any(|event| event.kind == "incident.erased"));
    assert!(log.iter().any(|event| event.kind == "incident.opened" && event.data.is_null()), "that it was is kept");
});

on_both!(files_without_a_text_and_old_events_go, world => {
    let (app, word) = (&world.app, canary());
    attachments::add(app, &responder(), "loose.txt", word.clone().into_bytes().into()).await.expect("a file");
    world.incident("Old").await;
    let before = events::latest(app).await.expect("a number");
    world.clock.advance_seconds(100 * DAY);
    retention::expire(app).await.expect("clean-up");
    assert_eq!(traces(world, &word).await, Vec::<String>::new());
    let log = async || events::audit(app, &admin(), 0, 200).await.expect("the log").into_iter().map(|event| event.seq);
    assert!(log().await.any(|seq| seq <= before));
    world.clock.advance_seconds(301 * DAY);
    world.incident("New").await;
    retention::expire(app).await.expect("clean-up");
    assert!(log().await.all(|seq| seq > before) && log().await.count() > 0);
});

/// An entry that names the files of another one.
async fn naming(world: &World, which: IncidentRef, other: &Entry) -> Entry {
    let body = format!("See ![it](/attachments/{}).", other.fields.attachments[0]);
    let fields = EntryFields { body, ..world.note("The same picture").fields };
    timeline::add(&world.app, &responder(), which, NewEntry { id: None, fields }).await.expect("an entry").0
}

on_both!(a_file_that_another_incident_names_goes_with_the_last_text_that_does, world => {
    let app = &world.app;
    let [one, two, three] = [world.incident("One").await, world.incident("Two").await, world.incident("Three").await];
    let [one, two, three] = [one, two, three].map(|incident| IncidentRef::Id(incident.id));
    let fetched = async |entry: &Entry| attachments::fetch(app, &responder(), entry.fields.attachments[0]).await.is_ok();
    let posted = entry(world, one, &canary()).await;
    let [second, third] = [naming(world, two, &posted).await, naming(world, three, &posted).await];
    incidents::delete(app, &responder(), one).await.expect("deleted");
    for (which, entry) in [(two, second), (three, third)] {
        world.clock.advance_seconds(31 * DAY);
        retention::expire(app).await.expect("clean-up");
        assert!(fetched(&posted).await, "others show it still");
        timeline::delete(app, &responder(), which, entry.id).await.expect("deleted");
    }
    world.clock.advance_seconds(31 * DAY);
    retention::expire(app).await.expect("clean-up");
    assert!(!fetched(&posted).await);
    assert_eq!(traces(world, &canary()).await, Vec::<String>::new());

    // Who pastes the address of a file that they may not see does not get it by the end of its incident.
    let hidden = world.incident("Hidden").await;
    let posted = entry(world, IncidentRef::Id(hidden.id), &canary()).await;
    incidents::edit(app, &responder(), IncidentRef::Id(hidden.id), 1, &json!({"visibility": "restricted"})).await.expect("restricted");
    naming(world, two, &posted).await;
    incidents::delete(app, &responder(), IncidentRef::Id(hidden.id)).await.expect("deleted");
    world.clock.advance_seconds(31 * DAY);
    retention::expire(app).await.expect("clean-up");
    assert!(!fetched(&posted).await);
    assert_eq!(traces(world, &canary()).await, Vec::<String>::new());
});

fn forbidden<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    match outcome {
        Err(Error::Domain(Problem::Forbidden(why))) => why,
        other => panic!("not refused: {other:?}"),
    }
}

on_both!(a_legal_hold_keeps_everything_of_its_incident, world => {
    let app = &world.app;
    let (client, hook_of_held) = hook(world, "held").await;
    let (_, hook_of_other) = hook(world, "other").await;
    let alert = json!({"title": "Down", "dedup_key": "a"});
    let opened = client.post(&hook_of_held, &alert).await.is(202)["alerts"][0]["incident"].as_str().expect("opened").to_owned();
    let other = client.post(&hook_of_other, &alert).await.is(202)["alerts"][0]["incident"].as_str().expect("opened").to_owned();
    let which = opened.parse::<IncidentRef>().expect("a reference");
    let gone = entry(world, which, "gone").await;
    let kept = entry(world, which, "kept").await;
    timeline::delete(app, &responder(), which, gone.id).await.expect("deleted before the hold");
    let fields = BalancerFields { name: "edge".into(), config_path: "/etc/haproxy/haproxy.cfg".into(), ..Default::default() };
    let edge = balancers::add(app, &admin(), fields).await.expect("a balancer");
    let pushed = PushedSnapshot { config: "backend web\n  server web1 10.0.0.1:80\n".into(), ..Default::default() };
    let snapshot = snapshots::push(app, &admin(), edge.id, pushed).await.expect("a snapshot");
    snapshots::link(app, &responder(), which, snapshot.id, SnapshotRole::During).await.expect("linked");

    // An integration opened it: the commander decides, and administrators.
    assert!(forbidden(holds::place(app, &responder(), which, "a claim").await).contains("commander"));
    assert_eq!(refused(holds::place(app, &admin(), which, " ").await), ["/reason"]);
    let held = holds::place(app, &admin(), which, "Claim 7 of the insurer").await.expect("held");
    assert_eq!(held.hold.as_ref().map(|hold| (hold.by.as_str(), hold.reason.as_str())), Some(("root", "Claim 7 of the insurer")));
    let same = holds::place(app, &admin(), which, "Claim 7 of the insurer").await.expect("held");
    assert_eq!(same.version, held.version, "the same once more changes nothing");
    for why in [
        forbidden(incidents::delete(app, &admin(), which).await),
        forbidden(timeline::delete(app, &admin(), which, kept.id).await),
        forbidden(snapshots::unlink(app, &admin(), which, snapshot.id).await),
    ] {
        assert!(why.contains("legal hold") && why.contains("Claim 7") && why.contains("administrator"), "{why}");
    }
    balancers::delete(app, &admin(), edge.id).await.expect("a balancer is not of the incident");

    world.clock.advance_seconds(500 * DAY);
    retention::expire(app).await.expect("clean-up");
    assert_eq!(deliveries(world).await, 1, "only the held one's");
    assert_eq!(snapshots::of_incident(app, &admin(), which).await.expect("snapshots").len(), 1);
    let entries = timeline::end(app, &admin(), which, true, timeline::LIST_MAX).await.expect("entries").entries;
    assert!(entries.iter().any(|entry| entry.id == gone.id) && entries.iter().any(|entry| entry.id == kept.id));
    timeline::restore(app, &admin(), which, gone.id).await.expect("what a hold keeps can be brought back");
    timeline::revisions(app, &admin(), which, gone.id).await.expect("with its versions");
    attachments::fetch(app, &admin(), kept.fields.attachments[0]).await.expect("files too");
    let log = events::audit(app, &admin(), 0, 200).await.expect("the log");
    assert!(log.iter().any(|event| event.data["hold"] == true && event.data["reason"] == "Claim 7 of the insurer"));

    holds::lift(app, &admin(), which, "settled").await.expect("lifted");
    incidents::delete(app, &admin(), which).await.expect("deleted");
    // The snapshot was taken while it was open too.
    incidents::delete(app, &admin(), other.parse().expect("a reference")).await.expect("deleted");
    world.clock.advance_seconds(31 * DAY);
    retention::expire(app).await.expect("clean-up");
    assert_eq!(deliveries(world).await, 0);
    assert!(matches!(incidents::find_any(app, &admin(), which).await, Err(Error::Domain(Problem::NotFound { .. }))));
    let mut conn = app.store().read().await.expect("read");
    for table in ["select count(*) from snapshots", "select count(*) from balancers", "select count(*) from blobs"] {
        assert_eq!(conn.query(table).value::<i64>().await.expect("a count"), Some(0), "{table}");
    }
});

on_both!(a_hold_is_shown_wherever_the_incident_is, world => {
    let client = Client::admin(world).await;
    let incident = world.incident("Checkout").await;
    let place = format!("/api/v1/incidents/{}", incident.reference);
    client.put(&format!("{place}/hold"), &json!({"reason": "a claim", "until": 1})).await.is(422);
    let held = client.put(&format!("{place}/hold"), &json!({"reason": "a claim"})).await;
    assert_eq!((&held.is(200)["hold"]["reason"], held.header("etag")), (&json!("a claim"), "\"2\""));
    assert_eq!(client.get("/api/v1/incidents").await.is(200)["items"][0]["hold"]["reason"], "a claim");
    let export = client.get(&format!("{place}/export")).await.text();
    assert!(export.contains("**Legal hold:** since") && !export.contains("a claim"), "{export}");
    let refusal = client.delete(&place).await.is(403);
    assert!(refusal["detail"].as_str().is_some_and(|detail| detail.contains("legal hold")), "{refusal}");
    let entries = client.get(&format!("{place}/timeline")).await.is(200);
    assert!(entries.to_string().contains("Legal hold: nothing of this incident is deleted"));

    let handle = "viewer-of-holds";
    let viewer = person(handle, Role::Viewer);
    assert!(forbidden(holds::lift(&world.app, &viewer, IncidentRef::Id(incident.id), "x").await).contains("viewer"));
    assert_eq!(client.post(&format!("{place}/hold/lift"), &json!({"reason": "settled"})).await.is(200)["hold"], json!(null));
    client.send(Method::DELETE, &place, &[], "").await.is(204);
    let fields = IncidentFields { title: "x".into(), ..IncidentFields::default() };
    assert!(incidents::declare(&world.app, &responder(), None, fields).await.expect("declared").0.hold.is_none());
});
