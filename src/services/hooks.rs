//! Taking in what monitoring systems send.
//!
//! A body is parsed beside the writer, then waits for the one task that writes: it takes everything that
//! is waiting into one transaction (group commit) and answers only after the commit, so a 2xx means on
//! disk. When the line is full the answer is 503 with Retry-After: senders repeat those, while they drop
//! what any 4xx refused.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};
use utoipa::ToSchema;

use super::{Error, Result, Unit, incidents, recording, secrets, timeline};
use crate::app::App;
use crate::domain;
use crate::domain::access::Actor;
use crate::domain::alert::{Alert, AlertReport, AlertStatus, Reports, plausible};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{AlertId, DeliveryId, IncidentId, IncidentRef};
use crate::domain::incident::{Incident, IncidentFields, Milestones, Status};
use crate::domain::integration::{DeliveryStatus, Format, Integration};
use crate::domain::time::{Timestamp, shorten};
use crate::domain::timeline::{EntryFields, EntryKind};
use crate::ingest;
use crate::store;
use crate::store::{alerts, integrations};

/// Largest body, in bytes: one Alertmanager group of 10,000 alerts has 4.5 MB.
pub const BODY_MAX: usize = 16 * 1024 * 1024;
/// Bodies that may wait for the writer.
const LINE_MAX: usize = 1_024;
/// Bytes of them in all.
const LINE_BYTES: usize = 64 * 1024 * 1024;
/// Bodies written in one transaction.
const GROUP_MAX: usize = 256;
/// More new groups than this in one body are one storm, not that many incidents.
const STORM_FROM: usize = 20;
/// Alerts listed in an answer or in an entry.
const LISTED: usize = 100;

/// What became of one delivery.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Receipt {
    /// Alerts understood.
    pub accepted: usize,
    /// What was done with each; at most 100 are listed.
    pub alerts: Vec<Outcome>,
    /// Why the body was not understood; it is kept and shown on the integration's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Outcome {
    pub dedup_key: String,
    /// `fired`, `repeated`, `resolved` or `ignored`.
    pub action: &'static str,
    /// Reference of the incident.
    pub incident: Option<String>,
}

/// The line in front of the writer. Cheap to clone; ends with the app's shutdown.
#[derive(Clone)]
pub struct Intake {
    line: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

struct Waiting {
    integration: Integration,
    received_at: Timestamp,
    parsed: Result<Reports, String>,
    size: usize,
    /// Compressed.
    body: Vec<u8>,
    answer: oneshot::Sender<Result<Receipt>>,
    _room: tokio::sync::OwnedSemaphorePermit,
}

impl Intake {
    /// Starts the writing task.
    pub fn start(app: &App) -> Self {
        let (line, waiting) = mpsc::channel(LINE_MAX);
        tokio::spawn(write(app.clone(), waiting));
        Self { line, room: Arc::new(Semaphore::new(LINE_BYTES)) }
    }

    /// Takes one body; returns when it is on disk.
    ///
    /// # Errors
    /// `NotFound` for an unknown key, `Forbidden` for a disabled integration, `Unavailable` on overload or
    /// when the database is away. A body that is not understood is no error: it is kept as failed.
    pub async fn receive(&self, app: &App, key: &str, body: Bytes) -> Result<(Receipt, Format)> {
        let received_at = app.now();
        let integration = integrations::by_key(&mut app.store().read().await?, &secrets::hash(key), received_at).await?;
        let integration = integration.ok_or(domain::Error::NotFound { what: "this hook" })?;
        if integration.disabled_at.is_some() {
            return Err(
                domain::Error::Forbidden("this integration is disabled; an administrator can enable it again".into()).into()
            );
        }
        let format = integration.format;
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX).max(1);
        let room = self.room.clone().try_acquire_many_owned(size).map_err(|_| overload())?;
        let (parsed, packed) = if body.len() < 32 * 1024 {
            understand(format, &body, received_at)
        } else {
            let body = body.clone();
            tokio::task::spawn_blocking(move || understand(format, &body, received_at)).await.map_err(anyhow::Error::from)?
        };
        let (answer, written) = oneshot::channel();
        let waiting = Waiting { integration, received_at, parsed, size: body.len(), body: packed, answer, _room: room };
        self.line.try_send(waiting).map_err(|_| overload())?;
        let receipt = written.await.map_err(|_| overload())??;
        Ok((receipt, format))
    }
}

