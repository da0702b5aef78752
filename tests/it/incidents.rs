//! Incidents: numbers, edits by version, statuses, visibility.

use afterload::domain::Error as Problem;
use afterload::domain::access::{Actor, Role, Scope};
use afterload::domain::id::{IncidentRef, Reference, TokenId};
use afterload::domain::incident::{IncidentFields, Milestones, Severity, Status, Visibility};
use afterload::domain::search::Search;
use afterload::domain::timeline::EntryKind;
use afterload::services::incidents::{self, IncidentFilter};
use afterload::services::{Error, Page, events, timeline};
use serde_json::json;
use uuid::Uuid;

use crate::world::{admin, on_both, person, refused, responder};

on_both!(numbers_are_gapless_even_after_a_refusal, world => {
    assert_eq!(world.incident("first").await.reference, Reference(1));
    let nameless = IncidentFields::default();
    assert_eq!(refused(incidents::declare(&world.app, &responder(), None, nameless).await), ["/title"]);
    let viewer = person("vw", Role::Viewer);
    let fields = IncidentFields { title: "x".into(), ..Default::default() };
    assert!(matches!(incidents::declare(&world.app, &viewer, None, fields).await, Err(Error::Domain(Problem::Forbidden(_)))));
    assert_eq!(world.incident("second").await.reference, Reference(2));
});

on_both!(concurrent_declarations_get_each_their_own_number, world => {
    let mut tasks = Vec::new();
    for index in 0..20 {
        let app = world.app.clone();
        tasks.push(tokio::spawn(async move {
            let fields = IncidentFields { title: format!("incident {index}"), ..Default::default() };
            incidents::declare(&app, &responder(), None, fields).await.expect("declared").0.reference.0
        }));
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.expect("joined"));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<i64>>());
});

on_both!(a_stale_edit_is_refused_with_the_current_text, world => {
    let first = world.incident("Checkout slow").await;
    let which = IncidentRef::Id(first.id);
    let mine = incidents::edit(&world.app, &responder(), which, 1, &json!({"summary": "mine"})).await.expect("saved");
    assert_eq!((mine.version, mine.fields.summary.as_str()), (2, "mine"));
    let late = incidents::edit(&world.app, &admin(), which, 1, &json!({"summary": "theirs"})).await;
    let Err(Error::Domain(Problem::Conflict { current, .. })) = late else { panic!("{late:?}") };
    assert_eq!((current["summary"].as_str(), current["version"].as_i64()), (Some("mine"), Some(2)));
    let unchanged = incidents::edit(&world.app, &responder(), which, 2, &json!({"summary": "mine"})).await.expect("same");
    assert_eq!(unchanged.version, 2);
});

on_both!(statuses_stamp_milestones_and_reopening_needs_a_reason, world => {
    let incident = world.incident("Errors").await;
    let which = IncidentRef::Reference(incident.reference);
    world.clock.advance_seconds(600);
    let resolved = incidents::edit(&world.app, &responder(), which, 1, &json!({"status": "resolved"})).await.expect("resolved");
    let durations = resolved.fields.milestones.durations();
    assert_eq!((durations.time_to_mitigate, durations.total), (Some(600), Some(600)));
    let silent = incidents::edit(&world.app, &responder(), which, 2, &json!({"status": "investigating"})).await;
    assert_eq!(refused(silent), ["/status_reason"]);
    let patch = json!({"status": "investigating", "status_reason": "it came back"});
    let open = incidents::edit(&world.app, &responder(), which, 2, &patch).await.expect("reopened");
    assert_eq!((open.fields.status, open.fields.milestones.resolved), (Status::Investigating, None));
    let entries = timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("entries").entries;
    let said: Vec<_> = entries.iter().map(|entry| (entry.fields.kind, entry.fields.title.as_str(), entry.fields.body.as_str())).collect();
    assert_eq!(
        said,
        [
            (EntryKind::Recovery, "Status: Investigating → Resolved", ""),
            (EntryKind::Status, "Status: Resolved → Investigating", "it came back"),
        ]
    );
});

on_both!(contradictory_milestones_are_kept_and_warned_about, world => {
    let milestones = Milestones { started: Some(world.app.now()), resolved: Some(world.app.now() - chrono::Duration::hours(1)), ..Default::default() };
    let fields = IncidentFields { title: "Back-filled".into(), status: Status::Resolved, milestones, ..Default::default() };
    let (incident, _) = incidents::declare(&world.app, &responder(), None, fields).await.expect("never refused");
    assert_eq!(incident.fields.milestones.warnings(world.app.now()).len(), 1);
    assert!(!incident.is_open());
});

on_both!(hostile_and_wrong_fields_name_their_place, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    for (patch, place) in [
        (json!({"title": ""}), "/title"),
        (json!({"title": "x".repeat(1_000_000)}), "/title"),
        (json!({"title": "nul\u{0}"}), "/title"),
        (json!({"summary": "nul\u{0}"}), "/summary"),
        (json!({"severity": "sev9"}), "/severity"),
        (json!({"milestones": {"started": "2026-11-21T14:03:00"}}), "/milestones/started"),
        (json!({"impact_figures": {"users_share": 90}}), "/impact_figures/users_share"),
        (json!({"labels": {"a\u{0}": "b"}}), "/labels/a\u{0}"),
    ] {
        let outcome = incidents::edit(&world.app, &responder(), which, 1, &patch).await;
        assert_eq!(refused(outcome), [place], "{patch}");
    }
    let unknown = incidents::edit(&world.app, &responder(), which, 1, &json!({"role": "admin"})).await;
    assert!(unknown.is_err_and(|fault| fault.to_string().contains("unknown field")));
    let kept = json!({"title": "<script>alert(1)</script> `|` 😀 \u{202e}شكرا"});
    let odd = incidents::edit(&world.app, &responder(), which, 1, &kept).await.expect("odd is not wrong");
    assert_eq!(kept["title"], odd.fields.title);
});

