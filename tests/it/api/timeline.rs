//! Timeline entries and attachments over HTTP.

use axum::http::Method;
use serde_json::json;

use super::{Client, pairs};
use crate::world::on_both;

on_both!(an_entry_is_added_once_corrected_hidden_and_brought_back, world => {
    let client = Client::admin(world).await;
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let new = json!({"id": id, "kind": "hypothesis", "title": "cache?", "occurred_at": "2026-11-21T12:50:00+01:00"});
    let made = client.post("/api/v1/incidents/INC-1/timeline", &new).await;
    let entry = made.is(201);
    assert_eq!((&entry["occurred_at"], &entry["utc_offset_minutes"], &entry["state"]), (&json!("2026-11-21T11:50:00Z"), &json!(60), &json!("open")));
    let path = made.header("location").to_owned();
    world.clock.advance_seconds(60);
    let again = client.post("/api/v1/incidents/INC-1/timeline", &new).await;
    assert_eq!((&again.is(200)["title"], again.header("etag")), (&json!("cache?"), "\"1\""));
    let other = client.post("/api/v1/incidents/INC-1/timeline", &json!({"id": id, "title": "something else"})).await;
    assert_eq!(other.is(409)["current"]["title"], "cache?", "another text under the same id does not vanish in silence");

    let ruled_out = json!({"state": "ruled_out", "looked_right": "it was before", "ruled_out_by": "hit rate is flat", "pinned": true});
    assert_eq!(client.patch(&path, "\"1\"", &ruled_out).await.is(200)["version"], 2);
    let moved = client.patch(&path, "\"2\"", &json!({"occurred_at": "2026-11-21T06:45:00-05:00"})).await.is(200);
    assert_eq!((&moved["occurred_at"], &moved["utc_offset_minutes"]), (&json!("2026-11-21T11:45:00Z"), &json!(-300)));
    assert_eq!(client.patch(&path, "\"1\"", &json!({"title": "mine"})).await.is(412)["current"]["state"], "ruled_out");
    let revisions = client.get(&format!("{path}/revisions")).await.is(200);
    let states: Vec<_> = revisions["items"].as_array().expect("items").iter().map(|r| r["state"].as_str()).collect();
    assert_eq!(states, [Some("open"), Some("ruled_out"), Some("ruled_out")]);

    let stale = client.send(Method::DELETE, &path, &[("if-match", "\"1\"")], "").await;
    assert_eq!(stale.is(412)["current"]["version"], 3);
    client.delete(&path).await.is(204);
    assert_eq!(client.get("/api/v1/incidents/INC-1/timeline").await.is(200)["items"], json!([]));
    client.send(Method::POST, &format!("{path}/restore"), &[], "").await.is(200);
    assert_eq!(client.get("/api/v1/incidents/INC-1/timeline").await.is(200)["items"][0]["id"], id);
});

on_both!(entries_belong_to_their_incident, world => {
    let client = Client::admin(world).await;
    for title in ["one", "two"] {
        client.post("/api/v1/incidents", &json!({"title": title})).await.is(201);
    }
    let entry = client.post("/api/v1/incidents/INC-1/timeline", &json!({"body": "now"})).await.is(201);
    assert_eq!((&entry["title"], &entry["occurred_at"]), (&json!("now"), &json!("2026-11-21T12:00:00Z")));
    let id = entry["id"].as_str().expect("an id");
    let foreign = format!("/api/v1/incidents/INC-2/timeline/{id}");
    assert!(client.get(&foreign).await.problem(404).is_empty());
    assert!(client.patch(&foreign, "\"1\"", &json!({"title": "x"})).await.problem(404).is_empty());
    assert!(client.delete(&foreign).await.problem(404).is_empty());
    let taken = client.post("/api/v1/incidents/INC-2/timeline", &json!({"id": id, "title": "x"})).await;
    assert_eq!(taken.problem(422), pairs(&[("/id", "taken")]));
    for (body, place) in [
        (json!({"title": "x", "occurred_at": "2026-11-21T12:00:00"}), ("/occurred_at", "not_a_time")),
        (json!({"title": "x", "evidence": [{"kind": "link", "href": "javascript:alert(1)"}]}), ("/evidence/0/href", "not_an_address")),
        (json!({"title": "x", "evidence": [{"kind": "link", "href": "https://a.example", "text": "\u{0}"}]}), ("/evidence/0/text", "nul")),
        (json!({"title": "x", "source": "recorder"}), ("/source", "unknown_field")),
        (json!({}), ("/title", "required")),
    ] {
        assert_eq!(client.post("/api/v1/incidents/INC-1/timeline", &body).await.problem(422), pairs(&[place]), "{body}");
    }
});

on_both!(files_are_kept_and_never_run, world => {
    let client = Client::admin(world).await;
    let png = b"\x89PNG\r\n\x1a\nrest".to_vec();
    let made = client.send(Method::POST, "/api/v1/attachments?name=gr%C3%A4ph.png", &[("content-type", "image/png")], png.clone()).await;
    assert_eq!((&made.is(201)["media_type"], &made.json()["name"]), (&json!("image/png"), &json!("gräph.png")));
    let back = client.get(made.header("location")).await;
    assert_eq!((back.status.as_u16(), &back.body[..]), (200, &png[..]));
    assert_eq!((back.header("content-type"), back.header("content-security-policy")), ("image/png", "default-src 'none'; sandbox"));
    let form = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.svg\"\r\n\r\n<svg onload=alert(1)>\r\n--x--\r\n";
    let made = client.send(Method::POST, "/api/v1/attachments", &[("content-type", "multipart/form-data; boundary=x")], form).await;
    assert_eq!((&made.is(201)["media_type"], &made.json()["name"]), (&json!("application/octet-stream"), &json!("a.svg")));
    assert!(client.get(made.header("location")).await.header("content-disposition").starts_with("attachment"));
    assert_eq!(client.send(Method::POST, "/api/v1/attachments", &[], "").await.problem(422), pairs(&[("/file", "required")]));
    assert!(client.send(Method::POST, "/api/v1/attachments", &[], vec![0; 26 << 20]).await.problem(413).is_empty());
});
