//! What watches Afterload itself reads.

use afterload::domain::access::Scope;
use afterload::domain::balancer::BalancerFields;
use afterload::services::{balancers, recording};
use afterload::store::samples;

use super::Client;
use crate::kill::command;
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

on_both!(a_balancer_is_silent_since_its_newest_sample, world => {
    let fields = BalancerFields { name: "edge-1".into(), state_address: "/nowhere/h.sock".into(), ..Default::default() };
    let edge = balancers::add(&world.app, &admin(), fields).await.expect("added");
    // Its own field is written once a minute at most.
    let mut conn = world.app.store().begin().await.expect("begin");
    let noted = "update balancers set last_answer_at = $2 where id = $1";
    conn.query(noted).bind(edge.id.0).bind(world.app.now()).execute().await.expect("noted");
    conn.commit().await.expect("commit");
    world.clock.advance_seconds(55);
    let mut conn = world.app.store().samples().begin().await.expect("begin");
    samples::insert_frame(&mut conn, edge.id, world.app.now(), &[]).await.expect("a sample");
    conn.commit().await.expect("commit");
    world.clock.advance_seconds(3);
    let text = Client::with(world, &[Scope::BalancersRead]).await.get("/metrics").await.text();
    assert!(text.contains("afterload_balancer_silent_seconds{balancer=\"edge-1\"} 3\n"), "{text}");
    let listed = command(world, &["balancer", "list", "--json"]);
    assert!(listed.contains("\"last_answer_at\": \"2026-11-21T12:00:55Z\""), "{listed}");
});
