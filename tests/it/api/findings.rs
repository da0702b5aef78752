//! Findings of snapshots, what people let stand, and configs that are only tried.

use axum::http::Method;
use serde_json::json;

use super::Client;
use crate::world::on_both;

const SOUND: &str = "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\nfrontend in\n  bind 127.0.0.1:8080\n  default_backend shop\n\nbackend shop\n  balance roundrobin\n  option httpchk GET /health\n  server web1 10.0.0.1:80 check weight 100 maxconn 50\n  server web2 10.0.0.2:80 check weight 100 maxconn 50\n";

on_both!(a_finding_is_seen_let_stand_and_counts_again, world => {
    let client = Client::admin(world).await;
    let balancer = client.post("/api/v1/balancers", &json!({"name": "edge-1", "config_path": "/etc/haproxy/haproxy.cfg"})).await.is(201);
    let path = format!("/api/v1/balancers/{}", balancer["id"].as_str().expect("id"));
    client.post(&format!("{path}/snapshots"), &json!({"config": SOUND})).await.is(201);
    let lone = SOUND.replace("10.0.0.2:80 check weight 100", "10.0.0.2:80 check weight 0");
    let snapshot = client.post(&format!("{path}/snapshots"), &json!({"config": lone})).await.is(201);
    let findings = format!("/api/v1/snapshots/{}/findings", snapshot["id"].as_str().expect("id"));
    let found = client.get(&findings).await.is(200);
    let of = |found: &serde_json::Value, rule: &str| {
        found["items"].as_array().and_then(|items| items.iter().find(|item| item["rule"] == rule).cloned())
    };
    let first = of(&found, "LB001").unwrap_or_else(|| panic!("one server carries the pool: {found}"));
    assert_eq!((&first["pool"], &first["acknowledged"], first["places"][0]["line"].is_u64()), (&json!("shop"), &json!(null), true));
    assert!(of(&found, "LB003").is_some(), "half of the capacity went in one step: {found}");

    let acknowledgements = format!("{path}/acknowledgements");
    client.post(&acknowledgements, &json!({"rule": "LB999", "reason": "x"})).await.is(422);
    client.post(&acknowledgements, &json!({"rule": "LB001", "pool": "shop", "reason": " "})).await.is(422);
    client.post(&acknowledgements, &json!({"rule": "LB001", "reason": "x", "expires_at": "2001-01-01T00:00:00Z"})).await.is(422);
    let known = client.post(&acknowledgements, &json!({"rule": "LB001", "pool": "shop", "reason": "blue/green"})).await;
    let place = known.header("location").to_owned();
    known.is(201);
    let found = client.get(&findings).await.is(200);
    assert_eq!(of(&found, "LB001").expect("still told")["acknowledged"]["reason"], "blue/green");
    client.delete(&place).await.is(204);
    let found = client.get(&findings).await.is(200);
    assert_eq!(of(&found, "LB001").expect("told again")["acknowledged"], json!(null));
    assert!(client.get(&acknowledgements).await.is(200)["items"][0]["ended_at"].is_string(), "who let it stand is kept");
});

on_both!(a_config_is_tried_and_forgotten, world => {
    let client = Client::admin(world).await;
    let candidate = SOUND.replace("weight 100 maxconn 50\n  server web2", "weight 0 maxconn 50\n  server web2")
        + "\nlisten stats\n  bind 127.0.0.1:8404\n  stats enable\n  stats auth admin:hunter2hunter2\n";
    let told = client.post("/api/v1/check", &json!({"config": candidate, "against": SOUND})).await.is(200);
    assert_eq!((&told["kind"], &told["accepted"]), (&json!("haproxy"), &json!(true)), "{told}");
    assert!(told["changes"].to_string().contains("web1 weight 100 → 0"), "{}", told["changes"]);
    assert!(told["findings"].to_string().contains("LB001"), "{}", told["findings"]);
    assert!(!told.to_string().contains("hunter2"), "secrets are taken out of what is told");
    let broken = client.send(Method::POST, "/api/v1/check", &[("content-type", "text/plain")], format!("{SOUND}backend shop\n  server a b:99999\n")).await.is(200);
    assert_eq!(broken["accepted"], false, "{broken}");
    client.post("/api/v1/check", &json!({"config": "Dear all,\nplease find enclosed"})).await.is(422);
    client.post("/api/v1/check", &json!({"config": "global\n\0"})).await.is(422);
    client.post("/api/v1/check", &json!({"config": SOUND, "kind": "envoy"})).await.is(422);
    assert_eq!(client.get("/api/v1/balancers").await.is(200)["items"], json!([]), "nothing was stored");
});
