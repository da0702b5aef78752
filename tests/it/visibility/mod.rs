//! Restricted incidents do not exist for those who are not named: every route, for every role, in every state.

mod naming;
mod table;
mod world;

use std::collections::BTreeSet;
use std::fmt::Write;

use afterload::domain::access::Actor;
use afterload::domain::id::IncidentRef;
use afterload::services::incidents;

use crate::world::on_both;
use table::{About, Route, TABLE};
use world::{Caller, Scene, State, Subject};

#[test]
fn every_route_is_in_the_table() {
    let table: BTreeSet<_> = TABLE.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(table.len(), TABLE.len(), "a route stands twice in the table");
    let all = table::all();
    let (missing, gone): (Vec<_>, Vec<_>) = (all.difference(&table).collect(), table.difference(&all).collect());
    assert!(
        missing.is_empty() && gone.is_empty(),
        "say in tests/it/visibility/table.rs what these show of incidents: {missing:?}; these are gone: {gone:?}"
    );
}

/// The status that `caller` must get.
fn expected(route: &Route, caller: &Caller, state: State) -> u16 {
    use About::*;
    if caller.is_nobody() {
        return if caller.is_program() || route.method != "GET" { 401 } else { 303 };
    }
    let many = matches!(route.path, "/api/v1/events" | "/live");
    if state == State::Restricted && !caller.named && !many {
        return 404;
    }
    match (route.about, state) {
        (Follow, State::Deleted) if many => route.ok,
        (Read | Follow | Write | Decide, State::Deleted) => 404,
        (Room, State::Deleted) if !caller.writes => 404,
        (Write | Revive, _) if !caller.writes => 403,
        (Decide, _) if caller.machine => route.ok,
        // Those who are merely named do not decide.
        (Decide, State::Restricted) => 403,
        (Decide, _) if !caller.administers => 403,
        _ => route.ok,
    }
}

on_both!(every_route_for_every_role_in_every_state, world => {
    let scene = Scene::new(world).await;
    let callers = scene.callers().await;
    let ghost = Subject::ghost(&scene);
    let mut wrong = String::new();
    for route in TABLE {
        use About::*;
        if !matches!(route.about, Read | Follow | Room | Write | Revive | Decide | Hung) {
            continue;
        }
        // What cannot be done twice to the same thing.
        let spends = matches!(route.method, "DELETE" | "PATCH") || route.body.contains("VERSION");
        for state in [State::Normal, State::Restricted, State::Deleted] {
            let mut subject = scene.subject(state).await;
            for caller in callers.iter().filter(|caller| caller.takes(route)) {
                let wanted = expected(route, caller, state);
                let place = format!("{} {} {state:?} {}", route.method, route.path, caller.name);
                let answer = caller.send(route, &subject).await;
                if answer.status != wanted {
                    writeln!(wrong, "{place}: {} instead of {wanted}: {}", answer.status, answer.text.chars().take(300).collect::<String>()).expect("text");
                } else if wanted == 404 {
                    let nothing = caller.send(route, &ghost).await;
                    if (nothing.status, &nothing.text) != (answer.status, &answer.text) {
                        writeln!(wrong, "{place}: not the same as for what never was:\n{}\n{}", answer.text, nothing.text).expect("text");
                    }
                }
                if spends && answer.status < 400 {
                    subject = scene.subject(state).await;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
});

on_both!(what_goes_over_many_names_only_what_is_seen, world => {
    let scene = Scene::new(world).await;
    let callers = scene.callers().await;
    let open = scene.subject(State::Restricted).await;
    let over = scene.subject(State::Restricted).await;
    let resolved = serde_json::json!({"status": "resolved"});
    incidents::edit(&world.app, &Actor::Console, IncidentRef::Id(over.id), over.version, &resolved).await.expect("over");
    let mut wrong = String::new();
    for route in TABLE.iter().filter(|route| route.method == "GET") {
        use About::*;
        if !matches!(route.about, List | Log | Else | Open) {
            continue;
        }
        for caller in callers.iter().filter(|caller| caller.takes(route) && !caller.is_nobody()) {
            let answer = caller.send(route, &open).await;
            let place = format!("{} {}", route.path, caller.name);
            if answer.status >= 500 || (route.about == List && answer.status != route.ok) {
                writeln!(wrong, "{place}: {}", answer.status).expect("text");
            }
            let shown = [&open, &over].iter().any(|subject| subject.is_told_in(&answer.whole, route.about != Log));
            if shown && !caller.named {
                writeln!(wrong, "{place} tells of what is restricted: {}", answer.whole).expect("text");
            }
            if !shown && caller.named && route.about == List {
                writeln!(wrong, "{place} does not show what it should: {}", answer.whole).expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
});
