//! The write-up in its forms over HTTP.

use axum::http::Method;
use serde_json::json;

use super::{Client, pairs};
use crate::world::on_both;

on_both!(the_same_incident_in_every_form, world => {
    let client = Client::admin(world).await;
    client.post("/api/v1/incidents", &json!({"title": "Checkout | `slow`", "root_cause": "a weight"})).await.is(201);
    client.post("/api/v1/incidents/INC-1/timeline", &json!({"title": "saw it", "pinned": true})).await.is(201);
    let path = "/api/v1/incidents/INC-1/postmortem";
    let parts = client.get(path).await.is(200);
    assert_eq!((&parts["incident"]["reference"], &parts["entries"][0]["title"]), (&json!("INC-1"), &json!("saw it")));
    for (accept, kind, part) in [
        ("text/markdown", "text/markdown; charset=utf-8", "a weight"),
        ("text/html, */*;q=0.1", "text/html; charset=utf-8", "<h2"),
    ] {
        let answer = client.send(Method::GET, path, &[("accept", accept)], "").await;
        assert_eq!((answer.header("content-type"), answer.header("vary").contains("accept")), (kind, true));
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    assert!(client.send(Method::GET, path, &[("accept", "image/png")], "").await.problem(406).is_empty());

    let export = "/api/v1/incidents/INC-1/export";
    let plain = client.get(export).await;
    assert!(plain.header("content-disposition").contains("INC-1.md"), "{:?}", plain.headers);
    assert_eq!(plain.body, client.get(&format!("{export}?flavour=classic")).await.body, "same bytes each time");
    assert!(client.get(&format!("{export}?flavour=hugo")).await.text().starts_with("---\n"));
    assert_eq!(client.get(&format!("{export}?flavour=word")).await.problem(422), pairs(&[("/flavour", "unknown_word")]));
    let bundle = client.get(&format!("{export}?flavour=hugo&bundle=true")).await;
    assert_eq!((bundle.header("content-type"), &bundle.body[..2]), ("application/zip", &b"PK"[..]));
    let accepted = client.send(Method::GET, &format!("{export}?flavour=hugo"), &[("accept", "application/zip")], "").await;
    assert_eq!(accepted.body, bundle.body);
});
