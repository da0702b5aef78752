//! Following changes over HTTP.

use std::time::Duration;

use axum::http::Method;
use futures_util::StreamExt;
use serde_json::json;

use super::Client;
use crate::world::on_both;

/// An open stream, read event by event.
pub struct Stream(axum::body::BodyDataStream, String);

impl Stream {
    pub async fn open(client: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = client.raw(Method::GET, path, headers, "").await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().expect("type"))
        );
        Self(response.into_body().into_data_stream(), String::new())
    }

    /// The next event as it stands on the wire; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.1 = rest;
                if !event.starts_with(':') {
                    return Some(event);
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.0.next()).await.expect("something within a minute")?;
            self.1.push_str(&String::from_utf8_lossy(&chunk.expect("a chunk")));
        }
    }
}

impl Stream {
    /// The next event of the log: what is said of the people in the room beside it is passed over.
    pub async fn next_of_log(&mut self) -> Option<String> {
        loop {
            let event = self.next().await?;
            if event.contains("id: ") {
                return Some(event);
            }
        }
    }
}

on_both!(changes_come_as_they_happen_and_again_after_a_reconnect, world => {
    let client = Client::admin(world).await;
    let mut stream = Stream::open(&client, "/api/v1/events", &[]).await;
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let opened = stream.next().await.expect("an event");
    assert!(opened.contains("event: incident.opened") && opened.contains("\"INC-1\""), "{opened}");
    client.post("/api/v1/incidents", &json!({"title": "y"})).await.is(201);
    client.post("/api/v1/incidents/INC-1/timeline", &json!({"title": "z"})).await.is(201);
    let id = opened.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    let mut back = Stream::open(&client, "/api/v1/events?incident=INC-1", &[("last-event-id", &id)]).await;
    let missed = back.next().await.expect("what was missed");
    assert!(missed.contains("event: timeline.added"), "only of this incident: {missed}");
});

on_both!(a_stream_ends_with_its_token_and_with_the_server, world => {
    let client = Client::admin(world).await;
    let reader = Client::with(world, &[afterload::domain::access::Scope::IncidentsRead]).await;
    let mut ended = Stream::open(&reader, "/api/v1/events", &[]).await;
    let mut open = Stream::open(&client, "/api/v1/events", &[]).await;
    let tokens = client.get("/api/v1/tokens").await.is(200);
    let token = tokens["items"].as_array().expect("items").iter().find(|t| t["scopes"] == json!(["incidents:read"])).expect("listed").clone();
    client.delete(&format!("/api/v1/tokens/{}", token["id"].as_str().expect("id"))).await.is(204);
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    assert_eq!(ended.next().await, None);
    assert!(open.next().await.is_some_and(|event| event.contains("incident.opened")));
    world.app.shutdown().cancel();
    assert_eq!(open.next().await, None);
});

on_both!(the_audit_log_is_read_in_pages, world => {
    let client = Client::admin(world).await;
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let first = client.get("/api/v1/audit?limit=1").await;
    assert_eq!(first.is(200)["items"][0]["kind"], "token.changed");
    let cursor = first.json()["next_cursor"].as_str().expect("more").to_owned();
    assert!(first.header("link").contains(&cursor));
    let next = client.get(&format!("/api/v1/audit?cursor={cursor}")).await.is(200);
    assert_eq!((&next["items"][0]["kind"], &next["next_cursor"]), (&json!("incident.opened"), &json!(null)));
});
