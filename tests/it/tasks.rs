//! Corrective tasks.

use afterload::domain::id::IncidentRef;
use afterload::domain::task::{Recurrence, TaskFields, TaskStatus};
use afterload::services::Page;
use afterload::services::tasks::{self, TaskFilter};
use serde_json::json;

use crate::world::{on_both, refused, responder};

on_both!(a_recurring_task_comes_back_once, world => {
    let incident = world.incident("x").await;
    let due = world.app.now().date_naive() - chrono::Days::new(1);
    let fields = TaskFields { title: "Review configs".into(), due_on: Some(due), recurrence: Some(Recurrence::Quarterly), ..Default::default() };
    let (task, _) = tasks::add(&world.app, &responder(), IncidentRef::Id(incident.id), None, fields).await.expect("added");
    let overdue = TaskFilter { overdue: true, ..Default::default() };
    assert_eq!(tasks::list(&world.app, &responder(), &overdue, &Page::default()).await.expect("list").items.len(), 1);
    let done = tasks::edit(&world.app, &responder(), task.id, 1, &json!({"status": "done"})).await.expect("done");
    assert_eq!(done.closed_at, Some(world.app.now()));
    let all = tasks::of_incident(&world.app, &responder(), IncidentRef::Id(incident.id)).await.expect("tasks");
    let open: Vec<_> = all.iter().filter(|task| task.fields.status == TaskStatus::Open).collect();
    assert_eq!((all.len(), open.len()), (2, 1));
    assert!(open[0].fields.due_on > Some(world.app.now().date_naive()));
    tasks::edit(&world.app, &responder(), task.id, 2, &json!({"title": "Review all configs"})).await.expect("renamed");
    assert_eq!(tasks::of_incident(&world.app, &responder(), IncidentRef::Id(incident.id)).await.expect("tasks").len(), 2);
});

on_both!(wont_do_needs_a_reason_and_lists_sort_by_due_date, world => {
    let incident = world.incident("x").await;
    let which = IncidentRef::Id(incident.id);
    for (title, due) in [("none", None), ("late", Some("2026-12-31")), ("soon", Some("2026-12-01"))] {
        let fields = TaskFields { title: title.into(), due_on: due.map(|due| due.parse().expect("date")), ..Default::default() };
        tasks::add(&world.app, &responder(), which, None, fields).await.expect("added");
    }
    let mut titles = Vec::new();
    let mut page = Page::first(1);
    loop {
        let rows = tasks::list(&world.app, &responder(), &TaskFilter { open: true, ..Default::default() }, &page).await.expect("list");
        titles.extend(rows.items.into_iter().map(|task| (task.fields.title.clone(), task.id)));
        page.cursor = rows.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(titles.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), ["soon", "late", "none"]);
    let silent = tasks::edit(&world.app, &responder(), titles[0].1, 1, &json!({"status": "wont_do"})).await;
    assert_eq!(refused(silent), ["/wont_do_reason"]);
});
