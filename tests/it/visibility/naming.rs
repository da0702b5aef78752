//! Naming people, and what follows an incident out of sight: files, alerts, the stream.

use afterload::domain::access::{Actor, Role, Scope};
use afterload::domain::person::Person;
use afterload::services::tokens;
use axum::http::Method;
use serde_json::{Value, json};

use super::table::{About, TABLE};
use super::world::{Scene, State, WORD};
use crate::api::events::Stream;
use crate::api::{Client, pairs};
use crate::web::Browser;
use crate::world::{World, on_both};

async fn somebody(world: &World, handle: &str, role: Role) -> (Client, Browser, Person) {
    let (browser, person) = Browser::of(world, handle, role).await;
    let (_, secret) = tokens::create(&world.app, &person.actor(), handle, vec![Scope::Admin], None).await.expect("a token");
    (Client { token: Some(secret), ..Client::anonymous(world) }, browser, person)
}

async fn upload(client: &Client, bytes: &'static [u8]) -> String {
    let kept =
        client.send(Method::POST, "/api/v1/attachments?name=x.png", &[("content-type", "application/octet-stream")], bytes).await;
    kept.is(201)["id"].as_str().expect("id").to_owned()
}

on_both!(who_restricts_is_named_and_decides_who_else_is, world => {
    let ((mk, ..), (jl, ..), (root, ..)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Editor).await, somebody(world, "root", Role::Admin).await);
    let at = "/api/v1/incidents/INC-1";
    let opened = mk.post("/api/v1/incidents", &json!({"title": "Theirs", "visibility": "restricted"})).await.is(201);
    assert_eq!((&opened["named"], &opened["visibility"]), (&json!(["mk"]), &json!("restricted")), "who opens it restricted is named");
    let patch = async |who: &Client, version: i64, patch: Value| who.patch(at, &format!("\"{version}\""), &patch).await;
    assert!(jl.get(at).await.problem(404).is_empty() && root.get(at).await.problem(404).is_empty(), "administrators are no exception");
    let unknown = patch(&mk, 1, json!({"named": ["mk", "nobody"]})).await;
    assert_eq!(unknown.problem(422), pairs(&[("/named", "unknown_person")]));
    assert_eq!(patch(&mk, 1, json!({"named": ["mk", "jl", "jl"]})).await.is(200)["named"], json!(["jl", "mk"]));
    assert_eq!(jl.get("/api/v1/incidents").await.is(200)["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(patch(&jl, 2, json!({"summary": "a word"})).await.is(200)["version"], 3, "the rest is theirs as of any incident");
    for more in [json!({"named": ["jl", "mk", "root"]}), json!({"visibility": "internal"}), json!({"roles": {"commander": "jl"}})] {
        assert!(patch(&jl, 3, more).await.problem(403).is_empty(), "who is merely named brings in nobody");
    }
    assert_eq!(patch(&mk, 3, json!({"named": []})).await.problem(422), pairs(&[("/named", "nobody_left")]));
    patch(&mk, 3, json!({"named": ["jl"]})).await.is(200);
    assert!(mk.get(at).await.problem(404).is_empty(), "who took their own name off sees it no more");
    let machine = Client::admin(world).await;
    patch(&machine, 4, json!({"visibility": "internal"})).await.is(200);
    root.get(at).await.is(200);
    patch(&root, 5, json!({"visibility": "restricted"})).await.is(200);
    assert_eq!(root.get(at).await.is(200)["named"], json!(["jl", "root"]), "who restricts it is named");
    let titles = root.get(&format!("{at}/timeline")).await.is(200);
    let titles: Vec<_> = titles["items"].as_array().expect("entries").iter().map(|entry| entry["title"].clone()).collect();
    assert_eq!(titles, ["Open to everybody who is signed in", "Restricted to the people who are named"]);
});

on_both!(files_go_where_their_incident_goes, world => {
    let ((mk, ..), (jl, other, _)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Responder).await);
    mk.post("/api/v1/incidents", &json!({"title": "Theirs", "visibility": "restricted"})).await.is(201);
    jl.post("/api/v1/incidents", &json!({"title": "Another"})).await.is(201);
    let file = upload(&mk, b"\x89PNG\r\n\x1a\n quagga").await;
    let (page, at) = (format!("/attachments/{file}"), format!("/api/v1/attachments/{file}"));
    assert!(jl.get(&at).await.problem(404).is_empty(), "what no text names yet is its sender's");
    assert_eq!(mk.get(&at).await.status.as_u16(), 200);
    mk.post("/api/v1/incidents/INC-1/timeline", &json!({"title": "see", "body": format!("![x]({page})")})).await.is(201);
    assert_eq!(mk.get(&at).await.status.as_u16(), 200);
    let theft = json!({"title": "mine now?", "body": format!("![x]({page})"), "attachments": [file], "pinned": true});
    jl.post("/api/v1/incidents/INC-2/timeline", &theft).await.is(201);
    assert!(jl.get(&at).await.problem(404).is_empty(), "naming it elsewhere shows it to nobody");
    assert_eq!(other.get(&page).await.status.as_u16(), 404);
    assert!(!other.get("/incidents/INC-2").await.text().contains("x.png"));
    let data = "data:image/png;base64";
    assert!(!jl.get("/api/v1/incidents/INC-2/export").await.text().contains(data));
    assert!(mk.get("/api/v1/incidents/INC-1/export").await.text().contains(data));
    let shared = upload(&jl, b"\x89PNG\r\n\x1a\n shared").await;
    let summary = json!({"summary": format!("![x](/attachments/{shared})")});
    jl.patch("/api/v1/incidents/INC-2", "\"1\"", &summary).await.is(200);
    assert_eq!(mk.get(&format!("/api/v1/attachments/{shared}")).await.status.as_u16(), 200, "what an open incident shows is for all");
});