fn overload() -> Error {
    domain::Error::Unavailable("too many alerts wait to be written; send this one again in a few seconds".into()).into()
}

fn understand(format: Format, body: &[u8], received: Timestamp) -> (Result<Reports, String>, Vec<u8>) {
    let parsed = ingest::parse(format, body, received).map_err(|fault| shorten(&fault.to_string(), 500));
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    // Writing to memory cannot fail; an empty body would only cost the copy for reading.
    (parsed, packed.unwrap_or_default())
}

async fn write(app: App, mut line: mpsc::Receiver<Waiting>) {
    while let Some(first) = line.recv().await {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = line.try_recv()
        {
            group.push(next);
        }
        let mut outcome = write_group(&app, &group).await;
        // A deadlock or a dropped connection undid the whole group; nothing was promised yet.
        for pause in [5, 50, 500] {
            if !matches!(outcome, Err(Error::Domain(domain::Error::Unavailable(_)))) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            outcome = write_group(&app, &group).await;
        }
        match outcome {
            Ok((receipts, opened)) => {
                for (waiting, receipt) in group.into_iter().zip(receipts) {
                    // A sender that went away repeats; what it sent is on disk all the same.
                    let _ = waiting.answer.send(Ok(receipt));
                }
                for incident in opened {
                    recording::freeze_soon(&app, incident);
                }
            }
            Err(fault) => {
                tracing::error!(%fault, deliveries = group.len(), "a group of deliveries could not be written");
                for waiting in group {
                    let unavailable = domain::Error::Unavailable("the alert could not be written; send it again".into());
                    let _ = waiting.answer.send(Err(unavailable.into()));
                }
            }
        }
    }
}

async fn write_group(app: &App, group: &[Waiting]) -> Result<(Vec<Receipt>, Vec<IncidentId>)> {
    let mut unit = Unit::begin(app, &Actor::Recorder).await?;
    alerts::one_writer(&mut unit.conn).await?;
    let mut receipts = Vec::with_capacity(group.len());
    let mut opened = Vec::new();
    for waiting in group {
        let actor = Actor::Integration { id: waiting.integration.id, name: waiting.integration.name.clone() };
        unit.act_as(&actor);
        let receipt = match &waiting.parsed {
            Ok(reports) => match fold_retrying(app, &mut unit, waiting, reports).await? {
                Ok((receipt, fresh)) => {
                    opened.extend(fresh);
                    receipt
                }
                Err(fault) => Receipt { error: Some(fault), ..Receipt::default() },
            },
            Err(fault) => Receipt { error: Some(fault.clone()), ..Receipt::default() },
        };
        keep_delivery(app, &mut unit, waiting, &receipt).await?;
        receipts.push(receipt);
    }
    unit.commit().await?;
    Ok((receipts, opened))
}

async fn keep_delivery(app: &App, unit: &mut Unit<'_>, waiting: &Waiting, receipt: &Receipt) -> Result<()> {
    let status = if receipt.error.is_none() { DeliveryStatus::Done } else { DeliveryStatus::Failed };
    let delivery = integrations::NewDelivery {
        id: DeliveryId(app.uuid()),
        integration_id: waiting.integration.id,
        received_at: waiting.received_at,
        status,
        error: receipt.error.as_deref(),
        alerts: i64::try_from(receipt.accepted).unwrap_or(i64::MAX),
        size: i64::try_from(waiting.size).unwrap_or(i64::MAX),
        body: &waiting.body,
    };
    integrations::insert_delivery(&mut unit.conn, &delivery).await?;
    integrations::note(&mut unit.conn, waiting.integration.id, waiting.received_at, 1, receipt.error.as_deref()).await?;
    Ok(())
}

type Folded = (Receipt, Vec<IncidentId>);

