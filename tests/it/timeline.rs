//! The timeline: repeats, order, versions, undo.

use afterload::domain::Error as Problem;
use afterload::domain::id::IncidentRef;
use afterload::domain::timeline::{EntryFields, EntryKind, NewEntry};
use afterload::services::{Error, Page, events, postmortems, timeline};
use afterload::store::db::Dialect;
use serde_json::json;
use uuid::Uuid;

use crate::world::{admin, on_both, refused, responder};

on_both!(a_repeated_post_is_one_entry, world => {
    let incident = world.incident("x").await;
    let other = world.incident("y").await;
    let which = IncidentRef::Id(incident.id);
    let new = NewEntry { id: Some(Uuid::from_u128(77)), ..world.note("restarted web3") };
    let (first, created) = timeline::add(&world.app, &responder(), which, new.clone()).await.expect("added");
    let (again, repeated) = timeline::add(&world.app, &responder(), which, new.clone()).await.expect("repeat");
    assert_eq!((first, true, false), (again, created, repeated));
    assert_eq!(timeline::end(&world.app, &responder(), which, true, timeline::LIST_MAX).await.expect("list").entries.len(), 1);
    assert_eq!(refused(timeline::add(&world.app, &responder(), IncidentRef::Id(other.id), new).await), ["/id"]);
});

on_both!(order_is_by_occurrence_then_id, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    for (title, minutes_ago) in [("second", 5), ("first", 10), ("third", 5)] {
        let at = world.app.now() - chrono::Duration::minutes(minutes_ago);
        let new = NewEntry { id: None, fields: EntryFields { title: title.into(), occurred_at: at, ..Default::default() } };
        timeline::add(&world.app, &responder(), which, new).await.expect("added");
    }
    let mut titles = Vec::new();
    let mut page = Page::first(1);
    loop {
        let rows = timeline::page(&world.app, &responder(), which, &page).await.expect("page");
        titles.extend(rows.items.into_iter().map(|entry| entry.fields.title));
        page.cursor = rows.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(titles, ["first", "second", "third"]);
    // Where there are more than a page holds, the last ones are shown.
    let mut conn = world.app.store().read().await.expect("a connection");
    let newest = afterload::store::timeline::newest(&mut conn, incident.id, false, 2).await.expect("list");
    assert_eq!(newest.iter().map(|entry| entry.fields.title.as_str()).collect::<Vec<_>>(), ["second", "third"]);
});

on_both!(a_long_incident_ends_in_its_charts_and_its_write_up, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    timeline::add(&world.app, &responder(), which, world.note("first")).await.expect("added");
    let mut conn = world.app.store().begin().await.expect("begin");
    let columns = "incident_id, kind, occurred_at, recorded_at, pinned, 'integration', author, fields, version from entries";
    let into = "insert into entries (id, incident_id, kind, occurred_at, recorded_at, pinned, source, author, fields, version)";
    let text = match world.app.store().dialect() {
        Dialect::Sqlite => format!("with recursive n (i) as (select 1 union all select i + 1 from n where i < 10000) {into} select randomblob(16), {columns}, n"),
        Dialect::Postgres => format!("{into} select gen_random_uuid(), {columns}, generate_series(1, 10000)"),
    };
    conn.query(text.leak()).execute().await.expect("filled");
    conn.commit().await.expect("commit");
    world.clock.advance_seconds(60);
    let found = NewEntry { id: None, fields: EntryFields { kind: EntryKind::Recovery, ..world.note("the end of it").fields } };
    timeline::add(&world.app, &responder(), which, found).await.expect("added");
    let text = postmortems::export(&world.app, &responder(), which, postmortems::Flavour::Plain).await.expect("a write-up");
    assert!(text.contains("the end of it"), "{} bytes", text.len());
});

