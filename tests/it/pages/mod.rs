//! The pages that oversee: dashboard, lists, snapshot history and settings, and what they count and hide.

mod settings;
mod trial;

use afterload::domain::access::{Actor, Role};
use afterload::domain::balancer::BalancerFields;
use afterload::domain::id::{BalancerId, IncidentRef};
use afterload::domain::incident::{IncidentFields, Milestones, Severity, Status};
use afterload::domain::task::{Recurrence, TaskFields};
use afterload::services::snapshots::{self, PushedSnapshot};
use afterload::services::{balancers, incidents, tasks, timeline};
use afterload::signal::chunk::encode_frame;
use afterload::signal::series::{Metric, Sample, SeriesKey};
use afterload::store::samples;
use chrono::{Days, Duration};
use serde_json::json;

use crate::web::Browser;
use crate::world::{World, admin, on_both, responder};

async fn balancer(world: &World, name: &str) -> BalancerId {
    let fields = BalancerFields { name: name.into(), config_path: "/etc/haproxy/haproxy.cfg".into(), ..Default::default() };
    balancers::add(&world.app, &admin(), fields).await.expect("added").id
}

/// Counters of a pool, one poll every five seconds up to now: all requests, and those that failed.
async fn traffic(world: &World, balancer: BalancerId, pool: &str, polls: i64, failed_share: f64) {
    let mut conn = world.app.store().samples().begin().await.expect("begin");
    for poll in 0..polls {
        let requests = poll as f64 * 500.0;
        let sample = |metric, value| Sample { key: SeriesKey { pool: pool.into(), server: None, metric }, value };
        let one = |metric, value| Sample { key: SeriesKey { pool: pool.into(), server: Some("web1".into()), metric }, value };
        let failed = requests * failed_share;
        let bytes = encode_frame(&[
            sample(Metric::Requests, requests),
            sample(Metric::Responses5xx, failed),
            one(Metric::Requests, requests),
            one(Metric::Responses5xx, failed),
        ]);
        let at = world.app.now() - Duration::seconds((polls - 1 - poll) * 5);
        samples::insert_frame(&mut conn, balancer, at, &bytes).await.expect("inserted");
    }
    conn.commit().await.expect("committed");
}

