//! Alerts from bytes to incidents.

use std::time::Duration;

use afterload::app::App;
use afterload::config::Config;
use afterload::domain::Error as Problem;
use afterload::domain::access::Actor;
use afterload::domain::id::{IncidentRef, Reference};
use afterload::domain::incident::{Severity, Status};
use afterload::domain::integration::{DeliveryStatus, Format, Integration, NewIntegration};
use afterload::domain::timeline::EntryKind;
use afterload::services::hooks::{Intake, Receipt};
use afterload::services::incidents::{self, IncidentFilter};
use afterload::services::{Error, Page, alerts, integrations, timeline};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{World, admin, on_both, responder};

struct Hook<'a> {
    world: &'a World,
    intake: Intake,
    key: String,
    integration: Integration,
}

impl<'a> Hook<'a> {
    async fn new(world: &'a World, format: Format) -> Self {
        Self::named(world, format, "monitoring").await
    }

    async fn named(world: &'a World, format: Format, name: &str) -> Self {
        let new = NewIntegration { name: name.into(), format };
        let (integration, path) = integrations::create(&world.app, &admin(), new).await.expect("made");
        let key = path.strip_prefix("/hooks/").expect("a hook's path").to_owned();
        Self { world, intake: Intake::start(&world.app), key, integration }
    }

    async fn send(&self, body: &Value) -> Receipt {
        self.send_bytes(body.to_string()).await
    }

    async fn send_bytes(&self, body: impl Into<Bytes>) -> Receipt {
        self.intake.receive(&self.world.app, &self.key, body.into()).await.expect("taken").0
    }

