//! How often the API may be asked.

use afterload::app::{App, Peer};
use afterload::config::Config;
use afterload::domain::access::{Actor, Scope};
use afterload::domain::integration::{Format, NewIntegration};
use afterload::server;
use afterload::services::{integrations, tokens};
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;

use super::Client;
use crate::world::{World, admin, on_both};

/// The same installation with three requests a minute, behind a proxy.
async fn narrow(world: &World) -> App {
    let proxies = vec!["10.0.0.0/8".parse().expect("a network")];
    let config = Config { api_per_minute: 3, trusted_proxies: proxies, ..world.app.config().clone() };
    App::open(config, world.app.store().clone()).await.expect("the app opens")
}

on_both!(each_token_has_its_own_requests_and_hooks_do_not_count, world => {
    let app = narrow(world).await;
    let router = server::router(&app);
    let token = async |name: &str| {
        let made = tokens::create(&app, &Actor::Console, name, vec![Scope::IncidentsRead], None).await;
        Client { router: router.clone(), token: Some(made.expect("a token").1) }
    };
    let (mine, other) = (token("mine").await, token("other").await);
    for left in [2, 1, 0] {
        let answer = mine.get("/api/v1/incidents").await;
        answer.is(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"token\";q=3;w=60");
        let state = answer.header("ratelimit");
        assert!(state.starts_with(&format!("\"token\";r={left};t=")), "{state}");
    }
    let refused = mine.get("/api/v1/incidents").await;
    let problem = refused.is(429);
    assert_eq!(problem["type"], "urn:afterload:problem:throttled");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("AFTERLOAD_API_PER_MINUTE")), "{problem}");
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&seconds), "{seconds}");
    assert!(refused.header("ratelimit").starts_with("\"token\";r=0;t="), "{}", refused.header("ratelimit"));
    assert_eq!(refused.header("content-type"), "application/problem+json");
    other.get("/api/v1/incidents").await.is(200);

    let new = NewIntegration { name: "load".into(), format: Format::Generic };
    let (_, hook) = integrations::create(&app, &admin(), new).await.expect("an integration");
    let key = hook.rsplit('/').next().expect("a key").to_owned();
    for number in 0..10 {
        let answer = mine.post(&format!("/hooks/{key}"), &json!({"title": "x", "dedup_key": number.to_string()})).await;
        answer.is(202);
        assert_eq!(answer.header("ratelimit"), "");
    }
});

on_both!(without_a_token_the_address_counts_and_only_proxies_name_another, world => {
    let router = server::router(&narrow(world).await);
    let ask = async |peer: &str, forwarded: &str, token: &str| {
        let mut request = Request::get("/api/v1/incidents").header("x-forwarded-for", forwarded);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::empty()).expect("a request");
        request.extensions_mut().insert(Peer(peer.parse().expect("an address")));
        router.clone().oneshot(request).await.expect("an answer").status().as_u16()
    };
    // Guessed tokens are counted together.
    for guess in ["afl_pat_a", "afl_pat_b", ""] {
        assert_eq!(ask("192.0.2.1", "", guess).await, 401);
    }
    assert_eq!(ask("192.0.2.1", "198.51.100.1", "afl_pat_c").await, 429, "a claim of a stranger changes nothing");
    assert_eq!(ask("192.0.2.2", "", "").await, 401);
    for _ in 0..3 {
        assert_eq!(ask("10.0.0.1", "203.0.113.5", "").await, 401);
    }
    assert_eq!(ask("10.0.0.1", "203.0.113.5", "").await, 429);
    assert_eq!(ask("10.0.0.2", "203.0.113.5", "").await, 429, "whichever proxy it comes through");
    assert_eq!(ask("10.0.0.1", "203.0.113.6", "").await, 401);
    // A provider gives a client a /64 to choose from.
    for end in 1..=3 {
        assert_eq!(ask(&format!("2001:db8::{end}"), "", "").await, 401);
    }
    assert_eq!(ask("2001:db8::4", "", "").await, 429);
});
