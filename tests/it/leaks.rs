//! The planted secrets of 300 configs sent through the whole product, and looked for in all that it keeps and shows.

use std::fs;

use aho_corasick::AhoCorasick;
use axum::http::Method;
use serde_json::json;

use crate::api::Client;
use crate::canary::{self, KINDS};
use crate::web::Browser;
use crate::world::World;

/// Snapshots of which every page is looked at; of the others the answers of the API are.
const PAGES_OF: usize = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_is_kept_or_shown_anywhere() {
    let world = &World::sqlite().await;
    let corpus = canary::corpus();
    let all: Vec<&str> = corpus.iter().flat_map(|config| &config.canaries).map(String::as_str).collect();
    let search = AhoCorasick::new(&all).expect("canaries are plain text");
    let clean = |what: &str, bytes: &[u8]| {
        let found: Vec<&str> = search.find_iter(bytes).take(5).map(|found| all[found.pattern().as_usize()]).collect();
        assert!(found.is_empty(), "{what} holds {found:?}");
    };
    assert!(corpus.iter().all(|config| search.is_match(&config.text)), "the search finds what is there");
    let client = Client::admin(world).await;
    let browser = Browser::signed_in(world).await;
    let incident = client.post("/api/v1/incidents", &json!({"title": "Leaks?"})).await.is(201);
    let mut balancers = Vec::new();
    for kind in KINDS {
        let fields = json!({"name": kind, "kind": kind, "config_path": format!("/etc/{kind}")});
        balancers.push(client.post("/api/v1/balancers", &fields).await.is(201)["id"].as_str().expect("id").to_owned());
    }
    let (mut kept, mut shown) = (0, 0);
    for (nth, config) in corpus.iter().enumerate() {
        let at = KINDS.iter().position(|kind| *kind == config.kind).expect("a kind");
        world.clock.advance_seconds(1);
        let answer = client.post("/api/v1/check", &json!({"config": config.text, "kind": config.kind})).await;
        clean(&format!("the check of {}", config.name), answer.text().as_bytes());
        let path = format!("/api/v1/balancers/{}/snapshots", balancers[at]);
        let answer = client.send(Method::POST, &path, &[("content-type", "text/plain")], config.text.clone()).await;
        clean(&format!("the answer to {}", config.name), answer.text().as_bytes());
        if answer.status.as_u16() != 201 {
            assert!(config.broken, "{}: {}", config.name, answer.text());
            continue;
        }
        kept += 1;
        let id = answer.json()["id"].as_str().expect("id").to_owned();
        for part in ["", "/findings"] {
            let answer = client.get(&format!("/api/v1/snapshots/{id}{part}")).await;
            clean(&format!("snapshot of {}{part}", config.name), answer.is(200).to_string().as_bytes());
        }
        if nth % PAGES_OF == 0 {
            for page in [format!("/snapshots/{id}"), format!("/snapshots/{id}/config"), format!("/balancers/{}", balancers[at])] {
                let answer = browser.get(&page).await;
                assert_eq!(answer.status.as_u16(), 200, "{page}");
                clean(&page, answer.text().as_bytes());
                shown += 1;
            }
        }
    }
    assert!(kept > 200 && shown > 50, "{kept} kept, {shown} pages");
    let reference = incident["reference"].as_str().expect("reference");
    let room = browser.get(&format!("/incidents/{reference}")).await.text();
    assert!(room.contains("haproxy:"), "the changes stand on the timeline");
    clean("the room", room.as_bytes());
    for path in ["postmortem", "export?flavour=plain", "timeline?limit=200", "snapshots"] {
        let answer = client.get(&format!("/api/v1/incidents/{reference}/{path}")).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
        clean(path, answer.text().as_bytes());
    }
    clean("the log of changes", client.get("/api/v1/audit?limit=200").await.text().as_bytes());
    let mut files = 0;
    for file in fs::read_dir(world.path("")).expect("the data folder").map(|entry| entry.expect("an entry").path()) {
        if file.is_file() {
            clean(&file.display().to_string(), &fs::read(&file).expect("a file"));
            files += 1;
        }
    }
    assert!(files >= 2, "the database and its write-ahead log: {files}");
}
