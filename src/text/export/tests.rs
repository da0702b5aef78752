//! The third story in full as golden files, and documents that try to break out of their form.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use pulldown_cmark::{Event, Tag};
use uuid::Uuid;

use super::*;
use crate::domain::balancer::BalancerKind;
use crate::domain::id::{BalancerId, EntryId, IncidentId, Reference, SnapshotId, TaskId};
use crate::domain::incident::{ImpactFigures, IncidentFields, Lessons, Milestones, Severity, Status};
use crate::domain::snapshot::{Snapshot, SnapshotRole};
use crate::domain::task::{Recurrence, TaskFields, TaskKind, TaskStatus};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{DecisionOption, EntryFields, EntryKind, Evidence, HypothesisState, Source};
use crate::text::markdown::parser;

fn at(text: &str) -> Timestamp {
    format!("2024-06-01T{text}:00Z").parse().expect("a time")
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn entry(number: u128, time: &str, kind: EntryKind, title: &str, body: &str) -> Entry {
    Entry {
        id: EntryId(uuid(number)),
        incident_id: IncidentId(uuid(1)),
        fields: EntryFields {
            kind,
            title: title.into(),
            body: body.into(),
            occurred_at: at(time),
            pinned: true,
            ..Default::default()
        },
        recorded_at: at(time),
        source: Source::Person,
        author: "mk".into(),
        version: 1,
        edited_at: None,
        edited_by: None,
        deleted_at: None,
    }
}

fn task(fields: TaskFields) -> Task {
    Task {
        id: TaskId(uuid(300)),
        incident_id: IncidentId(uuid(1)),
        incident: Reference(1),
        fields,
        created_by: "mk".into(),
        created_at: at("14:00"),
        closed_at: None,
        version: 1,
    }
}

fn snapshot(role: SnapshotRole, number: i64, time: &str) -> LinkedSnapshot {
    LinkedSnapshot {
        role,
        snapshot: Snapshot {
            id: SnapshotId(uuid(400 + number as u128)),
            balancer_id: BalancerId(uuid(5)),
            balancer: "edge-1".into(),
            number,
            captured_at: at(time),
            kind: BalancerKind::Haproxy,
            config_hash: Some(format!("sha256:{}", format!("{number:02x}").repeat(32))),
            changes: Vec::new(),
            notices: Vec::new(),
            source: "recorder".into(),
            verdict: None,
        },
    }
}

fn incident(fields: IncidentFields) -> Incident {
    Incident {
        id: IncidentId(uuid(1)),
        reference: Reference(1),
        fields,
        created_by: "mk".into(),
        created_at: at("10:02"),
        updated_at: at("15:00"),
        deleted_at: None,
        hold: None,
        version: 7,
    }
}

/// Nothing but what an incident must have.
fn bare(title: &str) -> Document {
    Document {
        incident: incident(IncidentFields { title: title.into(), ..Default::default() }),
        durations: Durations::default(),
        entries: Vec::new(),
        tasks: Vec::new(),
        alerts: AlertSummary::default(),
        snapshots: Vec::new(),
        diffs: Vec::new(),
        figures: Vec::new(),
        images: Vec::new(),
        base_url: None,
    }
}

fn timeline() -> Vec<Entry> {
    let mut database = entry(13, "10:05", EntryKind::Hypothesis, "The database", "CPU and locks were looked at first.");
    database.fields.ended_at = Some(at("10:15"));
    database.fields.state = Some(HypothesisState::RuledOut);
    database.fields.looked_right = "last month's outage began with the same alert".into();
    database.fields.ruled_out_by = "normal CPU, locks and `slow_queries`".into();
    let mut attack = entry(14, "11:00", EntryKind::Hypothesis, "An attack", "");
    attack.fields.ended_at = Some(at("12:00"));
    attack.fields.state = Some(HypothesisState::RuledOut);
    attack.fields.looked_right = "connections per source rose".into();
    attack.fields.ruled_out_by = "sources and request mix match last week:\n\n- 212 sources before\n- 209 after".into();
    let mut found = entry(
        15,
        "12:00",
        EntryKind::Observation,
        "web1 receives 98.6% of the requests",
        "# Shares\n\n```\nweb1 | 98.6\nweb2 |  0.4\n```",
    );
    found.fields.attachments = vec![AttachmentId(uuid(200)), AttachmentId(uuid(299))];
    found.fields.evidence = vec![
        Evidence::Chart { from: at("10:00"), to: at("10:30"), pool: Some("web".into()) },
        Evidence::Diff { before: SnapshotId(uuid(407)), after: SnapshotId(uuid(408)) },
        Evidence::Link { href: "https://graphs.example/d/1?a=1&b=2".into(), text: "graph (live)".into() },
    ];
    let mut decided = entry(16, "12:15", EntryKind::Decision, "Restore the weights", "");
    decided.fields.options = vec![
        DecisionOption { title: "Put the old config back".into(), chosen: true, reason: "it held for months".into() },
        DecisionOption { title: "Add servers".into(), chosen: false, reason: "they would get weight 0 too".into() },
    ];
    let mut back = entry(17, "13:30", EntryKind::Recovery, "Full service", "");
    back.fields.occurred_at += chrono::Duration::days(1);
    vec![
        back,
        entry(11, "09:58", EntryKind::Change, "Balancer update applied: weight of web2 to web5 100 → 0", ""),
        entry(12, "10:00", EntryKind::Alert, "Error ratio above 5%", "42 alerts grouped."),
        database,
        attack,
        found,
        decided,
    ]
}

fn story() -> Document {
    let milestones = Milestones {
        started: Some(at("10:00")),
        detected: Some(at("10:02")),
        identified: Some(at("12:00")),
        mitigated: Some(at("13:00")),
        resolved: Some(at("13:30")),
        acknowledged: None,
    };
    let fields = IncidentFields {
        title: "The shop was down for three and a half hours".into(),
        summary: "An update set the weight of four of five web servers to zero. See INC-4.".into(),
        severity: Severity::Sev1,
        status: Status::Resolved,
        milestones,
        impact: "Nobody could pay.".into(),
        impact_figures: ImpactFigures { users_share: Some(0.9), users: Some(1_000_000), ..Default::default() },
        root_cause:
            "A script read an **empty** inventory group and wrote weight 0.\n\nNothing held the new config against the old one."
                .into(),
        contributing_factors: vec!["No second pair of eyes".into(), "The template `web.j2` has no test".into()],
        resolution: "The weights were put back:\n\n1. tested in staging\n2. applied, with a rolling restart".into(),
        lessons: Lessons {
            went_well: "- The recorder had the half hour before.".into(),
            went_badly: "90 min on two wrong suspects.".into(),
            ..Default::default()
        },
        services: vec!["shop".into(), "checkout".into()],
        roles: BTreeMap::from([("commander".into(), "mk".into()), ("scribe".into(), "jl".into())]),
        ..Default::default()
    };
    let due = NaiveDate::from_ymd_opt(2024, 6, 8);
    Document {
        incident: incident(fields),
        durations: milestones.durations(),
        entries: timeline(),
        tasks: vec![
            task(TaskFields {
                title: "Guard: no pool on a single effective server".into(),
                status: TaskStatus::Done,
                body: "Held on every snapshot:\n\n```\nweight > 0\n```".into(),
                ..Default::default()
            }),
            task(TaskFields {
                title: "Review all balancer configs".into(),
                kind: TaskKind::Process,
                owner: Some("jl".into()),
                due_on: due,
                recurrence: Some(Recurrence::Quarterly),
                link: Some("https://tracker.example/OPS-1".into()),
                ..Default::default()
            }),
            task(TaskFields {
                title: "Second balancer".into(),
                kind: TaskKind::Mitigate,
                status: TaskStatus::WontDo,
                wont_do_reason: "it would carry the same config".into(),
                ..Default::default()
            }),
        ],
        alerts: AlertSummary { count: 42, titles: vec!["HighErrorRatio".into(), "web1 | saturated".into()] },
        snapshots: vec![snapshot(SnapshotRole::Before, 7, "09:30"), snapshot(SnapshotRole::During, 8, "09:58")],
        diffs: vec![ConfigDiff {
            balancer: "edge-1".into(),
            from_number: 7,
            to_number: 8,
            from_hash: Some(format!("sha256:{}", "07".repeat(32))),
            to_hash: None,
            changes: vec!["weight of 4 of 5 servers in pool web 100 → 0".into()],
            unified: "@@ backend web\n server web1 weight 100\n-server web2 weight 100\n+server web2 weight 0\n".into(),
        }],
        figures: vec![Figure {
            id: "flight-recorder-web".into(),
            alt: "Traffic share per server".into(),
            caption: "Share of traffic per server, edge-1, pool web".into(),
            svg: "<svg xmlns=\"http://www.w3.org/2000/svg\"/>".into(),
        }],
        images: vec![
            Image {
                id: AttachmentId(uuid(200)),
                name: "Load per server.PNG".into(),
                media_type: "image/png".into(),
                bytes: b"\x89PNG".to_vec(),
            },
            Image {
                id: AttachmentId(uuid(201)),
                name: "../../etc/Load per server.exe".into(),
                media_type: "image/png".into(),
                bytes: b"\x89PNG2".to_vec(),
            },
        ],
        base_url: Some("https://afterload.example".into()),
    }
}

fn headings(markdown: &str) -> usize {
    parser(markdown).filter(|event| matches!(event, Event::Start(Tag::Heading { .. }))).count()
}

fn yaml(markdown: &str) -> serde_json::Value {
    let front = markdown.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).expect("front matter").0;
    serde_saphyr::from_str(front).expect("YAML")
}

