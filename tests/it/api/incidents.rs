//! Incidents and tasks over HTTP.

use axum::http::Method;
use serde_json::json;

use super::{Client, pairs};
use crate::world::on_both;

on_both!(an_incident_from_declaring_to_reopening, world => {
    let client = Client::admin(world).await;
    let made = client.post("/api/v1/incidents", &json!({"title": "Checkout <script> 🔥", "severity": "sev2"})).await;
    let incident = made.is(201);
    assert_eq!((made.header("location"), made.header("etag")), ("/api/v1/incidents/INC-1", "\"1\""));
    assert_eq!((incident["reference"].as_str(), incident["title"].as_str()), (Some("INC-1"), Some("Checkout <script> 🔥")));
    assert_eq!(incident["milestones"]["detected"], "2026-11-21T12:00:00Z");

    let patch = json!({"summary": "slow", "labels": {"team": "shop"}, "milestones": {"started": "2026-11-21T12:50:00+01:00"}});
    let none = client.send(Method::PATCH, "/api/v1/incidents/INC-1", &[("content-type", "application/json")], patch.to_string()).await;
    assert!(none.problem(428).is_empty());
    let changed = client.patch("/api/v1/incidents/inc-1", "\"1\"", &patch).await;
    let view = changed.is(200);
    assert_eq!((changed.header("etag"), view["durations"]["time_to_detect"].as_i64()), ("\"2\"", Some(600)));
    let stale = client.patch("/api/v1/incidents/INC-1", "\"1\"", &json!({"summary": "mine"})).await;
    assert!(stale.problem(412).is_empty());
    assert_eq!((&stale.json()["current"]["summary"], &stale.json()["current"]["version"]), (&json!("slow"), &json!(2)));
    let foreign = client.patch("/api/v1/incidents/INC-1", "\"abc\"", &json!({"summary": "mine"})).await;
    assert_eq!(foreign.is(412)["current"]["version"], 2);

    let early = json!({"status": "resolved", "milestones": {"resolved": "2026-11-21T11:00:00Z"}, "summary": null});
    let resolved = client.patch("/api/v1/incidents/INC-1", "\"2\"", &early).await.is(200);
    assert_eq!((&resolved["summary"], &resolved["status"]), (&json!(""), &json!("resolved")));
    assert!(resolved["warnings"].as_array().is_some_and(|w| !w.is_empty()), "a contradiction is a warning: {resolved}");
    let silent = client.patch("/api/v1/incidents/INC-1", "\"3\"", &json!({"status": "investigating"})).await;
    assert_eq!(silent.problem(422), pairs(&[("/status_reason", "required")]));
    let reopen = json!({"status": "investigating", "status_reason": "back again"});
    assert_eq!(client.patch("/api/v1/incidents/INC-1", "\"3\"", &reopen).await.is(200)["status"], "investigating");
});

