//! What the recorder keeps, without a balancer: pushed snapshots and stored samples. The real balancers
//! are in the walk (`tests/browser`).

use afterload::domain::balancer::BalancerFields;
use afterload::domain::id::IncidentRef;
use afterload::domain::snapshot::SnapshotRole;
use afterload::domain::time::Timestamp;
use afterload::domain::timeline::EntryKind;
use afterload::services::flight::{self, SeriesQuery};
use afterload::services::snapshots::{self, PushedSnapshot};
use afterload::services::{Page, balancers, incidents, postmortems, recording, retention, timeline};
use afterload::signal::chunk::encode_frame;
use afterload::signal::series::{Metric, Sample, SeriesKey};
use afterload::store::samples;
use serde_json::json;

use crate::web::Browser;
use crate::world::{World, admin, on_both, refused, responder};

async fn balancer(world: &World) -> afterload::domain::balancer::Balancer {
    let fields = BalancerFields { name: "edge-1".into(), config_path: "/etc/haproxy/haproxy.cfg".into(), ..Default::default() };
    balancers::add(&world.app, &admin(), fields).await.expect("added")
}

fn config(weights: [u32; 2]) -> String {
    format!(
        "global\n  stats socket /run/h.sock\nlisten stats\n  stats auth admin:canary-secret-1\nbackend web\n  balance roundrobin\n  server web1 10.0.0.1:80 weight {}\n  server web2 10.0.0.2:80 weight {}\n",
        weights[0], weights[1]
    )
}

async fn push(world: &World, id: afterload::domain::id::BalancerId, weights: [u32; 2]) -> afterload::domain::snapshot::Snapshot {
    let pushed = PushedSnapshot { config: config(weights), ..Default::default() };
    snapshots::push(&world.app, &admin(), id, pushed).await.expect("pushed")
}

on_both!(a_snapshot_is_taken_only_when_something_changed, world => {
    let edge = balancer(world).await;
    let first = push(world, edge.id, [100, 100]).await;
    assert_eq!(push(world, edge.id, [100, 100]).await.id, first.id);
    let second = push(world, edge.id, [100, 0]).await;
    assert_eq!((second.number, second.changes.len()), (2, 1), "{:?}", second.changes);
    assert!(second.changes[0].contains("100 → 0"), "{:?}", second.changes);
    let diff = snapshots::compare(&world.app, &responder(), first.id, second.id).await.expect("diff");
    assert!(diff.unified.contains("-  server web2 10.0.0.2:80 weight 100") && diff.unified.contains("+  server web2 10.0.0.2:80 weight 0"));
    let detail = snapshots::find(&world.app, &responder(), second.id).await.expect("detail");
    let text = detail.config.expect("config");
    assert!(!text.contains("canary-secret-1") && text.contains("stats auth admin:REDACTED-"), "{text}");
    assert_eq!(snapshots::list(&world.app, &responder(), edge.id, &Page::first(1)).await.expect("list").items[0].number, 2);
    let garbage = PushedSnapshot { config: "x".into(), state: Some("garbage".into()), ..Default::default() };
    assert_eq!(refused(snapshots::push(&world.app, &admin(), edge.id, garbage).await), ["/state"]);
});

on_both!(snapshots_that_overtake_each_other_are_each_compared_with_the_one_before, world => {
    let edge = balancer(world).await;
    push(world, edge.id, [1, 1]).await;
    let weights: Vec<u32> = (2..8).collect();
    futures_util::future::join_all(weights.iter().map(|weight| push(world, edge.id, [*weight, 1]))).await;
    let kept = snapshots::list(&world.app, &responder(), edge.id, &Page::first(20)).await.expect("list").items;
    assert_eq!(kept.iter().map(|one| one.number).collect::<Vec<_>>(), [7, 6, 5, 4, 3, 2, 1]);
    for pair in kept.windows(2).take(5) {
        let to = |of: &str| pair[usize::from(of == "older")].changes[0].split(" → ").nth(1).map(str::to_owned);
        let from = pair[0].changes[0].split(" → ").next().and_then(|text| text.rsplit(' ').next()).map(str::to_owned);
        let older = to("older").and_then(|text| text.split([',', ' ', ';']).next().map(str::to_owned));
        assert_eq!(from, older, "{:?} follows {:?}", pair[0].changes, pair[1].changes);
    }
});

