//! Who may use the API, and what every route has in common.

use afterload::domain::access::{Actor, Role, Scope};
use afterload::domain::person::NewPerson;
use afterload::services::{people, tokens};
use axum::http::Method;
use serde_json::{Value, json};

use super::{Client, pairs};
use crate::world::{admin, on_both};

/// Every operation of the document, its parameters filled with things that do not exist.
async fn operations(client: &Client) -> Vec<(Method, String, String)> {
    let document = client.get("/api/openapi.json").await.is(200);
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            let filled = path.replace("{ref}", "INC-99").replace("{key}", "nobody");
            let filled = ["{id}", "{a}", "{b}"]
                .iter()
                .fold(filled, |path, part| path.replace(part, "01890a5d-ac96-774b-bcce-b302099a8057"));
            all.push((method.to_uppercase().parse().expect("a method"), filled, path.clone()));
        }
    }
    all
}

on_both!(every_documented_route_asks_for_a_token, world => {
    let anonymous = Client::anonymous(world);
    for (method, path, route) in operations(&anonymous).await {
        if route.starts_with("/hooks") {
            continue;
        }
        let answer = anonymous.send(method, &path, &[("content-type", "application/json"), ("if-match", "\"1\"")], "{}").await;
        assert!(answer.problem(401).is_empty(), "{route}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"afterload\"", "{route}");
    }
});

on_both!(every_documented_route_exists_and_none_breaks, world => {
    let client = Client::admin(world).await;
    let hostile = ["{}", "[]", "null", "{\"a\": {\"b\": [1e308, \"\\ud800\"]}}", "", "\u{0}", "{\"title\": 5, \"config\": {}}"];
    for (method, path, route) in operations(&client).await {
        for body in hostile {
            if route.ends_with("/events") {
                continue;
            }
            let answer = client.send(method.clone(), &path, &[("content-type", "application/json"), ("if-match", "\"1\"")], body).await;
            let status = answer.status.as_u16();
            assert!(status < 500 && status != 405, "{method} {route} {body:?}: {status} {}", answer.text());
            if status >= 400 {
                answer.problem(status);
                assert_eq!(answer.json()["status"], status);
            }
        }
    }
});

on_both!(unknown_addresses_and_methods_are_problems_too, world => {
    let client = Client::admin(world).await;
    for path in ["/api", "/api/", "/api/v1", "/api/v1/guards", "/api/v2/incidents", "/api/v1/incidents/INC-1/nothing", "/hooks/", "/hooks/x/", "/api/v1/tasks/7", "/api/v1/incidents/%FF"] {
        assert!(client.get(path).await.problem(404).is_empty(), "{path}");
    }
    let answer = client.delete("/api/v1/incidents").await;
    assert!(answer.problem(405).is_empty());
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    assert_eq!(answer.json()["instance"], format!("urn:uuid:{}", answer.header("x-request-id")));
});

on_both!(a_token_does_what_its_scopes_and_its_maker_may, world => {
    let reader = Client::with(world, &[Scope::IncidentsRead]).await;
    assert!(reader.post("/api/v1/incidents", &json!({"title": "x"})).await.problem(403).is_empty());
    assert!(reader.get("/api/v1/balancers").await.problem(403).is_empty());
    reader.get("/api/v1/incidents").await.is(200);

    let new = |handle: &str| NewPerson { handle: handle.into(), password: "a long enough phrase".into(), role: Role::Responder };
    let mk = people::add(&world.app, &admin(), new("mk")).await.expect("made");
    let (_, secret) = tokens::create(&world.app, &mk.actor(), "own", vec![Scope::IncidentsWrite], Some(1)).await.expect("a token");
    let client = Client { token: Some(secret), ..reader.clone() };
    let hidden = json!({"title": "theirs", "visibility": "restricted", "roles": {"commander": "jl"}});
    Client::admin(world).await.post("/api/v1/incidents", &hidden).await.is(201);
    assert!(client.get("/api/v1/incidents/INC-1").await.problem(404).is_empty(), "who is not named does not learn that it exists");
    assert_eq!(client.get("/api/v1/incidents").await.is(200)["items"], json!([]));
    assert_eq!(client.post("/api/v1/incidents", &json!({"title": "mine"})).await.is(201)["created_by"], "mk");

    world.clock.advance_seconds(25 * 3600);
    assert!(client.get("/api/v1/incidents").await.problem(401).is_empty(), "an expired token is none");
    let cookie = client.send(Method::GET, "/api/v1/incidents", &[("cookie", "afterload_session=x")], "").await;
    assert!(cookie.problem(401).is_empty());
    let (_, secret) = tokens::create(&world.app, &mk.actor(), "own", vec![Scope::IncidentsRead], None).await.expect("a token");
    let client = Client { token: Some(secret), ..client };
    client.get("/api/v1/incidents").await.is(200);
    people::add(&world.app, &Actor::Console, NewPerson { role: Role::Admin, ..new("root") }).await.expect("somebody stays administrator");
    people::set_disabled(&world.app, &Actor::Console, mk.id, true).await.expect("disabled");
    assert!(client.get("/api/v1/incidents").await.problem(401).is_empty(), "whose account is disabled, whose tokens are dead");
});

on_both!(accounts_and_tokens_are_managed, world => {
    let client = Client::admin(world).await;
    let root = client.post("/api/v1/users", &json!({"handle": "root", "password": "correct horse battery", "role": "admin"})).await.is(201);
    assert!(root.get("password").is_none());
    let weak = client.post("/api/v1/users", &json!({"handle": "m k", "password": "short", "role": "viewer"})).await;
    assert_eq!(weak.problem(422), pairs(&[("/handle", "not_a_handle"), ("/password", "too_short")]));
    let mk = client.post("/api/v1/users", &json!({"handle": "mk", "password": "correct horse battery", "role": "viewer"})).await.is(201);
    let change = async |person: &Value, body: Value| {
        let path = format!("/api/v1/users/{}", person["id"].as_str().expect("id"));
        client.send(Method::PATCH, &path, &[("content-type", "application/json")], body.to_string()).await
    };
    assert_eq!(change(&mk, json!({"role": "editor"})).await.is(200)["role"], "editor");
    assert!(change(&mk, json!({"disabled": true})).await.is(200)["disabled_at"].is_string());
    assert_eq!(change(&root, json!({"role": "viewer"})).await.problem(422), pairs(&[("/role", "last_admin")]));
    assert_eq!(change(&mk, json!({})).await.problem(422), pairs(&[("/", "one_change")]));
    assert_eq!(client.get("/api/v1/users").await.is(200)["items"].as_array().map(Vec::len), Some(2));

    let made = client.post("/api/v1/tokens", &json!({"name": "bot", "scopes": ["incidents:read"], "days": 7})).await.is(201);
    let bot = Client { token: made["secret"].as_str().map(str::to_owned), ..client.clone() };
    bot.get("/api/v1/incidents").await.is(200);
    assert!(!client.get("/api/v1/tokens").await.text().contains("secret"));
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().expect("id"));
    assert!(bot.delete(&path).await.problem(403).is_empty());
    client.delete(&path).await.is(204);
    assert!(bot.get("/api/v1/incidents").await.problem(401).is_empty());
    assert_eq!(client.post("/api/v1/tokens", &json!({"name": "", "scopes": []})).await.problem(422), pairs(&[("/name", "required"), ("/scopes", "required")]));
});