/// Folds one body into the alerts. Another replica may open the same incident at the same moment: the
/// unique index refuses the second, which then finds the first.
async fn fold_retrying(app: &App, unit: &mut Unit<'_>, waiting: &Waiting, reports: &Reports) -> Result<Result<Folded, String>> {
    let mut tries = 0;
    loop {
        let mark = unit.mark().await?;
        match fold(app, unit, waiting, reports).await {
            Ok(folded) => {
                unit.keep().await?;
                return Ok(Ok(folded));
            }
            Err(Error::Store(store::Error::Unique(_))) if tries < 3 => {
                unit.rewind(mark).await?;
                tries += 1;
            }
            Err(fault @ Error::Domain(domain::Error::Unavailable(_))) => return Err(fault),
            Err(fault) => {
                tracing::error!(%fault, integration = %waiting.integration.name, "a delivery could not be folded in; it is kept as failed");
                unit.rewind(mark).await?;
                return Ok(Err("the alerts were understood but could not be stored; the server's log says why".to_owned()));
            }
        }
    }
}

async fn fold(app: &App, unit: &mut Unit<'_>, waiting: &Waiting, reports: &Reports) -> Result<Folded> {
    let now = waiting.received_at;
    let integration = &waiting.integration;
    let keys: Vec<&str> = reports.alerts.iter().map(|report| report.dedup_key.as_str()).collect();
    let newest = alerts::newest_by_keys(&mut unit.conn, integration.id, &keys).await?;
    let newest: HashMap<String, Alert> = newest.into_iter().map(|alert| (alert.dedup_key.clone(), alert)).collect();
    let mut changed = Vec::with_capacity(reports.alerts.len());
    let mut actions = Vec::with_capacity(reports.alerts.len());
    for report in &reports.alerts {
        let (alert, action) = meet(app, integration, newest.get(&report.dedup_key), report, now);
        let index = alert.is_some().then_some(changed.len());
        actions.push((report.dedup_key.clone(), action, index));
        changed.extend(alert.map(|alert| (alert, action)));
    }
    let opened = find_incidents(app, unit, integration, &mut changed, now).await?;
    let rows: Vec<Alert> = changed.iter().map(|(alert, _)| alert.clone()).collect();
    alerts::save(&mut unit.conn, &rows).await?;
    let references = tell(app, unit, &changed, reports.not_shown).await?;
    let listed = actions.into_iter().take(LISTED).map(|(dedup_key, action, index)| {
        let incident = index.and_then(|index| changed.get(index)).and_then(|(alert, _)| alert.incident_id);
        Outcome { dedup_key, action: action.said(), incident: incident.and_then(|id| references.get(&id).cloned()) }
    });
    Ok((Receipt { accepted: reports.alerts.len(), alerts: listed.collect(), error: None }, opened))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Fired,
    Repeated,
    Resolved,
    /// A resolve of something that is not open, or a late copy of an old report.
    Ignored,
}

impl Action {
    fn said(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
        }
    }
}

