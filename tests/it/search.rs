//! Finding things: every noun by what it says, after every way of changing it, and only for those who may see it.

mod agreement;

use afterload::domain::access::{Actor, Role, Scope};
use afterload::domain::balancer::BalancerFields;
use afterload::domain::id::IncidentRef;
use afterload::domain::incident::{IncidentFields, Severity, Status, Visibility};
use afterload::domain::search::Search;
use afterload::domain::task::TaskFields;
use afterload::domain::timeline::{DecisionOption, EntryFields, EntryKind, Evidence, NewEntry};
use afterload::services::{Page, balancers, incidents, search, tasks, timeline};
use afterload::store::Store;
use serde_json::json;

use crate::api::{Client, pairs};
use crate::web::Browser;
use crate::world::{World, admin, on_both, person, refused, responder};

async fn found_by(world: &World, actor: &Actor, q: &str) -> Vec<String> {
    let asked = Search::parse(q, world.app.now(), 0);
    let page = search::find(&world.app, actor, &asked, &Page::default()).await.expect(q);
    page.items.into_iter().map(|hit| format!("{}: {}", hit.found.as_str(), hit.title)).collect()
}

async fn found(world: &World, q: &str) -> Vec<String> {
    found_by(world, &responder(), q).await
}

async fn sorted(world: &World, q: &str) -> Vec<String> {
    let mut found = found(world, q).await;
    found.sort();
    found
}

/// One of each noun, all about the same.
async fn furnished(world: &World) -> IncidentRef {
    let fields = IncidentFields {
        title: "Checkout answers slowly".into(),
        summary: "The café pool queues; see the connection table.".into(),
        root_cause: "A deadlock of the payment service".into(),
        services: vec!["checkout".into()],
        labels: [("team".to_owned(), "db".to_owned())].into(),
        severity: Severity::Sev1,
        ..Default::default()
    };
    let (incident, _) = incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    let which = IncidentRef::Id(incident.id);
    let entry = EntryFields {
        kind: EntryKind::Decision,
        title: "Drain web3".into(),
        body: "connection refused from 10.0.0.3".into(),
        options: vec![DecisionOption { title: "Restart".into(), reason: "loses sessions".into(), chosen: false }],
        evidence: vec![Evidence::Link { href: "https://grafana.test/?token=swordfish".into(), text: "the dashboard".into() }],
        occurred_at: world.app.now(),
        ..Default::default()
    };
    timeline::add(&world.app, &responder(), which, NewEntry { id: None, fields: entry }).await.expect("added");
    let task = TaskFields { title: "Shorten the queue timeout".into(), owner: Some("jl".into()), ..Default::default() };
    tasks::add(&world.app, &responder(), which, None, task).await.expect("added");
    let balancer = BalancerFields {
        name: "edge-1".into(),
        state_address: "http://stats:swordfish@lb.test:8404/stats".into(),
        ..Default::default()
    };
    balancers::add(&world.app, &admin(), balancer).await.expect("added");
    which
}