#[test]
fn the_third_story_in_plain_form() {
    insta::assert_snapshot!("story_3_plain", markdown(&story(), Flavour::Plain, Assets::Inline));
}

#[test]
fn the_third_story_for_hugo() {
    insta::assert_snapshot!("story_3_hugo", markdown(&story(), Flavour::Hugo, Assets::Files));
}

#[test]
fn what_nobody_wrote_is_said_to_be_missing() {
    insta::assert_snapshot!("bare", markdown(&bare("Slow"), Flavour::Classic, Assets::Inline));
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    let doc = story();
    assert_eq!(zip(&bundle(&doc, Flavour::Hugo)).expect("zip"), zip(&bundle(&doc.clone(), Flavour::Hugo)).expect("zip"));
    assert_eq!(markdown(&doc, Flavour::Plain, Assets::Inline), markdown(&doc, Flavour::Classic, Assets::Inline));
    let mut other_order = doc.clone();
    other_order.entries.reverse();
    assert_eq!(html(&doc), html(&other_order));
}

#[test]
fn titles_and_bodies_cannot_forge_the_form() {
    let hostile = [
        "# Forged",
        "## Timeline",
        "a | b | c",
        "x\n## y",
        "```",
        "<!-- open",
        "[image-1]: https://evil.example",
        "| --- | --- |",
        "Title\n===",
        "- [x] done",
        "***",
        "<script>alert(1)</script>",
        "{{< figure >}}",
        "\\",
        "`|`",
        "~~~\n# x",
        "🔥 שלום \u{202e}abc",
    ];
    let forms = |text: &str, title: &str| {
        let mut doc = story();
        let fields = &mut doc.incident.fields;
        fields.title = title.into();
        fields.contributing_factors = vec![text.into()];
        fields.services = vec![text.into()];
        for field in
            [&mut fields.summary, &mut fields.root_cause, &mut fields.resolution, &mut fields.conclusion, &mut fields.impact]
        {
            *field = text.into();
        }
        for entry in &mut doc.entries {
            entry.fields.title = title.into();
            entry.fields.body = text.into();
            entry.fields.ruled_out_by = text.into();
        }
        for task in &mut doc.tasks {
            (task.fields.title, task.fields.body) = (title.into(), text.into());
        }
        doc.diffs[0].unified = text.into();
        (markdown(&doc, Flavour::Plain, Assets::Inline), html(&doc))
    };
    for text in hostile {
        let (text_markdown, page) = forms(text, text);
        let form = page.split("<h2>").skip(1).map(|rest| rest.split_once("</h2>").expect("closed").0);
        assert_eq!(
            form.collect::<Vec<_>>(),
            ["Issue Summary", "Timeline", "Root Cause and Resolution", "Corrective and Preventative Measures", "Conclusion"],
            "{text}"
        );
        assert_eq!(page.matches("<h1>").count(), 1, "{text}: {page}");
        assert_eq!(page.matches("<table>").count(), 1, "{text}: {page}");
        assert_eq!(page.matches("<td>").count(), 2 * story().entries.len(), "{text}: {page}");
        let typed = page.matches("checked=\"\"> done").count();
        assert_eq!(page.matches("type=\"checkbox\"").count(), 3 + typed, "{text}");
        assert!(!page.contains("<script") && !page.contains("evil.example\""), "{page}");
        assert!(text_markdown.contains("[image-1]: data:image/png;base64,iVBORw=="), "{text}");
        // Ours, and for each of a person's texts at most the one heading that is in it.
        let headed = |line: &&str| line.trim_start_matches([' ', '-', '>']).starts_with('#');
        assert!(headings(&text_markdown) <= text_markdown.lines().filter(headed).count(), "{text}: {text_markdown}");
    }
}