/// The text of a page without its markup, blanks as they stand.
pub fn words(html: &str) -> String {
    let main = html.split("<main").nth(1).unwrap_or(html);
    main.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

on_both!(the_dashboard_shows_the_worst_signal_of_what_is_open_and_how_old_the_last_answer_is, world => {
    let (browser, _) = Browser::of(world, "re", Role::Responder).await;
    world.clock.advance_seconds(3600);
    let edge = balancer(world, "edge-1").await;
    traffic(world, edge, "shop", 60, 0.25).await;
    world.incident("Checkout is down").await;
    world.clock.advance_seconds(7);
    let page = browser.get("/").await.text();
    let told = words(&page);
    assert!(told.contains("1 open incident") && page.contains("class=\"spark sev3\""), "{page}");
    assert!(told.contains("5xx of pool shop on edge-1: now 25 %, highest 25 %"), "{told}");
    assert!(told.contains("answered 7 s ago"), "the newest poll counts, to the second: {told}");
    // What is not recorded any more is said, although nobody noted a failure.
    world.clock.advance_seconds(600);
    assert!(words(&browser.get("/").await.text()).contains("no answer for 10 min"));
});

on_both!(in_a_storm_the_worst_stays_on_the_dashboard, world => {
    let (browser, _) = Browser::of(world, "re", Role::Responder).await;
    let open = async |title: &str, severity| {
        let fields = IncidentFields { title: title.into(), severity, ..Default::default() };
        incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
        world.clock.advance_seconds(1);
    };
    open("The old fire", Severity::Sev1).await;
    for nth in 1..=51 {
        open(&format!("Smoke {nth}."), Severity::Sev3).await;
    }
    let told = words(&browser.get("/").await.text());
    assert!(told.contains("50+ open incidents"), "{told}");
    let at = |title: &str| told.find(title).unwrap_or_else(|| panic!("{title}: {told}"));
    assert!(at("The old fire") < at("Smoke 51.") && at("Smoke 51.") < at("Smoke 50.") && !told.contains("Smoke 2."), "{told}");
});

on_both!(a_room_says_that_it_is_cut_under_every_filter, world => {
    let (browser, _) = Browser::of(world, "re", Role::Viewer).await;
    let which = world.incident("Long").await.reference.into();
    timeline::add(&world.app, &responder(), which, world.note("Again and again")).await.expect("added");
    let cut = async |path: &str| words(&browser.get(path).await.text()).contains("Only the newest 10000 entries are here");
    assert!(!cut("/incidents/INC-1").await);
    let mut conn = world.app.store().begin().await.expect("begin");
    let copy = match world.url.starts_with("sqlite") {
        true => conn.query("with recursive n (i) as (select 1 union all select i + 1 from n where i < 10000) insert into entries (id, incident_id, kind, occurred_at, recorded_at, pinned, source, author, fields, version) select randomblob(16), incident_id, kind, occurred_at, recorded_at, pinned, source, author, fields, version from entries, n"),
        false => conn.query("insert into entries (id, incident_id, kind, occurred_at, recorded_at, pinned, source, author, fields, version) select gen_random_uuid(), incident_id, kind, occurred_at, recorded_at, pinned, source, author, fields, version from entries, generate_series(1, 10000)"),
    };
    assert_eq!(copy.execute().await.expect("copied"), 10_000);
    conn.commit().await.expect("committed");
    for path in ["/incidents/INC-1", "/incidents/INC-1?show=pinned", "/incidents/INC-1?show=deleted"] {
        assert!(cut(path).await, "{path}");
    }
});

on_both!(what_is_restricted_is_on_the_dashboard_of_those_who_are_named, world => {
    let (named, _) = Browser::of(world, "na", Role::Responder).await;
    let (other, _) = Browser::of(world, "ot", Role::Admin).await;
    let edge = balancer(world, "edge-1").await;
    traffic(world, edge, "shop", 60, 0.25).await;
    let incident = world.incident("Secret trouble").await;
    let which = IncidentRef::Id(incident.id);
    let due = world.app.now().date_naive() - Days::new(3);
    let late = TaskFields { title: "Secret task".into(), due_on: Some(due), ..Default::default() };
    tasks::add(&world.app, &Actor::Console, which, None, late).await.expect("a task");
    let restrict = json!({"visibility": "restricted", "named": ["na"]});
    let incident = incidents::edit(&world.app, &Actor::Console, which, incident.version, &restrict).await.expect("restricted");
    let seen = named.get("/").await.text();
    assert!(seen.contains("Secret trouble") && seen.contains("Secret task") && seen.contains("class=\"spark"), "{seen}");
    let hidden = other.get("/").await.text();
    assert!(!hidden.contains("Secret") && !hidden.contains("class=\"spark") && hidden.contains("No open incident"), "{hidden}");
    incidents::edit(&world.app, &Actor::Console, which, incident.version, &json!({"status": "resolved"})).await.expect("over");
    assert!(words(&named.get("/").await.text()).contains("Write-ups waiting"));
    assert!(!words(&other.get("/").await.text()).contains("Write-ups waiting"), "not even the heading");
});

on_both!(write_ups_that_wait_are_found_behind_many_that_are_written, world => {
    let (browser, _) = Browser::of(world, "re", Role::Responder).await;
    let began = world.app.now() - Duration::days(30);
    let over = |title: &str, nth: i64, text: &str| IncidentFields {
        title: title.into(),
        status: Status::Resolved,
        milestones: Milestones { started: Some(began + Duration::hours(nth)), resolved: Some(began + Duration::hours(nth + 1)), ..Default::default() },
        impact: text.into(),
        root_cause: text.into(),
        resolution: text.into(),
        ..Default::default()
    };
    let mut fields = vec![over("Nobody wrote it", 0, ""), over("Only blanks", 1, " \n\t ")];
    fields.extend((2..62).map(|nth| over(&format!("Written {nth}"), nth, "told")));
    for fields in fields {
        incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    }
    for path in ["/", "/postmortems?show=waiting"] {
        let told = words(&browser.get(path).await.text());
        assert!(told.contains("Nobody wrote it") && told.contains("Only blanks") && !told.contains("Written 61"), "{path}: {told}");
        assert!(told.contains("impact, root cause, resolution"), "{path}: {told}");
    }
});

on_both!(tasks_say_from_when_they_remind_and_stand_on_their_owners_dashboard, world => {
    let (mine, _) = Browser::of(world, "re", Role::Responder).await;
    let (other, _) = Browser::of(world, "ot", Role::Responder).await;
    let incident = world.incident("x").await;
    let today = world.app.now().date_naive();
    for (title, days, owner) in [("late", -2, "re"), ("now", 0, "re"), ("soon", 5, "re"), ("far", 20, "re"), ("theirs", 5, "zz")] {
        let due = Some(today + Duration::days(days));
        let recurrence = (title == "far").then_some(Recurrence::Yearly);
        let fields = TaskFields { title: format!("task {title}"), owner: Some(owner.into()), due_on: due, recurrence, ..Default::default() };
        tasks::add(&world.app, &responder(), IncidentRef::Id(incident.id), None, fields).await.expect("added");
    }
    let fields = TaskFields { title: "task never".into(), ..Default::default() };
    tasks::add(&world.app, &responder(), IncidentRef::Id(incident.id), None, fields).await.expect("added");
    let told = words(&mine.get("/tasks").await.text());
    for said in ["reminds: 2 d late", "reminds: due today", "reminds: in 5 d", "reminds from 4 Dec", "no day, so no reminder"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    // As many as there is room for are late: they take no place of those that are due soon.
    for nth in 0..10 {
        let fields = TaskFields { title: format!("forgotten {nth}"), owner: Some("re".into()), due_on: Some(today - Duration::days(30)), ..Default::default() };
        tasks::add(&world.app, &responder(), IncidentRef::Id(incident.id), None, fields).await.expect("added");
    }
    let told = words(&mine.get("/").await.text());
    let (overdue, yours) = told.split_once("Yours, due soon").expect("both cards");
    assert!(overdue.contains("forgotten 9") && overdue.contains("30 d late"), "{told}");
    assert!(yours.contains("task now") && yours.contains("task soon") && yours.contains("in 5 d"), "{told}");
    assert!(!yours.contains("task far") && !yours.contains("task theirs") && !yours.contains("task late"), "{told}");
    assert!(!words(&other.get("/").await.text()).contains("Yours, due soon"));
});

on_both!(every_filter_of_the_incident_list_stands_in_the_address_and_can_be_taken_away, world => {
    let (browser, _) = Browser::of(world, "re", Role::Responder).await;
    for (title, team) in [("Of the database", "db"), ("Of the web", "web")] {
        let labels = [("team".to_owned(), team.to_owned())].into();
        let fields = IncidentFields { title: title.into(), labels, ..Default::default() };
        incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    }
    let page = browser.get("/incidents?label=team%3Ddb&status=open").await.text();
    assert!(page.contains("Of the database") && !page.contains("Of the web"), "{page}");
    assert!(page.contains("href=\"/incidents?status=open\"><bdi>label: team=db</bdi>"), "{page}");
    assert!(page.contains("href=\"/incidents?label=team%3Ddb\"><bdi>status: open</bdi>"), "{page}");
    let none = words(&browser.get("/incidents?label=team%3Dnobody").await.text());
    assert!(none.contains("No incident fits these filters.") && none.contains("Clear all"), "{none}");
    let odd = words(&browser.get("/incidents?label=db&severity=sev9").await.text());
    assert!(odd.contains("write it like team=db") && odd.contains("Of the database"), "what is not understood hides nothing: {odd}");
    assert!(!words(&browser.get("/incidents?q=%20").await.text()).contains("Filtered by"), "blanks filter nothing");
});

on_both!(the_history_of_a_balancer_goes_back_page_by_page_and_compares_any_two, world => {
    let (browser, _) = Browser::of(world, "re", Role::Viewer).await;
    let edge = balancer(world, "edge-1").await;
    let path = format!("/balancers/{edge}/snapshots");
    assert!(words(&browser.get(&path).await.text()).contains("No snapshot yet."));
    let mut taken = Vec::new();
    for weight in 1..=52 {
        let config = format!("frontend f\n  bind :80\n  default_backend b\nbackend b\n  server a 10.0.0.1:80 weight {weight}\n");
        let pushed = PushedSnapshot { config, ..Default::default() };
        taken.push(snapshots::push(&world.app, &admin(), edge, pushed).await.expect("pushed").id);
        world.clock.advance_seconds(60);
    }
    world.incident("5xx").await;
    let first = browser.get(&path).await.text();
    let told = words(&first);
    assert!(told.contains("Snapshot 52") && told.contains("Snapshot 3\n") && !told.contains("Snapshot 2\n"), "{told}");
    assert!(told.contains("weight 51 → 52") && told.contains("INC-1 during"), "{told}");
    let older = first.split("rel=\"next\"").next().and_then(|before| before.rsplit("href=\"").next()).expect("a link");
    let older = older.split('"').next().unwrap_or_default().replace("&amp;", "&");
    let told = words(&browser.get(&older).await.text());
    assert!(told.contains("Snapshot 2") && told.contains("The first one.") && told.contains("Newest"), "{told}");
    // What compares stays on its page.
    let cursor = older.split("cursor=").nth(1).expect("a cursor");
    let second = browser.get(&format!("{path}?cursor={cursor}&before={0}&after={0}", taken[0])).await.text();
    assert!(second.contains("one snapshot twice") && words(&second).contains("Snapshot 2\n"), "{second}");
    assert!(second.contains(&format!("<input type=\"hidden\" name=\"cursor\" value=\"{cursor}\">")), "{second}");
    assert!(!first.contains("name=\"cursor\""), "{first}");
    let (before, after) = (taken[3], taken[40]);
    let compared = browser.get(&format!("{path}?before={before}&after={after}")).await;
    assert_eq!((compared.status.as_u16(), compared.header("location")), (303, format!("/snapshots/{before}/diff/{after}").as_str()));
    let same = browser.get(&format!("{path}?before={before}&after={before}")).await.text();
    assert!(same.contains("one snapshot twice"), "{same}");
});