on_both!(what_took_capacity_away_is_shown_before_a_later_harmless_change, world => {
    let browser = Browser::signed_in(world).await;
    let edge = balancer(world).await;
    let shown = async |incident: &str| {
        let room = browser.get(&format!("/incidents/{incident}")).await.text();
        let card = room.split("id=\"changes\"").nth(1).and_then(|rest| rest.split("</section>").next());
        card.expect("a card").to_owned()
    };
    push(world, edge.id, [100, 100]).await;
    world.clock.advance_seconds(3600);
    push(world, edge.id, [100, 0]).await;
    world.clock.advance_seconds(600);
    let slower = PushedSnapshot { config: config([100, 0]) + "  timeout queue 9s\n", ..Default::default() };
    snapshots::push(&world.app, &admin(), edge.id, slower).await.expect("pushed");
    world.clock.advance_seconds(60);
    world.incident("5xx").await;
    let card = shown("INC-1").await;
    let (loss, queue) = (card.find("weight 100 → 0, 50 % of capacity removed"), card.find("queue timeout none → 9 s"));
    assert!(card.contains("snapshot 1 → 3") && loss.is_some() && loss < queue, "{card}");
    // Once it is made good, what changed last is what to look at.
    world.clock.advance_seconds(600);
    push(world, edge.id, [100, 100]).await;
    world.clock.advance_seconds(60);
    world.incident("5xx again").await;
    let card = shown("INC-2").await;
    assert!(card.contains("snapshot 3 → 4") && !card.contains("removed"), "{card}");
});

on_both!(snapshots_of_the_window_are_linked_and_new_ones_become_entries, world => {
    let edge = balancer(world).await;
    push(world, edge.id, [100, 100]).await;
    world.clock.advance_seconds(3600);
    push(world, edge.id, [100, 0]).await;
    world.clock.advance_seconds(120);
    let incident = world.incident("5xx").await;
    let which = IncidentRef::Id(incident.id);
    let roles = async || {
        let linked = snapshots::of_incident(&world.app, &responder(), which).await.expect("linked");
        linked.into_iter().map(|l| (l.snapshot.number, l.role)).collect::<Vec<_>>()
    };
    assert_eq!(roles().await, [(1, SnapshotRole::Before), (2, SnapshotRole::During)]);
    world.clock.advance_seconds(60);
    let fix = push(world, edge.id, [100, 100]).await;
    assert_eq!(roles().await.last(), Some(&(3, SnapshotRole::During)));
    let entries = timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries").entries;
    assert_eq!(entries.len(), 2, "the change before the incident was known, and the one after: {entries:?}");
    for entry in &entries {
        assert_eq!((entry.fields.kind, entry.fields.pinned, entry.author.as_str()), (EntryKind::Change, true, "edge-1"));
    }
    assert!(entries[0].fields.occurred_at < incident.created_at && entries[0].fields.title.contains("100 → 0"));
    snapshots::link(&world.app, &responder(), which, fix.id, SnapshotRole::Fix).await.expect("chosen");
    assert_eq!(roles().await.last(), Some(&(3, SnapshotRole::Fix)));
    snapshots::unlink(&world.app, &responder(), which, fix.id).await.expect("unlinked");
    assert_eq!(roles().await.len(), 2);
    let patch = json!({"milestones": {"started": world.app.now() - chrono::Duration::hours(2)}});
    incidents::edit(&world.app, &responder(), which, 1, &patch).await.expect("corrected");
    assert_eq!(roles().await.len(), 2, "what a person unlinked stays unlinked");
    let diffs = async || postmortems::document(&world.app, &responder(), which).await.expect("document").diffs;
    let kept = diffs().await;
    assert_eq!(kept.len(), 1);
    balancers::delete(&world.app, &admin(), edge.id).await.expect("deleted");
    assert_eq!(diffs().await, kept, "an incident keeps its evidence when the balancer is forgotten");
    let again = BalancerFields { name: "edge-1".into(), config_path: "/etc/haproxy/haproxy.cfg".into(), ..Default::default() };
    balancers::add(&world.app, &admin(), again).await.expect("the name is free again");
});