/// What a report does to the newest occurrence of its key. `(fingerprint, startsAt)` is not stable at the
/// sender, so the key alone decides and times only order.
fn meet(
    app: &App,
    integration: &Integration,
    newest: Option<&Alert>,
    report: &AlertReport,
    now: Timestamp,
) -> (Option<Alert>, Action) {
    let started = plausible(report.started_at, now);
    let ended = plausible(report.ended_at, now);
    let open = newest.filter(|alert| alert.status != AlertStatus::Resolved);
    match (open, report.status) {
        (Some(open), AlertStatus::Resolved) => {
            let mut alert = open.clone();
            alert.status = AlertStatus::Resolved;
            alert.ends_at = Some(ended.unwrap_or(now));
            alert.last_received_at = now;
            (Some(alert), Action::Resolved)
        }
        (Some(open), status) => {
            let mut alert = described(open.clone(), report);
            alert.status = status;
            alert.starts_at = started.map_or(open.starts_at, |at| at.min(open.starts_at));
            alert.last_received_at = now;
            alert.count = open.count + 1;
            (Some(alert), Action::Repeated)
        }
        (None, AlertStatus::Resolved | AlertStatus::Acknowledged) => (None, Action::Ignored),
        (None, AlertStatus::Firing) => {
            // A fire that began before the last one ended came out of order: it is that one again.
            let late = newest.filter(|last| started.is_some_and(|at| last.ends_at.is_some_and(|ended| at <= ended)));
            if late.is_some_and(|last| started.is_some_and(|at| at <= last.starts_at)) {
                return (None, Action::Ignored);
            }
            let alert = Alert {
                id: AlertId(app.uuid()),
                integration: integration.name.clone(),
                integration_id: integration.id,
                dedup_key: report.dedup_key.clone(),
                group_key: report.group_key.clone(),
                status: AlertStatus::Firing,
                title: String::new(),
                description: String::new(),
                severity: report.severity,
                severity_raw: String::new(),
                service: String::new(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                links: Vec::new(),
                starts_at: started.unwrap_or(now),
                ends_at: None,
                first_seen_at: now,
                last_received_at: now,
                count: 1,
                incident_id: None,
            };
            (Some(described(alert, report)), Action::Fired)
        }
    }
}

fn described(mut alert: Alert, report: &AlertReport) -> Alert {
    alert.title.clone_from(&report.title);
    alert.description.clone_from(&report.description);
    alert.severity = report.severity;
    alert.severity_raw.clone_from(&report.severity_raw);
    alert.service.clone_from(&report.service);
    alert.labels.clone_from(&report.labels);
    alert.annotations.clone_from(&report.annotations);
    alert.links.clone_from(&report.links);
    alert
}

/// Gives every open alert that has none an incident: the open one of its group, the one that was closed a
/// short while ago, or a new one. Returns those that were opened.
async fn find_incidents(
    app: &App,
    unit: &mut Unit<'_>,
    integration: &Integration,
    changed: &mut [(Alert, Action)],
    now: Timestamp,
) -> Result<Vec<IncidentId>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, (alert, action)) in changed.iter().enumerate() {
        if *action == Action::Fired || (*action == Action::Repeated && alert.incident_id.is_none()) {
            groups.entry(alert.group_key.clone()).or_default().push(index);
        }
    }
    if groups.len() > STORM_FROM {
        let members = groups.into_values().flatten().collect();
        groups = BTreeMap::from([("storm".to_owned(), members)]);
    }
    let mut opened = Vec::new();
    for (group_key, members) in groups {
        let known = store::incidents::open_group(&mut unit.conn, integration.id, &group_key).await?;
        let incident = match known {
            Some(incident) => incident,
            None => {
                let since = now - chrono::Duration::minutes(app.config().reopen_minutes);
                let closed = store::incidents::recently_closed_group(&mut unit.conn, integration.id, &group_key, since).await?;
                let incident = match closed {
                    Some(incident) => reopen(app, unit, incident).await?,
                    None => {
                        let firing: Vec<&Alert> = members.iter().map(|index| &changed[*index].0).collect();
                        let incident = open(app, unit, &firing).await?;
                        opened.push(incident);
                        incident
                    }
                };
                store::incidents::open_group_with(&mut unit.conn, incident, integration.id, &group_key).await?;
                incident
            }
        };
        for index in members {
            changed[index].0.incident_id = Some(incident);
        }
    }
    Ok(opened)
}

async fn open(app: &App, unit: &mut Unit<'_>, firing: &[&Alert]) -> Result<IncidentId> {
    let worst = firing.iter().map(|alert| alert.severity).min().map(|severity| severity.incident()).unwrap_or_default();
    let first = firing.iter().min_by_key(|alert| (alert.severity, alert.starts_at)).copied();
    let title = first.map_or("Alert", |alert| alert.title.as_str());
    let title = match firing.len() {
        0 | 1 => title.to_owned(),
        many => format!("{} and {} more", shorten(title, 200), many - 1),
    };
    let mut services: Vec<String> =
        firing.iter().map(|alert| alert.service.clone()).filter(|service| !service.is_empty()).collect();
    services.sort();
    services.dedup();
    services.truncate(10);
    let fields = IncidentFields {
        title: shorten(&title, 280),
        severity: worst,
        milestones: Milestones {
            started: firing.iter().map(|alert| alert.starts_at).min(),
            detected: Some(unit.now),
            ..Milestones::default()
        },
        services,
        ..IncidentFields::default()
    };
    let name = unit.actor().to_owned();
    Ok(incidents::open(app, unit, fields.checked()?, name).await?.id)
}

async fn reopen(app: &App, unit: &mut Unit<'_>, id: IncidentId) -> Result<IncidentId> {
    let found = store::incidents::find(&mut unit.conn, IncidentRef::Id(id)).await?;
    let Some(before) = found else { return Err(IncidentId::not_found().into()) };
    let mut after = Incident { updated_at: unit.now, version: before.version + 1, ..before.clone() };
    after.fields.status = Status::Investigating;
    after.fields.stamp_status(before.fields.status, unit.now);
    incidents::save(app, unit, &before, &after, "The alert fired again.").await?;
    Ok(id)
}

