use serde_json::json;

use super::*;
use crate::domain::incident::IncidentFields;
use crate::domain::patch;
use crate::domain::task::TaskFields;
use crate::domain::timeline::EntryFields;

fn sent(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn every_field_of_the_tables_is_a_field_of_its_noun_and_round_trips() {
    let at = "2026-11-21T14:03:07Z";
    for (table, full) in [
        (&INCIDENT[..], serde_json::to_value(IncidentFields::default())),
        (&ENTRY[..], serde_json::to_value(EntryFields::default())),
        (&TASK[..], serde_json::to_value(TaskFields::default())),
    ] {
        let full = full.expect("JSON");
        for field in table.iter().filter(|field| !field.path.starts_with("roles/")) {
            let found = field.path.split('/').try_fold(&full, |value, name| value.get(name));
            assert!(found.is_some(), "{}", field.path);
        }
    }
    let entry =
        json!({"occurred_at": at, "pinned": true, "options": [{"title": "Fail over", "chosen": true, "reason": "fast: 2 min"}]});
    let zone = Zone { minutes: 60, year: 0 };
    for field in ENTRY.iter().filter(|field| entry.get(field.path).is_some()) {
        let shown = field.shown(&entry, zone);
        assert_eq!(field.kind.read(&shown, "", zone).expect(field.path), entry[field.path], "{shown}");
    }
}

#[test]
fn only_touched_fields_are_sent_on() {
    let edit = Edit::read(
        &INCIDENT,
        &sent(&[
            ("version", "3"),
            ("title", "Shop down"),
            ("base_title", "Shop slow"),
            ("summary", "same\r\ntext"),
            ("base_summary", "same\ntext"),
            ("impact_figures/users_share", "98,6 %"),
            ("labels", "team=edge"),
            ("base_labels", "team=web\nregion=eu"),
            ("milestones/started", "2026-11-21T15:03"),
            ("zone", "60"),
            ("password", "ignored"),
        ]),
    )
    .expect("reads");
    let patch = edit.patch().expect("fits");
    assert_eq!(
        patch,
        json!({
            "title": "Shop down",
            "impact_figures": {"users_share": 0.986},
            "labels": {"team": "edge", "region": null},
            "milestones": {"started": "2026-11-21T14:03:00Z"},
        })
    );
    patch::apply(&IncidentFields::default(), &patch).expect("the noun takes it");
}

#[test]
fn a_checkbox_that_was_taken_off_counts_and_a_form_without_version_does_not() {
    let edit = Edit::read(&ENTRY, &sent(&[("version", "1"), ("base_pinned", "on")])).expect("reads");
    assert_eq!(edit.patch().expect("fits"), json!({"pinned": false}));
    assert!(Edit::read(&ENTRY, &sent(&[("title", "x")])).is_err());
}

/// A noun that somebody else saved at version 2 just before.
async fn race(theirs: Value, form: &[(&str, &str)]) -> Outcome<Value> {
    let mut form = sent(form);
    form.push(("version".into(), "1".into()));
    let edit = Edit::read(&INCIDENT, &form).expect("reads");
    let act = |version: i64, patch: Value| {
        let current = Box::new(theirs.clone());
        std::future::ready(match version {
            2 => Ok(patch),
            _ => Err(services::Error::Domain(domain::Error::Conflict { what: "this incident", current })),
        })
    };
    edit.save(act).await.expect("no failure")
}

#[tokio::test]
async fn a_change_of_other_fields_is_laid_over_theirs() {
    let theirs = json!({"version": 2, "title": "Shop slow", "summary": "theirs"});
    let outcome = race(theirs, &[("title", "Shop down"), ("base_title", "Shop slow")]).await;
    assert!(matches!(outcome, Outcome::Saved(patch) if patch == json!({"title": "Shop down"})));
}

#[tokio::test]
async fn two_texts_for_one_field_are_both_kept() {
    let theirs = json!({"version": 2, "summary": "all <b>down</b> since ten"});
    let outcome = race(theirs, &[("summary", "all up since ten"), ("base_summary", "")]).await;
    let Outcome::Again(again) = outcome else { panic!("saved over theirs") };
    assert_eq!((again.version, again.conflict), (2, true));
    let field = &again.fields[0];
    assert_eq!((field.yours.as_str(), field.base.as_str()), ("all up since ten", "all <b>down</b> since ten"));
    let marks = &field.marks.as_ref().expect("marks").0;
    assert!(marks.contains("<del>&lt;b&gt;down&lt;/b&gt;</del>") && marks.contains("<ins>up</ins>"), "{marks}");
}

#[tokio::test]
async fn complaints_stand_beside_their_field_with_the_text_kept() {
    let outcome = race(json!({}), &[("impact_figures/users_share", "900"), ("milestones/started", "soon")]).await;
    let Outcome::Again(again) = outcome else { panic!("accepted") };
    assert!(again.fields.iter().all(|field| field.error.is_some() && !field.yours.is_empty()) && !again.conflict);
}