on_both!(every_noun_is_found_by_what_it_says, world => {
    furnished(world).await;
    world.incident("Checkout is down").await;
    let cases: &[(&str, &[&str])] = &[
        ("CAFE", &["incident: Checkout answers slowly"]),
        ("checkout slowly", &["incident: Checkout answers slowly", "postmortem: Checkout answers slowly"]),
        ("checkout deadlock", &["postmortem: Checkout answers slowly"]),
        ("\"connection refused\"", &["entry: Drain web3"]),
        ("\"refused connection\"", &[]),
        ("connection", &["entry: Drain web3", "incident: Checkout answers slowly"]),
        ("connection -refused", &["incident: Checkout answers slowly"]),
        ("connection -\"connection refused\"", &["incident: Checkout answers slowly"]),
        ("loses sessions", &["entry: Drain web3"]),
        ("dashboard", &["entry: Drain web3"]),
        ("10.0.0.3", &["entry: Drain web3"]),
        ("tim", &[]),
        ("tim*", &["task: Shorten the queue timeout"]),
        ("queue t*", &["task: Shorten the queue timeout"]),
        ("haproxy edge-1", &["balancer: edge-1"]),
        ("lb.test", &["balancer: edge-1"]),
        // A balancer has no status, severity or service: "not" leaves it in.
        ("lb.test -status:resolved", &["balancer: edge-1"]),
        ("lb.test -status:open -severity:sev1 -kind:drill -service:checkout -label:team", &["balancer: edge-1"]),
        ("lb.test status:open", &[]),
        ("lb.test severity:sev1", &[]),
        ("INC-2", &["incident: Checkout is down"]),
        ("checkout service:checkout kind:incident", &["incident: Checkout answers slowly"]),
        ("service:checkout", &["incident: Checkout answers slowly"]),
        ("-service:checkout", &["incident: Checkout is down"]),
        ("label:team=db severity:1 status:open", &["incident: Checkout answers slowly"]),
        ("label:team=web", &[]),
        ("-checkout", &[]),
        ("-slowly", &["incident: Checkout is down"]),
        ("kind:decision", &["entry: Drain web3"]),
        ("kind:task", &["task: Shorten the queue timeout"]),
        ("checkout kind:drill", &[]),
        ("checkout after:2027-01-01", &[]),
        ("drain before:1d", &[]),
        ("drain after:1h", &["entry: Drain web3"]),
        ("status:resolved", &[]),
        ("", &[]),
        ("* - \"\"", &[]),
    ];
    for (q, expected) in cases {
        assert_eq!(sorted(world, q).await, *expected, "{q}");
    }
    for secret in ["swordfish", "token", "sword*"] {
        assert!(found(world, secret).await.is_empty(), "{secret} is a secret");
    }
});

on_both!(what_changes_is_found_as_it_is_now, world => {
    let which = furnished(world).await;
    let entry = timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("list").entries.remove(0);
    let patch = json!({"title": "Drain web7", "body": ""});
    timeline::edit(&world.app, &responder(), which, entry.id, entry.version, &patch).await.expect("edited");
    assert!(found(world, "web3").await.is_empty() && found(world, "refused").await.is_empty());
    assert_eq!(found(world, "web7").await, ["entry: Drain web7"]);
    timeline::delete(&world.app, &responder(), which, entry.id).await.expect("deleted");
    assert!(found(world, "web7").await.is_empty(), "a deleted entry is hidden");
    timeline::restore(&world.app, &responder(), which, entry.id).await.expect("restored");
    assert_eq!(found(world, "web7").await, ["entry: Drain web7"]);

    let patch = json!({"title": "Payment answers slowly", "root_cause": ""});
    incidents::edit(&world.app, &responder(), which, 1, &patch).await.expect("edited");
    assert!(found(world, "deadlock").await.is_empty(), "the write-up is empty again");
    incidents::delete(&world.app, &responder(), which).await.expect("deleted");
    for q in ["payment", "web7", "queue", "status:open", "kind:task"] {
        assert!(found(world, q).await.is_empty(), "{q}: a deleted incident is hidden with all that hangs on it");
    }
    incidents::restore(&world.app, &responder(), which).await.expect("restored");
    for q in ["payment", "web7", "timeout", "status:open", "kind:task"] {
        assert_eq!(found(world, q).await.len(), 1, "{q}");
    }

    let task = tasks::of_incident(&world.app, &responder(), which).await.expect("tasks").remove(0);
    let patch = json!({"title": "Cap the queue", "status": "wont_do", "wont_do_reason": "superseded"});
    tasks::edit(&world.app, &responder(), task.id, task.version, &patch).await.expect("edited");
    assert_eq!((found(world, "timeout").await.len(), found(world, "cap superseded").await.len()), (0, 1));

    let edge = balancers::list(&world.app, &admin()).await.expect("list").remove(0);
    balancers::edit(&world.app, &admin(), edge.id, edge.version, &json!({"name": "edge-2"})).await.expect("edited");
    assert_eq!((found(world, "edge-1").await.len(), found(world, "edge-2").await.len()), (0, 1));
    balancers::delete(&world.app, &admin(), edge.id).await.expect("deleted");
    assert!(found(world, "edge-2").await.is_empty());
});