#[test]
fn markdown_reads_back_with_as_many_headings_as_were_written() {
    let text = markdown(&story(), Flavour::Plain, Assets::Inline);
    let below = "contributing detection resolution configuration well badly lucky tasks images".split(' ').count();
    assert_eq!(headings(&text), 1 + 5 + below + 2 + 1, "the title, the form, two entries in full, one heading of an entry's own");
    assert_eq!(headings(&text), text.lines().filter(|line| line.starts_with('#')).count());
    assert_eq!(headings(&markdown(&story(), Flavour::Hugo, Assets::Files)), headings(&text) - 1);
}

#[test]
fn front_matter_reads_back_whatever_the_title_is() {
    for title in [
        "no",
        "2024-06-01",
        "a: b # c",
        "- x",
        "\"'{[%@`",
        "---",
        "🔥\u{202e}",
        "null",
        "0x1F",
        "a\\b",
        "{{< x >}}",
        "!!int 3",
        &"long ".repeat(60),
    ] {
        let mut doc = story();
        doc.incident.fields.title = title.to_owned();
        doc.incident.fields.services = vec![title.to_owned(), "yes".into()];
        let front = yaml(&markdown(&doc, Flavour::Hugo, Assets::Files));
        assert_eq!(front["title"], title);
        assert_eq!(front["tags"], serde_json::json!([title, "yes"]));
        assert_eq!(
            (&front["draft"], &front["date"], &front["type"]),
            (&true.into(), &"2024-06-01T13:30:00Z".into(), &"post".into())
        );
        let facts = &front["params"]["afterload"];
        assert_eq!((&facts["reference"], &facts["revision"], &facts["severity"]), (&"INC-1".into(), &7.into(), &"sev1".into()));
        assert!(front["slug"].as_str().is_some_and(|slug| !slug.is_empty() && slug.len() <= 80));
    }
}