on_both!(restricted_incidents_do_not_exist_for_others, world => {
    let fields = IncidentFields { title: "Leak".into(), visibility: Visibility::Restricted, roles: [("commander".to_owned(), "jl".to_owned())].into(), ..Default::default() };
    let (incident, _) = incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    let which = IncidentRef::Reference(incident.reference);
    let seen = async |handle: &str| {
        let actor = person(handle, Role::Admin);
        let found = incidents::find(&world.app, &actor, which).await;
        let listed = incidents::list(&world.app, &actor, &IncidentFilter::default(), &Page::default()).await.expect("list").items.len();
        assert_eq!(found.is_ok(), listed == 1);
        assert!(found.is_ok() || matches!(found, Err(Error::Domain(Problem::NotFound { .. }))));
        found.is_ok()
    };
    assert!(seen("mk").await, "who opened it sees it");
    assert!(seen("jl").await, "who is named sees it");
    assert!(!seen("other").await, "even an administrator who is not named does not");
});

on_both!(lists_filter_and_page_without_losing_a_row, world => {
    for index in 0..7 {
        let severity = if index % 2 == 0 { Severity::Sev1 } else { Severity::Sev3 };
        let fields = IncidentFields {
            title: format!("Incident {index} 100%"),
            severity,
            services: vec!["shop".into()],
            labels: [("team".to_owned(), format!("t{index}"))].into(),
            ..Default::default()
        };
        world.clock.advance_seconds(60);
        incidents::declare(&world.app, &responder(), None, fields).await.expect("declared");
    }
    let titles = async |filter: IncidentFilter| {
        let mut page = Page { limit: Some(2), cursor: None };
        let mut titles = Vec::new();
        loop {
            let rows = incidents::list(&world.app, &responder(), &filter, &page).await.expect("page");
            titles.extend(rows.items.into_iter().map(|incident| incident.fields.title));
            page.cursor = rows.next_cursor;
            if page.cursor.is_none() {
                return titles;
            }
        }
    };
    let all = titles(IncidentFilter::default()).await;
    assert_eq!(all, (0..7).rev().map(|index| format!("Incident {index} 100%")).collect::<Vec<_>>());
    assert_eq!(titles(IncidentFilter { severity: Some(Severity::Sev1), ..Default::default() }).await.len(), 4);
    assert_eq!(titles(IncidentFilter { service: Some("shop".into()), ..Default::default() }).await.len(), 7);
    assert_eq!(titles(IncidentFilter { service: Some("sho".into()), ..Default::default() }).await.len(), 0);
    assert_eq!(titles(IncidentFilter { label: Some(("team".into(), "t3".into())), ..Default::default() }).await, ["Incident 3 100%"]);
    assert_eq!(titles(IncidentFilter { q: Some(Search::parse("3 100%", world.app.now(), 0)), ..Default::default() }).await, ["Incident 3 100%"]);
    assert_eq!(titles(IncidentFilter { q: Some(Search::parse("%' or 1=1 --", world.app.now(), 0)), ..Default::default() }).await.len(), 0);
    assert_eq!(titles(IncidentFilter { open: Some(false), ..Default::default() }).await.len(), 0);
    for cursor in ["", "x", "AAAA", "MjAyNiBub3BlCg"] {
        let page = Page { limit: None, cursor: Some(cursor.into()) };
        assert_eq!(refused(incidents::list(&world.app, &responder(), &IncidentFilter::default(), &page).await), ["/cursor"]);
    }
});

on_both!(deleting_can_be_undone, world => {
    let incident = world.incident("oops").await;
    let which = IncidentRef::Id(incident.id);
    incidents::delete(&world.app, &responder(), which).await.expect("deleted");
    assert!(incidents::find(&world.app, &responder(), which).await.is_err());
    let back = incidents::restore(&world.app, &responder(), which).await.expect("restored");
    assert_eq!((back.fields.title.as_str(), back.deleted_at), ("oops", None));
    assert!(incidents::find(&world.app, &responder(), which).await.is_ok());
});

on_both!(what_a_token_opens_belongs_to_its_maker, world => {
    let Actor::Person { id, handle, role } = responder() else { unreachable!() };
    let token = Actor::Token { id: TokenId(Uuid::nil()), name: "ci".into(), scopes: vec![Scope::IncidentsWrite], maker: Some((id, handle, role)) };
    let fields = IncidentFields { title: "Leak".into(), visibility: Visibility::Restricted, ..Default::default() };
    let (incident, _) = incidents::declare(&world.app, &token, None, fields).await.expect("declared");
    let which = IncidentRef::Id(incident.id);
    assert!(incidents::find(&world.app, &token, which).await.is_ok());
    assert!(incidents::find(&world.app, &responder(), which).await.is_ok());
    let log = events::audit(&world.app, &admin(), 0, 100).await.expect("log");
    let opened = log.iter().find(|event| event.kind == "incident.opened").expect("it is listed");
    assert!(opened.data.is_null(), "but not what it is about: {opened:?}");
});

on_both!(times_that_nobody_means_are_refused, world => {
    let incident = world.incident("x").await;
    let patch = json!({"milestones": {"resolved": "+262142-12-31T23:59:30Z"}});
    let outcome = incidents::edit(&world.app, &responder(), IncidentRef::Id(incident.id), 1, &patch).await;
    assert_eq!(refused(outcome), ["/milestones/resolved"]);
});