on_both!(what_is_gone_for_good_is_in_no_index, world => {
    let which = furnished(world).await;
    let IncidentRef::Id(id) = which else { unreachable!() };
    let mut conn = world.app.store().begin().await.expect("begin");
    conn.query("delete from incidents where id = $1").bind(id.0).execute().await.expect("deleted");
    conn.query("delete from balancers").execute().await.expect("deleted");
    let left: Option<i64> = conn.query("select count(*) from search_documents").value().await.expect("count");
    assert_eq!(left, Some(0));
    conn.commit().await.expect("commit");
    assert!(found(world, "queue").await.is_empty());
});

on_both!(restricted_incidents_are_found_by_those_who_see_them, world => {
    let which = furnished(world).await;
    let patch = json!({"visibility": "restricted", "roles": {"commander": "jl"}});
    incidents::edit(&world.app, &responder(), which, 1, &patch).await.expect("edited");
    for q in ["slowly", "deadlock", "web3", "timeout", "status:open", "-nothing", "kind:task"] {
        assert!(!found_by(world, &person("jl", Role::Viewer), q).await.is_empty(), "{q}: who is named finds it");
        assert!(found_by(world, &person("other", Role::Admin), q).await.is_empty(), "{q}: others do not");
    }
    let fields = IncidentFields { title: "Leak".into(), visibility: Visibility::Restricted, ..Default::default() };
    incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    assert!(found_by(world, &person("other", Role::Admin), "leak").await.is_empty());
});