on_both!(no_name_stops_the_recording_of_an_open_incident, world => {
    let fields = BalancerFields { name: "x".repeat(300), state_address: "/nowhere/h.sock".into(), ..Default::default() };
    let edge = balancers::add(&world.app, &admin(), fields).await.expect("added");
    let incident = world.incident("5xx").await;
    recording::poll(&world.app, &edge).await.expect("the failure is noted");
    let push = async |weight: u32| {
        let config = format!("backend we\\nb\n server s\0 10.0.0.1:80 weight {weight}\n server t 10.0.0.2:80\n");
        let state = format!(
            "1\n# be_name srv_name srv_addr srv_port srv_admin_state srv_uweight srv_iweight\nb\0 s\t{} - 0 0 {weight} 1\n",
            "n".repeat(400)
        );
        let pushed = PushedSnapshot { config, state: Some(state), ..Default::default() };
        snapshots::push(&world.app, &admin(), edge.id, pushed).await.expect("kept").number
    };
    assert_eq!((push(1).await, push(2).await), (1, 2));
    let entries = timeline::end(&world.app, &responder(), IncidentRef::Id(incident.id), false, timeline::LIST_MAX).await.expect("entries").entries;
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|entry| !entry.fields.title.contains(char::is_control) && entry.fields.title.chars().count() <= 291));
});

async fn frame(world: &World, id: afterload::domain::id::BalancerId, at: Timestamp, requests: f64) {
    let sample = |server: Option<&str>, value| Sample {
        key: SeriesKey { pool: "web".into(), server: server.map(str::to_owned), metric: Metric::Requests },
        value,
    };
    let bytes = encode_frame(&[sample(None, requests * 2.0), sample(Some("web1"), requests), sample(Some("web2"), requests)]);
    let mut conn = world.app.store().samples().begin().await.expect("begin");
    samples::insert_frame(&mut conn, id, at, &bytes).await.expect("inserted");
    conn.commit().await.expect("committed");
}

on_both!(an_incidents_window_outlives_packing_retention_and_the_balancer, world => {
    let edge = balancer(world).await;
    let start = world.app.now();
    for poll in 0..240_u32 {
        frame(world, edge.id, start + chrono::Duration::seconds(i64::from(poll) * 5), f64::from(poll) * 50.0).await;
    }
    world.clock.advance_seconds(20 * 60);
    let incident = world.incident("5xx").await;
    let which = IncidentRef::Id(incident.id);
    let query = SeriesQuery { server: Some("web1".into()), name: Some(Metric::Requests), ..Default::default() };
    let rates = async || {
        let columns = flight::series(&world.app, &responder(), which, &query).await.expect("series");
        columns.series.iter().flat_map(|s| s.values.iter().flatten().copied()).collect::<Vec<f64>>()
    };
    let before = rates().await;
    assert!(before.len() > 100 && before.iter().all(|rate| (*rate - 10.0).abs() < 0.01), "{before:?}");
    recording::pack_frames(&world.app).await.expect("packed");
    let waiting = samples::waiting(&mut world.app.store().samples().read().await.expect("read")).await.expect("waiting");
    assert!(waiting[0].1 < 20, "most frames are packed: {}", waiting[0].1);
    assert_eq!(rates().await, before, "packing changes nothing");
    let charts = flight::recorder(&world.app, &responder(), which).await.expect("charts");
    assert_eq!((charts.len(), charts[0].pool.as_str(), charts[0].servers.len()), (1, "web", 2));
    incidents::edit(&world.app, &responder(), which, 1, &json!({"status": "resolved"})).await.expect("resolved");
    recording::freeze(&world.app, incident.id).await.expect("frozen");
    world.clock.advance_seconds(30 * 86_400);
    retention::expire(&world.app).await.expect("expired");
    balancers::delete(&world.app, &admin(), edge.id).await.expect("deleted");
    assert_eq!(rates().await, before, "the frozen window outlives everything");
});

on_both!(the_same_incident_gives_the_same_bytes, world => {
    let edge = balancer(world).await;
    let start = world.app.now();
    let poll = async |from: u32, to: u32| {
        for poll in from..to {
            frame(world, edge.id, start + chrono::Duration::seconds(i64::from(poll) * 5), f64::from(poll * poll)).await;
        }
    };
    poll(0, 60).await;
    world.clock.advance_seconds(300);
    let incident = world.incident("5xx").await;
    let which = IncidentRef::Id(incident.id);
    let export = async || postmortems::export(&world.app, &responder(), which, postmortems::Flavour::Plain).await.expect("export");
    let open = export().await;
    assert!(open.contains("data:image/svg+xml;base64,"));
    poll(60, 120).await;
    world.clock.advance_seconds(300);
    assert_eq!(export().await, open, "recording goes on, the incident did not change");
    incidents::edit(&world.app, &responder(), which, 1, &json!({"status": "resolved"})).await.expect("resolved");
    let over = export().await;
    assert_ne!(over, open);
    poll(120, 180).await;
    world.clock.advance_seconds(86_400);
    recording::freeze(&world.app, incident.id).await.expect("frozen");
    assert_eq!(export().await, over);
});
