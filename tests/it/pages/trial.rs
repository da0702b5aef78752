//! Trying out a hook: it understands as the hook does, tells what would happen, and leaves nothing behind.

use afterload::domain::access::{Actor, Role};
use afterload::domain::id::{IncidentRef, IntegrationId, Reference};
use afterload::domain::incident::Severity;
use afterload::domain::integration::{Format, NewIntegration};
use afterload::services::hooks::{self, Fate, Intake, Trial};
use afterload::services::{Page, events, incidents, integrations, people};
use serde_json::json;

use super::words;
use crate::web::Browser;
use crate::world::{World, admin, on_both, refused, responder};

async fn hook(world: &World, format: Format) -> (IntegrationId, String) {
    let new = NewIntegration { name: format.as_str().into(), format };
    let (made, path) = integrations::create(&world.app, &admin(), new).await.expect("made");
    (made.id, path.strip_prefix("/hooks/").expect("a hook's path").to_owned())
}

async fn tried(world: &World, actor: &Actor, id: IntegrationId, body: &str) -> Trial {
    hooks::try_out(&world.app, actor, id, body.to_owned()).await.expect("tried").expect("understood")
}

on_both!(a_trial_tells_what_a_body_would_do_and_stores_nothing_of_it, world => {
    for format in Format::ALL {
        let (id, _) = hook(world, *format).await;
        let before = events::latest(&world.app).await.expect("a number");
        let trial = tried(world, &admin(), id, &hooks::sample(&world.app, *format)).await;
        assert_eq!((trial.count, trial.alerts.len(), trial.opened.len()), (1, 1, 1), "{format:?}");
        assert_eq!((trial.alerts[0].action, &trial.alerts[0].fate), ("fired", &Fate::Opens(0)), "{format:?}");
        let opened = &trial.opened[0].fields;
        assert_eq!((opened.title.as_str(), opened.severity), ("Shop answers 5xx", Severity::Sev1), "{format:?}");
        assert_eq!(events::latest(&world.app).await.expect("a number"), before, "{format:?}: nobody was told");
        assert!(integrations::deliveries(&world.app, &admin(), id, &Page::first(1)).await.expect("list").items.is_empty());
        let found = incidents::find(&world.app, &responder(), trial.opened[0].reference.into()).await;
        assert!(found.is_err(), "{format:?}: {found:?}");
    }
    assert_eq!(world.incident("the first one").await.reference.to_string(), "INC-1", "no number was used up");
});

on_both!(a_trial_knows_what_is_open, world => {
    let (id, key) = hook(world, Format::Generic).await;
    let intake = Intake::start(&world.app);
    let body = |key: &str, status: &str| json!({"title": "5xx", "dedup_key": key, "group_key": "g", "status": status}).to_string();
    intake.receive(&world.app, &key, body("a", "firing").into()).await.expect("taken");
    let fate = async |actor: &Actor, text: String| {
        let trial = tried(world, actor, id, &text).await;
        assert!(trial.opened.is_empty());
        (trial.alerts[0].action, trial.alerts[0].fate.clone())
    };
    let first: Reference = "INC-1".parse().expect("a reference");
    assert_eq!(fate(&admin(), body("a", "firing")).await, ("repeated", Fate::Joins(first)));
    assert_eq!(fate(&admin(), body("b", "firing")).await, ("fired", Fate::Joins(first)));
    assert_eq!(fate(&admin(), body("a", "resolved")).await, ("resolved", Fate::Joins(first)));
    assert_eq!(fate(&admin(), body("unknown", "resolved")).await, ("ignored", Fate::None));
    // Restricted, it is not named to an administrator who is not.
    people::add(&world.app, &admin(), afterload::domain::person::NewPerson {
        handle: "na".into(), password: "a long enough phrase".into(), role: Role::Responder,
    }).await.expect("added");
    let which = IncidentRef::Reference(first);
    let incident = incidents::find(&world.app, &Actor::Console, which).await.expect("there");
    let restrict = json!({"visibility": "restricted", "named": ["na"]});
    incidents::edit(&world.app, &Actor::Console, which, incident.version, &restrict).await.expect("restricted");
    assert_eq!(fate(&admin(), body("a", "firing")).await, ("repeated", Fate::None));
    assert_eq!(fate(&Actor::Console, body("a", "firing")).await, ("repeated", Fate::Joins(first)));
    let alert = afterload::services::alerts::of_incident(&world.app, &Actor::Console, which).await.expect("alerts");
    assert_eq!((alert.len(), alert[0].count), (1, 1), "trials do not count");
});

on_both!(the_page_of_a_trial_shows_the_place_of_a_fault_and_tries_deliveries_again, world => {
    let (browser, _) = Browser::of(world, "ad", Role::Admin).await;
    let (viewer, _) = Browser::of(world, "vi", Role::Viewer).await;
    let (id, key) = hook(world, Format::Alertmanager).await;
    let path = format!("/settings/integrations/{id}/test");
    assert_eq!(viewer.get(&path).await.status.as_u16(), 403);
    assert_eq!(viewer.form(&path, &[("body", "{}")]).await.status.as_u16(), 403);
    let asked = browser.get(&path).await.text();
    assert!(asked.contains("ShopErrors") && asked.contains("a sample of what this source sends"), "{asked}");
    let sample = hooks::sample(&world.app, Format::Alertmanager);
    let answer = browser.form(&path, &[("body", &sample)]).await;
    let told = words(&answer.text());
    assert_eq!(answer.status.as_u16(), 200);
    for said in ["1 alert was understood.", "One incident would be opened.", "Shop answers 5xx", "SEV1", "5a3f0c1e7b9d2468"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let broken = words(&browser.form(&path, &[("body", r#"{"alerts": [{"labels": {"alertname": "x"}, "status": "maybe"}]}"#)]).await.text());
    assert!(broken.contains("Not understood") && broken.contains("/alerts/0/status"), "{broken}");
    let hostile = browser.form(&path, &[("body", r#"[{"labels": {"alertname": "<script>alert(1)</script>"}}]"#)]).await.text();
    assert!(hostile.contains("&lt;script&gt;") || hostile.contains("&#60;script&#62;"), "{hostile}");
    assert!(!hostile.contains("<script>alert"));
    let empty = words(&browser.form(&path, &[("body", r#"{"alerts": []}"#)]).await.text());
    assert!(empty.contains("There is no alert in this body."), "{empty}");
    let large = "x".repeat(hooks::TRIAL_MAX + 1);
    assert_eq!(browser.form(&path, &[("body", &large)]).await.status.as_u16(), 422);
    assert_eq!(refused(hooks::try_out(&world.app, &admin(), id, large).await), ["/body"]);
    Intake::start(&world.app).receive(&world.app, &key, "{\"broken".into()).await.expect("kept");
    let list = browser.get(&format!("/settings/integrations/{id}")).await.text();
    let again = list.split(&format!("{path}?delivery=")).nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let page = browser.get(&format!("{path}?delivery={again}")).await.text();
    assert!(page.contains("{&#34;broken") || page.contains("{\"broken") || page.contains("{&quot;broken"), "{page}");
    let foreign = "01990000-0000-7000-8000-000000000005";
    assert_eq!(browser.get(&format!("{path}?delivery={foreign}")).await.status.as_u16(), 404);
});
