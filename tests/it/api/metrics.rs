//! What watches Afterload itself reads.

use afterload::domain::access::Scope;
use afterload::domain::balancer::BalancerFields;
use afterload::services::{balancers, recording};

use super::Client;
use crate::world::{admin, on_both};

on_both!(metrics_are_for_tokens_that_read_balancers, world => {
    Client::anonymous(world).get("/metrics").await.is(401);
    Client::with(world, &[Scope::IncidentsRead]).await.get("/metrics").await.is(403);
    let fields = BalancerFields { name: "edge \"1\"".into(), state_address: "/nowhere/h.sock".into(), ..Default::default() };
    let edge = balancers::add(&world.app, &admin(), fields).await.expect("added");
    recording::poll(&world.app, &edge).await.expect("the failure is noted");
    let client = Client::with(world, &[Scope::BalancersRead]).await;
    client.get("/api/v1/balancers").await.is(200);
    client.get("/api/v1/nowhere-at-all").await.is(404);
    let answer = client.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers["content-type"].to_str().expect("text").starts_with("application/openmetrics-text"));
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} is not in {text}"));
        line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()).expect("a number")
    };
    assert_eq!(value("afterload_http_requests_total{face=\"api\",class=\"2\"}"), 1.0);
    assert_eq!(value("afterload_http_requests_total{face=\"api\",class=\"4\"}"), 1.0);
    assert_eq!(value("afterload_http_request_duration_seconds_count{face=\"api\"}"), 2.0);
    assert_eq!(value("afterload_balancer_failing{balancer=\"edge \\\"1\\\"\"}"), 1.0);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("afterload_event_sequence") >= 1.0);
    assert!(text.ends_with("# EOF\n") && !text.contains("nowhere-at-all"));
});
