//! The write-up: everything that an incident holds, as one document.

use std::str::FromStr;

use super::lookup::load_live;
use super::snapshots::difference;
use super::{Result, flight};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{AttachmentId, IncidentId, IncidentRef};
use crate::domain::snapshot::LinkedSnapshot;
use crate::domain::timeline::{Entry, EntryKind, Source};
use crate::signal::chart::{self, Size, Style};
use crate::store::{Conn, alerts, attachments, blobs, settings, snapshots, tasks, timeline};
use crate::text::export::{self, AlertSummary, Assets, BundleFile, ConfigDiff, Document, Figure, Image};

pub use crate::text::export::Flavour;

/// Reads everything in one consistent state.
pub async fn document(app: &App, actor: &Actor, which: IncidentRef) -> Result<Document> {
    let mut conn = app.store().snapshot().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    let all = timeline::newest(&mut conn, incident.id, false, super::timeline::LIST_MAX).await?;
    let entries = chosen(all.clone());
    let tasks = tasks::of_incident(&mut conn, incident.id).await?;
    let listed = alerts::of_incident(&mut conn, incident.id, 200).await?;
    let (firing, resolved, _) = alerts::counts_of_incident(&mut conn, incident.id).await?;
    let mut titles: Vec<String> = listed.into_iter().map(|alert| alert.title).collect();
    titles.sort();
    titles.dedup();
    titles.truncate(20);
    let linked = snapshots::of_incident(&mut conn, incident.id).await?;
    let diffs = diffs(&mut conn, &linked).await?;
    let images = images(&mut conn, incident.id, &entries).await?;
    let base_url = settings::get(&mut conn, settings::BASE_URL).await?;
    drop(conn);
    let charts = flight::settled(app, &incident, &all).await?;
    Ok(Document {
        durations: incident.fields.milestones.durations(),
        entries,
        tasks,
        alerts: AlertSummary { count: firing + resolved, titles },
        snapshots: linked,
        diffs,
        figures: figures(&charts),
        images,
        base_url,
        incident,
    })
}

/// Keeps the server's public address beside the data: `afterload export` writes the same bytes as the page.
pub async fn remember_base_url(app: &App) -> Result<()> {
    let mut conn = app.store().begin_urgent().await?;
    match &app.config().base_url {
        Some(_) => settings::set(&mut conn, settings::BASE_URL, &app.config().public_url()).await?,
        None => drop(settings::remove(&mut conn, settings::BASE_URL).await?),
    }
    Ok(conn.commit().await?)
}

/// The pinned entries; where nobody pinned any, all that people wrote.
fn chosen(entries: Vec<Entry>) -> Vec<Entry> {
    let pinned =
        entries.iter().any(|entry| entry.fields.pinned && !matches!(entry.fields.kind, EntryKind::Alert | EntryKind::Change));
    let keep = |entry: &Entry| {
        entry.fields.pinned
            || (!pinned && entry.source == Source::Person && entry.fields.kind != EntryKind::Status)
            || entry.fields.is_detour()
    };
    entries.into_iter().filter(keep).collect()
}

fn figures(charts: &[crate::signal::flight::FlightRecorder]) -> Vec<Figure> {
    let window = charts.first().map(|chart| chart.window);
    let several = charts.iter().any(|chart| Some(&chart.balancer) != charts.first().map(|first| &first.balancer));
    let figure = |chart: &crate::signal::flight::FlightRecorder| Figure {
        id: if several {
            format!("flight-recorder-{}-{}", chart.balancer, chart.pool)
        } else {
            format!("flight-recorder-{}", chart.pool)
        },
        alt: format!(
            "Traffic share per server, request rate, 5xx ratio and response time of pool {} on {}",
            chart.pool, chart.balancer
        ),
        caption: format!(
            "{}, pool {}: share of traffic per server, requests per second, 5xx ratio and response time, {} to {}.{}",
            chart.balancer,
            chart.pool,
            window.map(|w| crate::domain::time::minute(w.from)).unwrap_or_default(),
            window.map(|w| crate::domain::time::minute(w.to)).unwrap_or_default(),
            chart.verdict.as_ref().map(|verdict| format!(" {verdict}.")).unwrap_or_default(),
        ),
        svg: chart::svg(chart, Size::Wide, Style::Standalone),
    };
    charts.iter().map(figure).collect()
}

/// From each linked snapshot to the next of the same balancer.
async fn diffs(conn: &mut Conn, linked: &[LinkedSnapshot]) -> Result<Vec<ConfigDiff>> {
    let mut diffs = Vec::new();
    for (index, after) in linked.iter().enumerate() {
        let before = linked[..index].iter().rev().find(|earlier| earlier.snapshot.balancer_id == after.snapshot.balancer_id);
        let Some(before) = before else { continue };
        let diff = difference(conn, before.snapshot.id, after.snapshot.id).await?;
        diffs.push(ConfigDiff {
            balancer: diff.after.balancer.clone(),
            from_number: diff.before.number,
            to_number: diff.after.number,
            from_hash: diff.before.config_hash,
            to_hash: diff.after.config_hash,
            changes: diff.changes.into_iter().map(|change| change.sentence).collect(),
            unified: diff.unified,
        });
        if diffs.len() == 20 {
            break;
        }
    }
    Ok(diffs)
}

/// Images that hang on the entries, or are named in their texts.
async fn images(conn: &mut Conn, incident: IncidentId, entries: &[Entry]) -> Result<Vec<Image>> {
    let mut ids: Vec<AttachmentId> = entries.iter().flat_map(|entry| entry.fields.attachments.iter().copied()).collect();
    for entry in entries {
        for part in entry.fields.body.split("/attachments/").skip(1) {
            ids.extend(part.get(..36).and_then(|id| AttachmentId::from_str(id).ok()));
        }
    }
    ids.dedup();
    let mut images: Vec<Image> = Vec::new();
    for id in ids {
        if images.iter().any(|image| image.id == id) {
            continue;
        }
        if let Some((attachment, hash)) = attachments::find_within(conn, id, incident).await?
            && attachment.is_image()
        {
            images.push(Image {
                id,
                name: attachment.name,
                media_type: attachment.media_type,
                bytes: blobs::get(conn, &hash).await?,
            });
        }
    }
    Ok(images)
}

/// Markdown in one self-contained file; the same incident gives the same bytes.
pub async fn export(app: &App, actor: &Actor, which: IncidentRef, flavour: Flavour) -> Result<String> {
    Ok(export::markdown(&document(app, actor, which).await?, flavour, Assets::Inline))
}

/// The text with its images as files beside it.
pub async fn bundle(app: &App, actor: &Actor, which: IncidentRef, flavour: Flavour) -> Result<Vec<BundleFile>> {
    Ok(export::bundle(&document(app, actor, which).await?, flavour))
}

/// The files of [`bundle`] in one archive.
pub async fn zip(app: &App, actor: &Actor, which: IncidentRef, flavour: Flavour) -> Result<Vec<u8>> {
    let files = bundle(app, actor, which, flavour).await?;
    Ok(export::zip(&files).map_err(anyhow::Error::from)?)
}

/// The body of the preview: safe HTML.
pub async fn html(app: &App, actor: &Actor, which: IncidentRef) -> Result<String> {
    Ok(export::html(&document(app, actor, which).await?))
}
