//! Hooks over HTTP: every status is chosen by what senders do with it.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Client, pairs};
use crate::world::on_both;

fn alert(status: &str) -> Value {
    json!({"version": "4", "groupKey": "{}:{}", "status": status, "receiver": "r", "groupLabels": {}, "alerts": [{
        "status": status, "fingerprint": "f1", "startsAt": "2026-11-21T11:58:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "labels": {"alertname": "High5xx", "severity": "critical"}, "annotations": {}
    }]})
}

/// Makes an integration and returns its address and its hook.
async fn integration(client: &Client, format: &str) -> (String, String) {
    let made = client.post("/api/v1/integrations", &json!({"name": format, "format": format})).await;
    let hook = made.is(201)["hook_path"].as_str().expect("the hook's path").to_owned();
    (made.header("location").to_owned(), hook)
}

on_both!(an_alert_becomes_an_incident, world => {
    let admin = Client::admin(world).await;
    let sender = Client { token: None, ..admin.clone() };
    let (path, hook) = integration(&admin, "alertmanager").await;
    let receipt = sender.send(Method::POST, &hook, &[], alert("firing").to_string()).await.is(202);
    assert_eq!((&receipt["accepted"], &receipt["alerts"][0]["incident"]), (&json!(1), &json!("INC-1")));
    let repeated = sender.send(Method::PUT, &hook, &[("content-type", "text/plain")], alert("firing").to_string()).await.is(202);
    assert_eq!(repeated["alerts"][0]["action"], "repeated");
    let prometheus = json!([{"labels": {"alertname": "Other"}, "startsAt": "2026-11-21T11:58:00Z"}]);
    sender.send(Method::POST, &format!("{hook}/api/v2/alerts"), &[], prometheus.to_string()).await.is(202);
    let alerts = admin.get("/api/v1/incidents/INC-1/alerts").await.is(200);
    assert_eq!(alerts["items"][0]["count"], 2);
    let one = admin.get(&format!("/api/v1/alerts/{}", alerts["items"][0]["id"].as_str().expect("id"))).await.is(200);
    assert_eq!(one["labels"]["alertname"], "High5xx");
    assert_eq!(admin.get("/api/v1/alerts?status=firing").await.is(200)["items"].as_array().map(Vec::len), Some(2));
    let shown = admin.get(&path).await.is(200);
    assert_eq!((&shown["deliveries"], shown.to_string().contains("afl_in_")), (&json!(3), false));
    assert!(!admin.get("/api/v1/integrations").await.text().contains("afl_in_"));
});

on_both!(what_is_not_understood_is_kept_and_answered_as_the_sender_needs, world => {
    let admin = Client::admin(world).await;
    let sender = Client { token: None, ..admin.clone() };
    for (format, status) in [("alertmanager", 202), ("grafana", 202), ("generic", 422)] {
        let (path, hook) = integration(&admin, format).await;
        let answer = sender.send(Method::POST, &hook, &[], b"\xff{".to_vec()).await;
        if status == 422 {
            assert_eq!(answer.problem(422), pairs(&[("/", "not_understood")]));
        } else {
            assert!(answer.is(202)["error"].is_string(), "{}", answer.text());
        }
        let deliveries = admin.get(&format!("{path}/deliveries")).await.is(200);
        assert_eq!((&deliveries["items"][0]["status"], &deliveries["items"][0]["bytes"]), (&json!("failed"), &json!(2)), "{format}");
    }
});

on_both!(keys_limits_and_methods, world => {
    let admin = Client::admin(world).await;
    let sender = Client { token: None, ..admin.clone() };
    let (path, hook) = integration(&admin, "alertmanager").await;
    let body = alert("firing").to_string();
    for unknown in ["/hooks/afl_in_guess", "/hooks/%FF", "/hooks/x/y", "/hooks", &format!("{hook}/v3/alerts")] {
        let answer = sender.send(Method::POST, unknown, &[], body.clone()).await;
        assert!(answer.problem(404).is_empty() && !answer.text().contains("guess"), "{unknown}");
    }
    assert!(sender.get(&hook).await.problem(405).is_empty(), "a redirected sender comes back with GET and must not see success");
    assert!(sender.send(Method::POST, &hook, &[], vec![b' '; (16 << 20) + 1]).await.problem(413).is_empty());
    let large = format!("{}{}", " ".repeat((16 << 20) - body.len()), body);
    sender.send(Method::POST, &hook, &[], large).await.is(202);

    let fresh = admin.send(Method::POST, &format!("{path}/key"), &[], "").await.is(201)["hook_path"].as_str().expect("path").to_owned();
    for key in [&hook, &fresh] {
        sender.send(Method::POST, key, &[], body.clone()).await.is(202);
    }
    world.clock.advance_seconds(25 * 3600);
    assert!(sender.send(Method::POST, &hook, &[], body.clone()).await.problem(404).is_empty(), "the old key ends after a day");
    let disabled = admin.send(Method::PATCH, &path, &[("content-type", "application/json")], json!({"disabled": true}).to_string()).await;
    assert!(disabled.is(200)["disabled_at"].is_string());
    assert!(sender.send(Method::POST, &fresh, &[], body).await.problem(403).is_empty());
});