    /// Sends these in this order while nobody can write: what waits is written as one group.
    async fn send_together(&self, bodies: &[Value]) -> Vec<Receipt> {
        let mut blocker = self.world.app.store().begin().await.expect("begin");
        afterload::store::alerts::one_writer(&mut blocker).await.expect("held");
        let mut sent = Vec::new();
        for body in bodies {
            let (body, before) = (body.to_string(), self.intake.waiting());
            let mut taken = Box::pin(self.intake.receive(&self.world.app, &self.key, body.into()));
            // It stands in the line in the same step in which it counts as waiting.
            while self.intake.waiting() == before {
                assert!((&mut taken).now_or_never().is_none(), "nobody can write");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            sent.push(taken);
        }
        drop(blocker);
        join_all(sent).await.into_iter().map(|outcome| outcome.expect("taken").0).collect()
    }

    /// What its alerts became: status and reports of each by key, and what the timeline says of them.
    async fn told(&self, reference: u32) -> (Vec<(String, String, i64)>, Vec<(String, bool)>) {
        let (app, which) = (&self.world.app, IncidentRef::Reference(Reference(reference.into())));
        let stored = alerts::of_incident(app, &responder(), which).await.expect("alerts");
        let mut of_each: Vec<_> =
            stored.into_iter().map(|alert| (alert.dedup_key, format!("{:?}", alert.status), alert.count)).collect();
        of_each.sort();
        let end = timeline::end(app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries");
        let mut entries: Vec<_> = end.entries.into_iter().map(|entry| (entry.fields.title, entry.fields.pinned)).collect();
        entries.sort();
        (of_each, entries)
    }

    async fn incidents(&self) -> usize {
        let page = Page::first(200);
        incidents::list(&self.world.app, &responder(), &IncidentFilter::default(), &page).await.expect("list").items.len()
    }
}

on_both!(what_breaks_the_writer_is_the_end_of_nothing_else, world => {
    // No setting that the command line takes is like this; it stands for any mistake of ours.
    let config = Config { reopen_minutes: i64::MAX, ..world.app.config().clone() };
    let app = App::open(config, world.app.store().clone()).await.expect("the app opens");
    let (_, hook) = integrations::create(&app, &admin(), NewIntegration { name: "x".into(), format: Format::Generic }).await.expect("made");
    let (key, intake) = (hook.strip_prefix("/hooks/").expect("a hook's path"), Intake::start(&app));
    let firing = intake.receive(&app, key, json!({"title": "x", "dedup_key": "x"}).to_string().into()).await;
    assert!(matches!(firing, Err(Error::Domain(Problem::Unavailable(_)))), "{firing:?}");
    let other = intake.receive(&app, key, json!({"title": "x", "dedup_key": "y", "status": "resolved"}).to_string().into()).await;
    assert_eq!(other.expect("taken").0.alerts[0].action, "ignored");
});

on_both!(bodies_that_are_written_together_do_what_each_does_alone, world => {
    let report = |key: &str, status: &str| json!({"title": format!("E on {key}"), "dedup_key": key, "group_key": "g", "status": status});
    let bodies = [
        report("a", "firing"),
        json!([report("b", "firing"), report("a", "firing")]),
        json!({"nothing": "to understand"}),
        report("a", "resolved"),
        report("a", "resolved"),
        report("b", "resolved"),
        json!([report("a", "firing"), report("c", "resolved")]),
        json!([report("a", "acknowledged"), report("d", "firing"), report("e", "firing")]),
    ];
    let alone = Hook::new(world, Format::Generic).await;
    let mut one_by_one = Vec::new();
    for body in &bodies {
        one_by_one.push(alone.send(body).await);
    }
    let together = Hook::named(world, Format::Generic, "another").await;
    let at_once = together.send_together(&bodies).await;
    let named = |receipts: &[Receipt], reference: &str| serde_json::to_string(receipts).expect("JSON").replace(reference, "INC");
    assert_eq!(named(&at_once, "INC-2"), named(&one_by_one, "INC-1"));
    assert_eq!(together.told(2).await, alone.told(1).await);
    let (of_each, entries) = alone.told(1).await;
    assert_eq!(of_each.len(), 5, "{of_each:?}");
    assert!(entries.contains(&("E on b resolved".to_owned(), false)) && entries.contains(&("E on a firing".to_owned(), true)), "{entries:?}");
});

on_both!(a_reopening_takes_back_every_group_of_its_incident_for_the_same_body, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let report = |key: &str| json!({"title": format!("E on {key}"), "dedup_key": key, "group_key": key});
    hook.send(&report("a")).await;
    let which = IncidentRef::Reference(Reference(1));
    let open = incidents::find(&world.app, &responder(), which).await.expect("there");
    let mut conn = world.app.store().begin().await.expect("begin");
    afterload::store::incidents::open_group_with(&mut conn, open.id, hook.integration.id, "b").await.expect("a second group");
    conn.commit().await.expect("committed");
    incidents::edit(&world.app, &responder(), which, open.version, &json!({"status": "resolved"})).await.expect("resolved");
    world.clock.advance_seconds(60);
    let both = hook.send(&json!([report("c"), report("b")])).await;
    assert_eq!(both.error, None);
    let of = |receipt: &Receipt| receipt.alerts.iter().map(|outcome| outcome.incident.clone()).collect::<Vec<_>>();
    assert_eq!(of(&both), [Some("INC-2".to_owned()), Some("INC-1".to_owned())]);
    let reopened = incidents::find(&world.app, &responder(), which).await.expect("there");
    incidents::edit(&world.app, &responder(), which, reopened.version, &json!({"status": "resolved"})).await.expect("resolved");
    let again = hook.send(&json!([{"title": "A", "dedup_key": "a2", "group_key": "a"}, {"title": "B", "dedup_key": "b2", "group_key": "b"}])).await;
    assert_eq!((again.error.as_deref(), of(&again)), (None, vec![Some("INC-1".to_owned()); 2]));
});

on_both!(a_body_that_cannot_be_stored_fails_alone, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let mut conn = world.app.store().begin().await.expect("begin");
    let refuse = conn.per_dialect(
        "create trigger refuse before insert on alerts when new.dedup_key = 'bad' begin select raise(abort, 'refused'); end",
        "alter table alerts add constraint refuse check (dedup_key <> 'bad')",
    );
    conn.query(refuse).execute().await.expect("made");
    conn.commit().await.expect("committed");
    let report = |key: &str| json!({"title": format!("E on {key}"), "dedup_key": key, "group_key": "g"});
    let receipts = hook.send_together(&[report("a"), report("b"), report("bad"), report("c")]).await;
    let failed: Vec<bool> = receipts.iter().map(|receipt| receipt.error.is_some()).collect();
    assert_eq!(failed, [false, false, true, false], "{receipts:?}");
    let (of_each, entries) = hook.told(1).await;
    assert_eq!(of_each.iter().map(|(key, ..)| key.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(entries.len(), 3, "{entries:?}");
    let kept = integrations::deliveries(&world.app, &admin(), hook.integration.id, &Page::default()).await.expect("kept").items;
    assert_eq!(kept.iter().filter(|delivery| delivery.status == DeliveryStatus::Failed).count(), 1);
});

/// An Alertmanager body: `(name, instance, status)` each.
fn alertmanager(alerts: &[(&str, &str, &str)]) -> Value {
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(name, instance, status)| {
            let ends = if *status == "resolved" { "2026-11-21T12:05:00Z" } else { "0001-01-01T00:00:00Z" };
            json!({
                "status": status, "fingerprint": format!("{name}-{instance}"), "startsAt": "2026-11-21T11:58:00Z", "endsAt": ends,
                "labels": {"alertname": name, "instance": instance, "severity": "critical", "service": "shop"},
                "annotations": {"summary": format!("{name} on {instance}"), "description": "5xx | `ratio` <b>high</b>"}
            })
        })
        .collect();
    let name = alerts.first().map_or(json!("x"), |alert| alert["labels"]["alertname"].clone());
    json!({"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "afterload", "groupLabels": {"alertname": name}, "alerts": alerts})
}

on_both!(an_alert_opens_one_incident_and_repeats_only_count, world => {
    let hook = Hook::new(world, Format::Alertmanager).await;
    let firing = alertmanager(&[("HighErrorRate", "a", "firing"), ("HighErrorRate", "b", "firing")]);
    let receipt = hook.send(&firing).await;
    assert_eq!((receipt.accepted, receipt.error.as_deref()), (2, None));
    assert!(receipt.alerts.iter().all(|outcome| outcome.action == "fired" && outcome.incident.as_deref() == Some("INC-1")));
    for _ in 0..3 {
        world.clock.advance_seconds(60);
        let again = hook.send(&firing).await;
        assert!(again.alerts.iter().all(|outcome| outcome.action == "repeated"));
    }
    let which = IncidentRef::Reference(Reference(1));
    let incident = incidents::find(&world.app, &responder(), which).await.expect("opened");
    assert_eq!((incident.fields.severity, incident.fields.services.as_slice()), (Severity::Sev1, ["shop".to_owned()].as_slice()));
    assert_eq!(incident.fields.milestones.durations().time_to_detect, Some(120), "from when the alert began");
    let counts = alerts::count_of_incident(&world.app, &responder(), which).await.expect("counts");
    assert_eq!((counts.firing, counts.resolved, counts.reports), (2, 0, 8));
    assert_eq!(hook.incidents().await, 1);
    let entries = timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries").entries;
    assert_eq!(entries.len(), 1, "repeats add no rows: {entries:?}");
    assert!(entries[0].fields.pinned && entries[0].fields.kind == EntryKind::Alert);
});

on_both!(resolves_are_recorded_and_the_last_one_is_said, world => {
    let hook = Hook::new(world, Format::Alertmanager).await;
    hook.send(&alertmanager(&[("E", "a", "firing"), ("E", "b", "firing")])).await;
    world.clock.advance_seconds(600);
    hook.send(&alertmanager(&[("E", "a", "resolved"), ("E", "b", "firing")])).await;
    let which = IncidentRef::Reference(Reference(1));
    assert_eq!(timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries").entries.len(), 1);
    let last = hook.send(&alertmanager(&[("E", "b", "resolved")])).await;
    assert_eq!(last.alerts[0].action, "resolved");
    let entries = timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries").entries;
    assert_eq!(entries.last().map(|entry| entry.fields.title.as_str()), Some("E on b resolved"));
    let ignored = hook.send(&alertmanager(&[("E", "b", "resolved"), ("E", "never", "resolved")])).await;
    assert!(ignored.alerts.iter().all(|outcome| outcome.action == "ignored"));
    let incident = incidents::find(&world.app, &responder(), which).await.expect("there");
    assert_eq!(incident.fields.status, Status::Investigating, "a person says when it is over");
    let late = hook.send(&alertmanager(&[("E", "b", "firing")])).await;
    assert_eq!(late.alerts[0].action, "ignored", "a late copy of the first report re-opens nothing");
});

on_both!(a_returning_alert_reopens_within_the_window_and_opens_anew_after_it, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let fire = json!({"title": "Errors", "dedup_key": "k", "status": "firing"});
    let clear = json!({"title": "Errors", "dedup_key": "k", "status": "resolved"});
    hook.send(&fire).await;
    hook.send(&clear).await;
    let which = IncidentRef::Reference(Reference(1));
    let open = incidents::find(&world.app, &responder(), which).await.expect("there");
    incidents::edit(&world.app, &responder(), which, open.version, &json!({"status": "resolved"})).await.expect("resolved");
    world.clock.advance_seconds(60);
    assert_eq!(hook.send(&fire).await.alerts[0].incident.as_deref(), Some("INC-1"));
    let again = incidents::find(&world.app, &responder(), which).await.expect("there");
    assert_eq!(again.fields.status, Status::Investigating);
    hook.send(&clear).await;
    incidents::edit(&world.app, &responder(), which, again.version, &json!({"status": "resolved"})).await.expect("resolved");
    world.clock.advance_seconds(31 * 60);
    assert_eq!(hook.send(&fire).await.alerts[0].incident.as_deref(), Some("INC-2"));
});

on_both!(concurrent_deliveries_open_one_incident_per_group, world => {
    let hook = Hook::new(world, Format::Generic).await;
    // A second line, as a second replica would have.
    let other = Intake::start(&world.app);
    let mut sent = Vec::new();
    for index in 0..60 {
        let body = json!({"title": format!("alert {index}"), "dedup_key": format!("k{index}"), "group_key": format!("g{}", index % 3)});
        let intake = if index % 2 == 0 { hook.intake.clone() } else { other.clone() };
        let (app, key) = (world.app.clone(), hook.key.clone());
        sent.push(tokio::spawn(async move { intake.receive(&app, &key, body.to_string().into()).await.expect("taken").0 }));
    }
    for task in sent {
        assert_eq!(task.await.expect("joined").error, None);
    }
    assert_eq!(hook.incidents().await, 3);
});

on_both!(ten_thousand_alerts_in_one_body_become_one_incident, world => {
    let hook = Hook::new(world, Format::Alertmanager).await;
    let names: Vec<String> = (0..10_000).map(|index| format!("i{index}")).collect();
    let firing: Vec<_> = names.iter().map(|name| ("Storm", name.as_str(), "firing")).collect();
    let receipt = tokio::time::timeout(Duration::from_secs(60), hook.send(&alertmanager(&firing))).await.expect("in time");
    assert_eq!((receipt.accepted, receipt.alerts.len()), (10_000, 100));
    let which = IncidentRef::Reference(Reference(1));
    assert_eq!(alerts::count_of_incident(&world.app, &responder(), which).await.expect("counts").firing, 10_000);
    assert_eq!(timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries").entries.len(), 1);
    assert_eq!(hook.incidents().await, 1);
});

on_both!(a_storm_of_groups_is_one_incident, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let many: Vec<Value> = (0..50).map(|index| json!({"title": format!("a{index}"), "dedup_key": format!("k{index}"), "group_key": format!("g{index}")})).collect();
    assert_eq!(hook.send(&json!(many)).await.accepted, 50);
    assert_eq!(hook.incidents().await, 1);
});

on_both!(what_is_not_understood_is_kept_and_shown, world => {
    let hook = Hook::new(world, Format::Alertmanager).await;
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for body in ["", "not json", "{}", "\u{0}", "[1]", deep.as_str()] {
        let receipt = hook.send_bytes(body.to_owned()).await;
        assert!(receipt.error.is_some() && receipt.accepted == 0, "{body}");
    }
    let kept = integrations::deliveries(&world.app, &admin(), hook.integration.id, &Page::default()).await.expect("kept").items;
    assert_eq!(kept.len(), 6);
    assert!(kept.iter().all(|delivery| delivery.status == DeliveryStatus::Failed && delivery.error.is_some()));
    assert!(kept.iter().any(|delivery| delivery.excerpt == "not json"));
    let shown = integrations::find(&world.app, &admin(), hook.integration.id).await.expect("there");
    assert_eq!((shown.deliveries, shown.last_error.is_some()), (6, true));
    assert_eq!(hook.incidents().await, 0);
});

on_both!(hostile_alerts_are_text, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let title = "<script>alert(1)</script> | `x` \u{0} 😀 \u{202e}";
    let body = json!({"title": title, "dedup_key": "k".repeat(5_000), "description": "a\u{0}b", "labels": {"a\u{0}": "<img src=x>"}, "severity": "P1"});
    assert_eq!(hook.send(&body).await.error, None);
    assert_eq!(hook.send(&body).await.alerts[0].action, "repeated", "a long key is still the same key");
    assert_eq!(hook.incidents().await, 1);
});

on_both!(keys_belong_to_their_hook_alone, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let send = async |key: &str| hook.intake.receive(&world.app, key, Bytes::from_static(b"{\"title\":\"x\"}")).await;
    assert!(matches!(send("afl_in_wrong").await, Err(Error::Domain(Problem::NotFound { .. }))));
    let fresh = integrations::rotate_key(&world.app, &admin(), hook.integration.id).await.expect("rotated");
    let fresh = fresh.strip_prefix("/hooks/").expect("path");
    assert!(send(&hook.key).await.is_ok() && send(fresh).await.is_ok(), "both work for a day");
    world.clock.advance_seconds(25 * 3600);
    assert!(send(&hook.key).await.is_err() && send(fresh).await.is_ok());
    integrations::set_disabled(&world.app, &admin(), hook.integration.id, true).await.expect("disabled");
    assert!(matches!(send(fresh).await, Err(Error::Domain(Problem::Forbidden(_)))));
    let actor = Actor::Integration { id: hook.integration.id, name: "monitoring".into() };
    assert!(incidents::list(&world.app, &actor, &IncidentFilter::default(), &Page::default()).await.is_err());
});

on_both!(a_full_line_says_so_and_loses_nothing, world => {
    let hook = Hook::new(world, Format::Generic).await;
    // Nobody can write while this is held, on either database.
    let mut blocker = world.app.store().begin().await.expect("begin");
    afterload::store::alerts::one_writer(&mut blocker).await.expect("held");
    let mut sent = Vec::new();
    for index in 0..6 {
        let (intake, app, key) = (hook.intake.clone(), world.app.clone(), hook.key.clone());
        let body = json!({"title": format!("a{index}"), "dedup_key": format!("k{index}"), "group_key": "g", "description": "x".repeat(15_000_000)});
        sent.push(tokio::spawn(async move { intake.receive(&app, &key, body.to_string().into()).await }));
    }
    // Four fit into the line; the others are told so while it stands still.
    while sent.iter().filter(|task| task.is_finished()).count() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(blocker);
    let (mut taken, mut refused) = (0, 0);
    for task in sent {
        match task.await.expect("joined") {
            Ok((receipt, _)) => taken += receipt.accepted,
            Err(Error::Domain(Problem::Unavailable(_))) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((taken, refused), (4, 2));
    let stored = alerts::list(&world.app, &responder(), &alerts::AlertFilter::default(), &Page::default()).await.expect("list").items.len();
    assert_eq!(stored, taken, "what was refused is not stored, what was taken is");
});

on_both!(a_corrected_start_time_does_not_hide_the_open_alert, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let at = |time: &str, status: &str| json!({"title": "E", "dedup_key": "k", "status": status, "starts_at": format!("2026-11-21T{time}Z")});
    hook.send(&at("11:50:00", "firing")).await;
    hook.send(&at("11:50:00", "resolved")).await;
    world.clock.advance_seconds(60);
    assert_eq!(hook.send(&at("12:00:30", "firing")).await.alerts[0].action, "fired");
    assert_eq!(hook.send(&at("11:40:00", "firing")).await.alerts[0].action, "repeated", "earlier than the one before");
    assert_eq!(hook.send(&at("11:40:00", "resolved")).await.alerts[0].action, "resolved");
    world.clock.advance_seconds(60);
    assert_eq!(hook.send(&at("12:01:30", "firing")).await.alerts[0].action, "fired");
});

on_both!(an_alert_that_still_fires_leaves_a_deleted_incident, world => {
    let hook = Hook::new(world, Format::Generic).await;
    let fire = json!({"title": "E", "dedup_key": "k"});
    hook.send(&fire).await;
    incidents::delete(&world.app, &responder(), IncidentRef::Reference(Reference(1))).await.expect("deleted");
    assert_eq!(hook.send(&fire).await.alerts[0].incident.as_deref(), Some("INC-2"));
});