on_both!(titles_weigh_more_and_of_equals_the_newest_comes_first, world => {
    for (title, summary) in [("Queue full", ""), ("Latency", "a queue grew, then another queue and a queue"), ("Queue full", "")] {
        world.clock.advance_seconds(60);
        let fields = IncidentFields { title: title.into(), summary: summary.into(), ..Default::default() };
        incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    }
    let asked = Search::parse("queue", world.app.now(), 0);
    let mut page = Page { limit: Some(1), cursor: None };
    let mut order = Vec::new();
    loop {
        let rows = search::find(&world.app, &responder(), &asked, &page).await.expect("page");
        order.extend(rows.items.into_iter().filter_map(|hit| hit.incident.map(|reference| reference.0)));
        page.cursor = rows.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(order, [3, 1, 2]);
    for cursor in ["", "x", "MjAyNiBub3BlCg", "OTk5OTkgMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw"] {
        let page = Page { limit: None, cursor: Some(cursor.into()) };
        assert_eq!(refused(search::find(&world.app, &responder(), &asked, &page).await), ["/cursor"]);
    }
});

on_both!(what_was_there_before_the_index_is_found_after_the_next_start, world => {
    let which = furnished(world).await;
    let before = sorted(world, "checkout*").await;
    let entry = timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("list").entries.remove(0);
    timeline::delete(&world.app, &responder(), which, entry.id).await.expect("deleted");
    let mut conn = world.app.store().begin().await.expect("begin");
    conn.query("delete from search_documents").execute().await.expect("emptied");
    conn.query("update search_state set version = 0").execute().await.expect("set");
    conn.commit().await.expect("commit");
    assert!(found(world, "checkout*").await.is_empty());
    // Two that start at once make it once.
    let folder = world.path("");
    let (one, two) = tokio::join!(Store::open(Some(&world.url), &folder), Store::open(Some(&world.url), &folder));
    one.expect("opens").close().await;
    two.expect("opens").close().await;
    assert_eq!(sorted(world, "checkout*").await, before);
    assert_eq!((found(world, "timeout").await.len(), found(world, "edge-1").await.len()), (1, 1));
    assert!(found(world, "web3").await.is_empty(), "what was deleted stays hidden");
});

on_both!(the_list_of_incidents_takes_the_same_words, world => {
    furnished(world).await;
    world.incident("Checkout is down").await;
    let client = Client::with(world, &[Scope::IncidentsRead]).await;
    let titles = async |q: &str| {
        let query = serde_html_form::to_string([("q", q)]).expect("a query");
        let body = client.get(&format!("/api/v1/incidents?{query}")).await.is(200);
        body["items"].as_array().expect("items").iter().map(|item| item["reference"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("checkout").await, ["INC-2", "INC-1"]);
    assert_eq!(titles("checkout deadlock").await, ["INC-1"]);
    assert_eq!(titles("check -deadlock").await, ["INC-2"], "in a list the beginning of a word is enough");
    assert_eq!(titles("severity:sev1").await, ["INC-1"]);
    assert_eq!(titles("-severity:sev1 after:1d").await, ["INC-2"]);
    assert_eq!(titles("refused").await, [""; 0], "that is only in an entry");
    assert_eq!(titles("kind:task").await, [""; 0]);
});

on_both!(the_api_answers_with_safe_marks, world => {
    furnished(world).await;
    let fields = IncidentFields { title: "<b>queue</b> & more".into(), summary: "x\"><script>queue".into(), status: Status::Resolved, ..Default::default() };
    incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    let client = Client::with(world, &[Scope::IncidentsRead]).await;
    let body = client.get("/api/v1/search?q=queue+more").await.is(200);
    let hit = &body["items"][0];
    assert_eq!((&hit["kind"], &hit["incident"], &hit["status"]), (&json!("incident"), &json!("INC-2"), &json!("resolved")));
    assert_eq!(hit["title_html"], "&lt;b&gt;<mark>queue</mark>&lt;/b&gt; &amp; <mark>more</mark>");
    assert!(hit["excerpt_html"].as_str().is_some_and(|html| html.starts_with("x&quot;&gt;&lt;script&gt;<mark>queue</mark>")), "{hit}");
    let body = client.get("/api/v1/search?q=queue&limit=1").await.is(200);
    let cursor = body["next_cursor"].as_str().expect("there is more");
    let rest = client.get(&format!("/api/v1/search?q=queue&cursor={cursor}")).await.is(200);
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next_cursor"]), (Some(1), &json!(null)));
    assert_eq!(client.get("/api/v1/search").await.is(200)["items"], json!([]));
    assert_eq!(client.get("/api/v1/search?q=edge").await.is(200)["items"], json!([]), "this token may not see balancers");
    let both = Client::with(world, &[Scope::IncidentsRead, Scope::BalancersRead]).await;
    assert_eq!(both.get("/api/v1/search?q=edge").await.is(200)["items"][0]["kind"], "balancer");
    assert_eq!(client.get("/api/v1/search?q=x&cursor=y").await.problem(422), pairs(&[("/cursor", "not_a_cursor")]));
    assert!(client.get("/api/v1/search?query=x").await.status.is_client_error(), "unknown names are refused");
    assert_eq!(Client::with(world, &[Scope::BalancersRead]).await.get("/api/v1/search?q=x").await.status.as_u16(), 403);
    assert_eq!(Client::anonymous(world).get("/api/v1/search?q=x").await.status.as_u16(), 401);
});

on_both!(the_page_says_what_was_found_and_what_was_searched, world => {
    let browser = Browser::signed_in(world).await;
    furnished(world).await;
    let page = async |path: &str| {
        let answer = browser.get(path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
        answer.text()
    };
    let empty = page("/search").await;
    assert!(empty.contains("How to search") && !empty.contains("Nothing found"));
    assert!(empty.contains("action=\"/search\"") && empty.contains("id=\"search\""));
    let hits = page("/search?q=web3").await;
    let entry = timeline::end(&world.app, &responder(), "INC-1".parse().expect("a reference"), false, timeline::LIST_MAX).await.expect("list").entries.remove(0);
    assert!(hits.contains(&format!("href=\"/incidents/INC-1?all=1#entry-{}\"", entry.id)) && hits.contains("<mark>web3</mark>"), "{hits}");
    let none = page("/search?q=nothin+-x+status:open").await;
    assert!(none.contains("Nothing found") && none.contains("“nothin”, without “x”, open incidents") && none.contains("nothin*"), "{none}");
    assert!(page("/search?q=checkout&kind=task").await.contains("Nothing found"));
    let hostile = page("/search?q=%3Cscript%3Ealert(1)%3C/script%3E%22%27").await;
    assert!(!hostile.contains("<script>alert") && hostile.contains("Nothing found"));
    assert_eq!(browser.get("/search?q=inc-1").await.header("location"), "/incidents/INC-1");
    assert_eq!(browser.get("/search?q=inc-99").await.status.as_u16(), 200);
});