on_both!(senders_learn_nothing_of_it, world => {
    let scene = Scene::new(world).await;
    scene.callers().await;
    let subject = scene.subject(State::Restricted).await;
    let report = json!({"title": format!("{WORD} 0"), "dedup_key": format!("{WORD}-0"), "status": "firing"});
    let again = Client::anonymous(world).post(&scene.hook, &report).await;
    assert_eq!(again.is(202)["alerts"][0], json!({"dedup_key": "quagga-0", "action": "repeated", "incident": null}));
    assert!(!again.text().contains(&subject.reference));
});

on_both!(streams_tell_of_nothing_hidden, world => {
    assert!(TABLE.iter().filter(|route| route.about == About::Follow).count() == 3, "another stream needs a look here");
    let scene = Scene::new(world).await;
    scene.callers().await;
    let hidden = scene.subject(State::Restricted).await;
    let (jl, browser, _) = somebody(world, "jl", Role::Admin).await;
    let refused = jl.get(&format!("/api/v1/events?incident={}", hidden.reference)).await;
    assert!(refused.problem(404).is_empty());
    let open = world.incident("the end").await;
    let replays = [
        Stream::open(&jl, "/api/v1/events", &[("last-event-id", "0")]).await,
        browser.live("/live?after=0").await,
    ];
    for mut stream in replays {
        loop {
            let event = stream.next().await.expect("an event");
            assert!(!hidden.is_told_in(&event, true), "{event}");
            if event.contains(&open.id.to_string()) {
                break;
            }
        }
    }
    let machine = Client::admin(world).await;
    let mut all = Stream::open(&machine, "/api/v1/events", &[("last-event-id", "0")]).await;
    while !hidden.is_told_in(&all.next().await.expect("an event"), true) {}
});

on_both!(the_page_asks_twice_and_works_without_scripts, world => {
    let ((_, mk, _), (_, jl, _)) = (somebody(world, "mk", Role::Responder).await, somebody(world, "jl", Role::Admin).await);
    assert_eq!(mk.form("/incidents", &[("title", "Ours"), ("severity", "sev2")]).await.status.as_u16(), 303);
    let at = "/incidents/INC-1/access";
    let page = mk.get(at).await.text();
    assert!(page.contains("Everybody who is signed in sees it") && page.contains("value=\"jl\""), "{page}");
    let asked = mk.form(at, &[("visibility", "restricted"), ("named", "mk"), ("was", "internal ")]).await;
    assert!(asked.status.as_u16() == 200 && asked.text().contains("One other person loses sight of it"), "{}", asked.text());
    assert_eq!(jl.get("/incidents/INC-1").await.status.as_u16(), 200, "nothing happened yet");
    let sure = [("visibility", "restricted"), ("named", "mk"), ("was", "internal "), ("sure", "on")];
    let done = mk.form(at, &sure).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/incidents/INC-1"));
    assert_eq!(jl.get("/incidents/INC-1").await.status.as_u16(), 404);
    let room = mk.get("/incidents/INC-1").await.text();
    assert!(room.contains("Seen by") && room.contains(">Restricted</a>"), "{room}");
    assert_eq!(mk.form(at, &sure).await.status.as_u16(), 409, "the form was drawn from what stands no more");
    let nobody = mk.form(at, &[("visibility", "restricted"), ("was", "restricted mk"), ("sure", "on")]).await;
    assert!(nobody.status.as_u16() == 422 && nobody.text().contains("name at least one person"), "{}", nobody.text());
    let gone = mk.form(at, &[("visibility", "restricted"), ("named", "jl"), ("was", "restricted mk"), ("sure", "on")]).await;
    assert_eq!((gone.status.as_u16(), gone.header("location")), (303, "/incidents"), "their own name is off");
    let opened = jl.form(at, &[("visibility", "internal"), ("was", "restricted jl"), ("sure", "on")]).await;
    assert_eq!(opened.status.as_u16(), 303);
    let room = mk.get("/incidents/INC-1").await;
    assert!(room.status.as_u16() == 200 && !room.text().contains("Seen by"));
});

on_both!(the_command_line_sees_all, world => {
    let scene = Scene::new(world).await;
    scene.callers().await;
    let subject = scene.subject(State::Restricted).await;
    let which = subject.reference.parse().expect("a reference");
    let text = afterload::services::postmortems::export(&world.app, &Actor::Console, which, Default::default()).await.expect("exported");
    assert!(text.contains(WORD));
});