on_both!(lists_are_filtered_and_come_in_pages, world => {
    let client = Client::admin(world).await;
    for (title, severity, label) in [("one", "sev1", "a"), ("two", "sev2", "b"), ("three", "sev2", "a")] {
        let body = json!({"title": title, "severity": severity, "labels": {"team": label}, "services": ["shop"]});
        client.post("/api/v1/incidents", &body).await.is(201);
        world.clock.advance_seconds(60);
    }
    let titles = async |query: &str| {
        let list = client.get(&format!("/api/v1/incidents?{query}")).await.is(200);
        list["items"].as_array().expect("items").iter().map(|i| i["title"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("").await, ["three", "two", "one"]);
    assert_eq!(titles("severity=sev2&label=team:a").await, ["three"]);
    assert_eq!(titles("q=TW&status=investigating&open=true&kind=incident&service=shop").await, ["two"]);
    assert_eq!(titles("from=2026-11-21T13:01:00%2B01:00&to=2026-11-21T12:02:00Z").await, ["two"]);
    let mut path = "/api/v1/incidents?limit=2&severity=sev2".to_owned();
    let first = client.get(&path).await;
    assert_eq!((first.is(200)["items"].as_array().map(Vec::len), first.header("link")), (Some(2), ""));
    path = "/api/v1/incidents?limit=2".to_owned();
    let first = client.get(&path).await;
    let next = first.header("link").strip_prefix('<').and_then(|l| l.strip_suffix(">; rel=\"next\"")).expect("a link").to_owned();
    assert!(next.starts_with("/api/v1/incidents?limit=2&cursor="), "{next}");
    let last = client.get(&next).await.is(200);
    assert_eq!((&last["items"][0]["title"], &last["next_cursor"]), (&json!("one"), &json!(null)));
    for (query, place) in [
        ("limit=0", ("/limit", "out_of_range")),
        ("limit=201", ("/limit", "out_of_range")),
        ("cursor=x", ("/cursor", "not_a_cursor")),
        ("severity=sev9", ("/severity", "invalid")),
        ("from=2026-11-21T12:00", ("/from", "not_a_time")),
        ("label=team", ("/label", "invalid")),
        ("severty=sev1", ("/severty", "unknown_field")),
        ("q=a%00b", ("/", "nul")),
    ] {
        assert_eq!(client.get(&format!("/api/v1/incidents?{query}")).await.problem(422), pairs(&[place]), "{query}");
    }
});

on_both!(what_does_not_fit_is_named_and_nothing_is_stored, world => {
    let client = Client::admin(world).await;
    for (body, status, place) in [
        (json!({"title": "  "}).to_string(), 422, Some(("/title", "required"))),
        (json!({"title": "x".repeat(1_000_000)}).to_string(), 422, Some(("/title", "too_long"))),
        (json!({"title": "a\u{0}b"}).to_string(), 422, Some(("/title", "nul"))),
        (json!({"title": "x", "milestones": {"started": "2026-11-21T14:03:00"}}).to_string(), 422, Some(("/milestones/started", "not_a_time"))),
        (json!({"title": "x", "role": "admin"}).to_string(), 422, Some(("/role", "unknown_field"))),
        (r#"{"title": "a", "title": "b"}"#.to_owned(), 422, Some(("/", "duplicate_field"))),
        ("not json".to_owned(), 400, None),
        ("[".repeat(200_000), 400, None),
        (format!("{{\"title\": \"{}\"}}", "x".repeat(5 << 20)), 413, None),
    ] {
        let answer = client.send(Method::POST, "/api/v1/incidents", &[("content-type", "application/json")], body).await;
        assert_eq!(answer.problem(status), pairs(place.as_slice()));
    }
    let form = client.send(Method::POST, "/api/v1/incidents", &[("content-type", "application/x-www-form-urlencoded")], "title=x").await;
    assert!(form.problem(415).is_empty());
    assert_eq!(client.get("/api/v1/incidents").await.is(200)["items"], json!([]));
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let odd = client.patch("/api/v1/incidents/INC-1", "\"1\"", &json!({"impact_figures": {"users": "many"}})).await;
    assert_eq!(odd.problem(422), pairs(&[("/impact_figures/users", "invalid")]));
    assert!(client.patch("/api/v1/incidents/INC-1", "1", &json!({})).await.problem(400).is_empty());
});

on_both!(deleting_is_undone_whole, world => {
    let client = Client::admin(world).await;
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let stale = client.send(Method::DELETE, "/api/v1/incidents/INC-1", &[("if-match", "\"9\"")], "").await;
    assert_eq!(stale.is(412)["current"]["version"], 1);
    client.delete("/api/v1/incidents/INC-1").await.is(204);
    assert!(client.get("/api/v1/incidents/INC-1").await.problem(404).is_empty());
    assert_eq!(client.get("/api/v1/incidents").await.is(200)["items"], json!([]));
    assert_eq!(client.send(Method::POST, "/api/v1/incidents/INC-1/restore", &[], "").await.is(200)["deleted_at"], json!(null));
    assert_eq!(client.get("/api/v1/incidents/INC-1").await.is(200)["title"], "x");
});

on_both!(a_back_filled_incident_is_over_from_the_start, world => {
    let client = Client::admin(world).await;
    let milestones = json!({"started": "2026-11-01T10:00:00Z", "resolved": "2026-11-01T13:30:00Z"});
    let incident = client.post("/api/v1/incidents", &json!({"title": "old", "status": "resolved", "milestones": milestones})).await.is(201);
    assert_eq!((&incident["durations"]["total"], &incident["milestones"]["detected"]), (&json!(12_600), &json!(null)));
});

on_both!(tasks_are_added_changed_and_listed, world => {
    let client = Client::admin(world).await;
    client.post("/api/v1/incidents", &json!({"title": "x"})).await.is(201);
    let made = client.post("/api/v1/incidents/INC-1/tasks", &json!({"title": "Alarm on skew", "kind": "detect", "due_on": "2026-11-20", "owner": "mk"})).await;
    let task = made.is(201);
    assert_eq!((made.header("etag"), &task["incident"]), ("\"1\"", &json!("INC-1")));
    let path = made.header("location").to_owned();
    assert_eq!(client.get("/api/v1/tasks?overdue=true&owner=mk").await.is(200)["items"][0]["id"], task["id"]);
    assert_eq!(client.patch(&path, "\"1\"", &json!({"status": "wont_do"})).await.problem(422), pairs(&[("/wont_do_reason", "required")]));
    assert_eq!(client.patch(&path, "\"1\"", &json!({"due_on": "soon"})).await.problem(422), pairs(&[("/due_on", "not_a_date")]));
    assert_eq!(client.patch(&path, "\"1\"", &json!({"status": "done"})).await.is(200)["closed_at"], "2026-11-21T12:00:00Z");
    assert_eq!(client.patch(&path, "\"1\"", &json!({"status": "open"})).await.is(412)["current"]["status"], "done");
    assert_eq!(client.get(&path).await.is(200)["version"], 2);
    assert_eq!(client.get("/api/v1/tasks?open=true").await.is(200)["items"], json!([]));
    assert_eq!(client.get("/api/v1/incidents/INC-1/tasks").await.is(200)["items"].as_array().map(Vec::len), Some(1));
});

on_both!(a_repeated_post_with_an_id_makes_one_incident_and_one_task, world => {
    let client = Client::admin(world).await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let made = client.post("/api/v1/incidents", &json!({"id": id, "title": "x"})).await;
    assert_eq!((&made.is(201)["id"], made.header("location")), (&json!(id), "/api/v1/incidents/INC-1"));
    let again = client.post("/api/v1/incidents", &json!({"id": id, "title": "something else"})).await;
    assert_eq!((&again.is(200)["title"], &again.is(200)["reference"], again.header("etag")), (&json!("x"), &json!("INC-1"), "\"1\""));
    let foreign = world.incident("of somebody else").await;
    assert_eq!(foreign.reference.0, 2, "the repeat took no number");
    let taken = client.post("/api/v1/incidents", &json!({"id": foreign.id, "title": "x"})).await;
    assert_eq!(taken.problem(422), pairs(&[("/id", "taken")]));

    let task = json!({"id": id, "title": "watch"});
    let first = client.post("/api/v1/incidents/INC-1/tasks", &task).await;
    assert_eq!((&first.is(201)["id"], first.header("location")), (&json!(id), format!("/api/v1/tasks/{id}").as_str()));
    assert_eq!(client.post("/api/v1/incidents/INC-1/tasks", &task).await.is(200), first.is(201));
    assert_eq!(client.get("/api/v1/incidents/INC-1/tasks").await.is(200)["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(client.post("/api/v1/incidents/INC-2/tasks", &task).await.problem(422), pairs(&[("/id", "taken")]));
    for path in ["/api/v1/incidents", "/api/v1/incidents/INC-1/tasks"] {
        let odd = client.post(path, &json!({"id": "x", "title": "x"})).await;
        assert_eq!(odd.problem(422), pairs(&[("/id", "not_an_id")]));
        let unknown = client.post(path, &json!({"title": "x", "role": "admin"})).await;
        assert_eq!(unknown.problem(422), pairs(&[("/role", "unknown_field")]));
    }
});

on_both!(two_at_once_with_one_id_are_one_incident, world => {
    let client = Client::admin(world).await;
    let body = json!({"id": "01890a5d-ac96-774b-bcce-b302099a8057", "title": "x"});
    let answers = futures_util::future::join_all((0..8).map(|_| client.post("/api/v1/incidents", &body))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    assert!(answers.iter().all(|answer| answer.json()["reference"] == "INC-1"));
});