/// Writes what people should read: one entry for all that fired, one when nothing fires any more; repeats
/// only count. Returns the references of the incidents that were touched.
async fn tell(
    app: &App,
    unit: &mut Unit<'_>,
    changed: &[(Alert, Action)],
    not_shown: u64,
) -> Result<HashMap<IncidentId, String>> {
    let mut by_incident: BTreeMap<IncidentId, Vec<&(Alert, Action)>> = BTreeMap::new();
    for pair in changed {
        if let Some(incident) = pair.0.incident_id {
            by_incident.entry(incident).or_default().push(pair);
        }
    }
    let mut references = HashMap::new();
    for (id, pairs) in by_incident {
        let incident = store::incidents::find(&mut unit.conn, IncidentRef::Id(id)).await?;
        let Some(incident) = incident else { continue };
        references.insert(id, incident.reference.to_string());
        let of =
            |wanted: Action| pairs.iter().filter(|(_, action)| *action == wanted).map(|(alert, _)| alert).collect::<Vec<_>>();
        let (fired, resolved) = (of(Action::Fired), of(Action::Resolved));
        let (firing, ..) = alerts::counts_of_incident(&mut unit.conn, id).await?;
        if !fired.is_empty() {
            let pinned = !store::timeline::has_kind(&mut unit.conn, id, EntryKind::Alert).await?;
            say(app, unit, &incident, fired_entry(&fired, not_shown, pinned)).await?;
        }
        if !resolved.is_empty() && firing == 0 {
            say(app, unit, &incident, resolved_entry(&resolved)).await?;
        }
        let data = json!({"firing": firing, "fired": fired.len(), "resolved": resolved.len()});
        unit.event(NewEvent::new(EventKind::AlertChanged).incident(id).data(data));
    }
    Ok(references)
}

async fn say(app: &App, unit: &mut Unit<'_>, incident: &Incident, fields: EntryFields) -> Result<()> {
    let author = unit.actor().to_owned();
    timeline::record_fields(app, unit, incident.id, author, fields).await.map(drop)
}

fn fired_entry(fired: &[&Alert], not_shown: u64, pinned: bool) -> EntryFields {
    let first = fired[0];
    let title = match fired.len() {
        1 => format!("{} firing", shorten(&first.title, 250)),
        many => format!("{} and {} more firing", shorten(&first.title, 220), many - 1),
    };
    let mut body = if fired.len() == 1 { plain(&first.description) } else { String::new() };
    if fired.len() > 1 {
        body = fired.iter().take(10).map(|alert| format!("- {}\n", plain(&alert.title))).collect();
        if fired.len() > 10 {
            body.push_str(&format!("- and {} more\n", fired.len() - 10));
        }
    }
    if not_shown > 0 {
        body.push_str(&format!("\n{not_shown} more alerts of this group were not shown by the sender.\n"));
    }
    let occurred_at = fired.iter().map(|alert| alert.starts_at).min().unwrap_or(first.starts_at);
    EntryFields { kind: EntryKind::Alert, title, body, occurred_at, pinned, ..EntryFields::default() }
}

fn resolved_entry(resolved: &[&Alert]) -> EntryFields {
    let first = resolved[0];
    let title = match resolved.len() {
        1 => format!("{} resolved", shorten(&first.title, 250)),
        many => format!("{many} alerts resolved, none is firing any more"),
    };
    let occurred_at = resolved.iter().filter_map(|alert| alert.ends_at).max().unwrap_or(first.last_received_at);
    EntryFields { kind: EntryKind::Alert, title, occurred_at, ..EntryFields::default() }
}

/// A sender's text as text: no line of it becomes Markdown.
fn plain(text: &str) -> String {
    let escaped = shorten(text, 2_000).chars().fold(String::new(), |mut out, c| {
        if matches!(c, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '+' | '-' | '!' | '|' | '~')
        {
            out.push('\\');
        }
        out.push(c);
        out
    });
    escaped.replace('\n', "  \n")
}
