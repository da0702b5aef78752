//! Balancers, their snapshots and what an incident shows of them, over HTTP.

use axum::http::Method;
use serde_json::json;

use super::{Client, pairs};
use crate::world::on_both;

const OLD: &str =
    "backend shop\n  balance roundrobin\n  server web1 10.0.0.1:80 weight 10\n  server web2 10.0.0.2:80 weight 10\n";
const NEW: &str = "userlist ops\n  user a insecure-password hunter2hunter2\nbackend shop\n  balance roundrobin\n  \
    server web1 10.0.0.1:80 weight 100\n  server web2 10.0.0.2:80 weight 10\n";

on_both!(a_balancer_and_its_snapshots, world => {
    let client = Client::admin(world).await;
    let odd = client.post("/api/v1/balancers", &json!({"name": "edge", "state_address": "ftp://x"})).await;
    assert_eq!(odd.problem(422), pairs(&[("/state_address", "not_an_address")]));
    let fields = json!({"name": "edge", "kind": "haproxy", "config_path": "/etc/haproxy/haproxy.cfg"});
    let made = client.post("/api/v1/balancers", &fields).await;
    made.is(201);
    let path = made.header("location").to_owned();
    assert_eq!(client.post("/api/v1/balancers", &fields).await.problem(422), pairs(&[("/name", "taken")]));
    assert_eq!(client.patch(&path, "\"1\"", &json!({"paused": true})).await.is(200)["paused"], true);
    assert_eq!(client.patch(&path, "\"1\"", &json!({"paused": false})).await.is(412)["current"]["paused"], true);

    let snapshots = format!("{path}/snapshots");
    let first = client.post(&snapshots, &json!({"config": OLD, "captured_at": "2026-11-21T11:00:00Z"})).await.is(201);
    let sent = client.send(Method::POST, &snapshots, &[("content-type", "text/plain")], NEW).await;
    let second = sent.is(201);
    assert!(second["changes"].to_string().contains("web1"), "{second}");
    let detail = client.get(sent.header("location")).await.is(200);
    assert!(!detail.to_string().contains("hunter2"), "secrets are redacted before storage");
    assert_eq!(detail["model"]["pools"][0]["servers"][0]["weight"]["value"], 100);
    let list = client.get(&format!("{snapshots}?limit=1")).await.is(200);
    assert_eq!((&list["items"][0]["number"], list["next_cursor"].is_string()), (&json!(2), true));
    let (a, b) = (first["id"].as_str().expect("id"), second["id"].as_str().expect("id"));
    let diff = client.get(&format!("/api/v1/snapshots/{a}/diff/{b}")).await.is(200);
    assert!(diff["unified"].as_str().is_some_and(|text| text.contains("+  server web1 10.0.0.1:80 weight 100")), "{diff}");
    assert_eq!(client.get(&path).await.is(200)["live"]["pools"][0]["name"], "shop");
    let state = client.post(&snapshots, &json!({"config": OLD, "state": "garbage"})).await;
    assert_eq!(state.problem(422), pairs(&[("/state", "not_understood")]));

    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let link = format!("/api/v1/incidents/INC-1/snapshots/{b}");
    client.put(&link, &json!({"role": "fix"})).await.is(204);
    assert_eq!(client.put(&link, &json!({"role": "cause"})).await.problem(422), pairs(&[("/role", "invalid")]));
    let linked = client.get("/api/v1/incidents/INC-1/snapshots").await.is(200);
    let roles: Vec<_> = linked["items"].as_array().expect("items").iter().filter(|s| s["id"] == b).map(|s| s["role"].as_str()).collect();
    assert_eq!(roles, [Some("fix")]);
    client.delete(&link).await.is(204);
    assert!(client.delete(&link).await.problem(404).is_empty());
    let series = client.get("/api/v1/incidents/INC-1/series?pool=shop&name=requests&step=60").await.is(200);
    assert_eq!((&series["step"], series["times"].is_array(), &series["series"]), (&json!(60), true, &json!([])));
    assert_eq!(client.get("/api/v1/incidents/INC-1/series?step=0").await.problem(422), pairs(&[("/step", "out_of_range")]));

    client.delete(&path).await.is(204);
    assert!(client.get(&path).await.problem(404).is_empty());
});