#[test]
fn bundles_hold_every_picture_under_a_plain_name() {
    let names = |flavour| bundle(&story(), flavour).into_iter().map(|file| file.name).collect::<Vec<_>>();
    assert_eq!(names(Flavour::Hugo), ["index.md", "flight-recorder-web.svg", "load-per-server.png", "etc-load-per-server.png"]);
    assert_eq!(names(Flavour::Classic)[0], "INC-1.md");
    let mut doc = story();
    for image in &mut doc.images {
        image.name = "💥.svg\0/..\\".into();
    }
    doc.figures[0].id = String::new();
    let files = bundle(&doc, Flavour::Classic);
    let distinct: std::collections::BTreeSet<_> = files.iter().map(|file| &file.name).collect();
    assert_eq!(distinct.len(), files.len());
    let text = String::from_utf8(files[0].bytes.clone()).expect("UTF-8");
    for file in &files[1..] {
        assert!(file.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')), "{}", file.name);
        assert!(text.contains(&format!("]({})", file.name)), "{} in {text}", file.name);
    }
    let archive = zip(&files).expect("zip");
    let mut read = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("an archive");
    assert_eq!(read.len(), files.len());
    let mut first = Vec::new();
    std::io::Read::read_to_end(&mut read.by_index(0).expect("first"), &mut first).expect("reads");
    assert_eq!(first, files[0].bytes);
}

#[test]
fn the_page_shows_charts_and_images_in_place() {
    let page = html(&story());
    let figure = "<figure><svg xmlns=\"http://www.w3.org/2000/svg\"/><figcaption>Share of traffic per server, edge-1, pool web</figcaption></figure>";
    let place = page.find(figure).expect("the figure");
    assert!(page.find("Timeline").expect("timeline") < place && place < page.find("Root Cause and").expect("causes"));
    for image in story().images {
        assert!(page.contains(&format!("<img src=\"/attachments/{}\"", image.id)), "{page}");
    }
    assert!(page.contains("<a href=\"/incidents/INC-4\"") && page.contains("<pre class=\"diff\">"), "{page}");
}

#[test]
fn an_unknown_flavour_is_answered_with_the_known_ones() {
    assert_eq!("hugo".parse::<Flavour>().expect("known"), Flavour::Hugo);
    let error = "word".parse::<Flavour>().expect_err("unknown").to_string();
    assert!(error.contains("plain, classic, hugo"), "{error}");
}