on_both!(every_version_is_kept_with_who_and_when, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    let (entry, _) = timeline::add(&world.app, &responder(), which, world.note("one")).await.expect("added");
    world.clock.advance_seconds(60);
    timeline::edit(&world.app, &admin(), which, entry.id, 1, &json!({"title": "two"})).await.expect("edited");
    world.clock.advance_seconds(60);
    let third = timeline::edit(&world.app, &responder(), which, entry.id, 2, &json!({"title": "three", "pinned": true})).await.expect("edited");
    assert_eq!((third.version, third.recorded_at), (3, entry.recorded_at), "when it was recorded never changes");
    let kept = timeline::revisions(&world.app, &responder(), which, entry.id).await.expect("revisions");
    let said: Vec<_> = kept.iter().map(|r| (r.version, r.author.as_str(), r.fields.title.as_str(), (r.at - entry.recorded_at).num_seconds())).collect();
    assert_eq!(said, [(1, "mk", "one", 0), (2, "root", "two", 60), (3, "mk", "three", 120)]);
    let late = timeline::edit(&world.app, &admin(), which, entry.id, 2, &json!({"title": "lost?"})).await;
    let Err(Error::Domain(Problem::Conflict { current, .. })) = late else { panic!("{late:?}") };
    assert_eq!(current["title"], "three");
});

on_both!(many_editors_lose_nothing, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    let (entry, _) = timeline::add(&world.app, &responder(), which, world.note("start")).await.expect("added");
    let mut tasks = Vec::new();
    for editor in 0..8 {
        let app = world.app.clone();
        tasks.push(tokio::spawn(async move {
            let mut saved = Vec::new();
            for round in 0..5 {
                loop {
                    let now = timeline::find(&app, &responder(), which, entry.id).await.expect("there");
                    let title = format!("editor {editor} round {round}");
                    match timeline::edit(&app, &responder(), which, entry.id, now.version, &json!({"title": title.clone()})).await {
                        Ok(_) => break saved.push(title),
                        Err(Error::Domain(Problem::Conflict { .. })) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            saved
        }));
    }
    let mut saved = Vec::new();
    for task in tasks {
        saved.extend(task.await.expect("joined"));
    }
    let kept = timeline::revisions(&world.app, &responder(), which, entry.id).await.expect("revisions");
    let mut kept: Vec<_> = kept.into_iter().map(|revision| revision.fields.title).filter(|title| title != "start").collect();
    kept.sort();
    saved.sort();
    assert_eq!(kept, saved, "every answer of success is a stored revision");
});

on_both!(deletes_can_be_undone_and_are_events, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    let before = events::latest(&world.app).await.expect("latest");
    let (entry, _) = timeline::add(&world.app, &responder(), which, world.note("wrong")).await.expect("added");
    timeline::delete(&world.app, &responder(), which, entry.id).await.expect("deleted");
    assert_eq!(timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("list").entries.len(), 0);
    assert_eq!(timeline::end(&world.app, &responder(), which, true, timeline::LIST_MAX).await.expect("list").entries.len(), 1);
    timeline::restore(&world.app, &responder(), which, entry.id).await.expect("restored");
    assert_eq!(timeline::end(&world.app, &responder(), which, false, timeline::LIST_MAX).await.expect("list").entries.len(), 1);
    let (seen, newest) = events::after(&world.app, &responder(), before, Some(incident.id), 100).await.expect("events");
    let kinds: Vec<_> = seen.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["timeline.added", "timeline.deleted", "timeline.changed"]);
    assert_eq!(newest, events::latest(&world.app).await.expect("latest"));
});

on_both!(an_entry_of_another_incident_is_not_found, world => {
    let (a, b) = (world.incident("a").await, world.incident("b").await);
    let (entry, _) = timeline::add(&world.app, &responder(), IncidentRef::Id(a.id), world.note("x")).await.expect("added");
    let wrong = timeline::edit(&world.app, &responder(), IncidentRef::Id(b.id), entry.id, 1, &json!({"title": "y"})).await;
    assert!(matches!(wrong, Err(Error::Domain(Problem::NotFound { .. }))), "{wrong:?}");
});
