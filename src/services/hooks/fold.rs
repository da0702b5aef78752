//! Folding bodies into what is stored: occurrences by key, incidents by group. What a group of bodies does is worked out
//! in order, body by body, and then written many rows a statement.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Action, Outcome, Receipt, tell};
use crate::app::App;
use crate::domain;
use crate::domain::alert::{Alert, AlertReport, AlertStatus, Reports, plausible};
use crate::domain::id::{AlertId, IncidentId, IncidentRef, IntegrationId};
use crate::domain::incident::{Incident, IncidentFields, Milestones, Status};
use crate::domain::integration::Integration;
use crate::domain::time::{Timestamp, shorten};
use crate::domain::timeline::Entry;
use crate::services::{Error, Result, Unit, incidents, timeline};
use crate::store;
use crate::store::alerts;

/// More new groups than this in one body are one storm, not that many incidents.
const STORM_FROM: usize = 20;
/// Alerts listed in an answer.
pub(super) const LISTED: usize = 100;

/// What became of one body, and the incidents that it opened.
pub(super) type Folded = (Receipt, Vec<IncidentId>);

/// A body that was understood.
pub(super) struct Body<'a> {
    pub integration: &'a Integration,
    pub received_at: Timestamp,
    pub reports: &'a Reports,
}

/// What the bodies of a group did so far, of which part is not written yet.
#[derive(Default)]
pub(super) struct Sheet {
    /// The newest occurrence of each key that the bodies name.
    newest: HashMap<(IntegrationId, String), Alert>,
    /// The open incident of a group, where it is known.
    incidents: HashMap<(IntegrationId, String), IncidentId>,
    alerts: BTreeMap<AlertId, Alert>,
    pub entries: Vec<Entry>,
}

impl Sheet {
    async fn of(unit: &mut Unit<'_>, bodies: &[Body<'_>]) -> Result<Self> {
        let mut named: BTreeMap<IntegrationId, [BTreeSet<&str>; 2]> = BTreeMap::new();
        for body in bodies {
            let [keys, groups] = named.entry(body.integration.id).or_default();
            keys.extend(body.reports.alerts.iter().map(|report| report.dedup_key.as_str()));
            groups.extend(body.reports.alerts.iter().map(|report| report.group_key.as_str()));
        }
        let mut sheet = Self::default();
        for (integration, [keys, groups]) in named {
            let keys: Vec<_> = keys.into_iter().collect();
            for alert in alerts::newest_by_keys(&mut unit.conn, integration, &keys).await? {
                sheet.newest.insert((integration, alert.dedup_key.clone()), alert);
            }
            let groups: Vec<_> = groups.into_iter().collect();
            for (group, incident) in store::incidents::open_groups(&mut unit.conn, integration, &groups).await? {
                sheet.incidents.insert((integration, group), incident);
            }
        }
        let known: BTreeSet<_> = sheet.incidents.values().copied().collect();
        tell::learn(unit, known).await?;
        Ok(sheet)
    }

    /// Writes what is not written yet.
    pub async fn write(&mut self, unit: &mut Unit<'_>) -> Result<()> {
        let rows: Vec<Alert> = std::mem::take(&mut self.alerts).into_values().collect();
        alerts::save(&mut unit.conn, &rows).await?;
        timeline::keep(unit, &std::mem::take(&mut self.entries)).await
    }
}

/// Folds the bodies of a group in, one after the other. The inner error says why one of them could not be; it leaves
/// nothing behind, and the others are folded in all the same.
pub(super) async fn fold_in(app: &App, unit: &mut Unit<'_>, bodies: &[Body<'_>]) -> Result<Vec<Result<Folded, String>>> {
    if bodies.len() > 1 {
        let mark = unit.mark().await?;
        match fold(app, unit, bodies).await {
            Ok(folded) => {
                unit.keep().await?;
                return Ok(folded.into_iter().map(Ok).collect());
            }
            Err(fault @ Error::Domain(domain::Error::Unavailable(_))) => return Err(fault),
            // Each by itself says which it was.
            Err(_) => unit.rewind(mark).await?,
        }
    }
    let mut folded = Vec::with_capacity(bodies.len());
    for body in bodies {
        folded.push(retrying(app, unit, body).await?);
    }
    Ok(folded)
}

/// Folds one body in. Another replica may open the same incident at the same moment: the unique index refuses the
/// second, which then finds the first.
async fn retrying(app: &App, unit: &mut Unit<'_>, body: &Body<'_>) -> Result<Result<Folded, String>> {
    let mut tries = 0;
    loop {
        let mark = unit.mark().await?;
        match fold(app, unit, std::slice::from_ref(body)).await {
            Ok(mut folded) => {
                unit.keep().await?;
                return Ok(Ok(folded.pop().unwrap_or_default()));
            }
            Err(Error::Store(store::Error::Unique(_)) | Error::Domain(domain::Error::Conflict { .. })) if tries < 3 => {
                unit.rewind(mark).await?;
                tries += 1;
            }
            Err(fault @ Error::Domain(domain::Error::Unavailable(_))) => return Err(fault),
            Err(fault) => {
                tracing::error!(%fault, integration = %body.integration.name, "a delivery could not be folded in; it is kept as failed");
                unit.rewind(mark).await?;
                return Ok(Err("the alerts were understood but could not be stored; the server's log says why".to_owned()));
            }
        }
    }
}

async fn fold(app: &App, unit: &mut Unit<'_>, bodies: &[Body<'_>]) -> Result<Vec<Folded>> {
    let mut sheet = Sheet::of(unit, bodies).await?;
    let mut folded = Vec::with_capacity(bodies.len());
    for body in bodies {
        unit.act_as(&body.integration.actor());
        folded.push(fold_one(app, unit, &mut sheet, body).await?);
    }
    sheet.write(unit).await?;
    Ok(folded)
}

async fn fold_one(app: &App, unit: &mut Unit<'_>, sheet: &mut Sheet, body: &Body<'_>) -> Result<Folded> {
    let Body { integration, received_at: now, reports } = *body;
    let mut changed = Vec::with_capacity(reports.alerts.len());
    let mut actions = Vec::with_capacity(reports.alerts.len());
    for report in &reports.alerts {
        let newest = sheet.newest.get(&(integration.id, report.dedup_key.clone()));
        let (alert, action) = meet(app, integration, newest, report, now);
        let index = alert.is_some().then_some(changed.len());
        actions.push((report.dedup_key.clone(), action, index));
        changed.extend(alert.map(|alert| (alert, action)));
    }
    let opened = find_incidents(app, unit, sheet, integration, &mut changed, now).await?;
    for (alert, _) in &changed {
        sheet.newest.insert((integration.id, alert.dedup_key.clone()), alert.clone());
        sheet.alerts.insert(alert.id, alert.clone());
    }
    let references = tell::tell(app, unit, sheet, &changed, reports.not_shown).await?;
    let listed = actions.into_iter().take(LISTED).map(|(dedup_key, action, index)| {
        let incident = index.and_then(|index| changed.get(index)).and_then(|(alert, _)| alert.incident_id);
        Outcome { dedup_key, action: action.said(), incident: incident.and_then(|id| references.get(&id).cloned()) }
    });
    Ok((Receipt { accepted: reports.alerts.len(), alerts: listed.collect(), error: None }, opened))
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
    sheet: &mut Sheet,
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
        let group = (integration.id, group_key);
        let group_key = &group.1;
        let known = match sheet.incidents.get(&group) {
            Some(incident) => Some(*incident),
            // A re-opening within this unit takes all keys of its incident back.
            None => store::incidents::open_groups(&mut unit.conn, integration.id, &[group_key]).await?.pop().map(|(_, id)| id),
        };
        let incident = match known {
            Some(incident) => incident,
            None => {
                let since = now - chrono::Duration::minutes(app.config().reopen_minutes);
                let closed = store::incidents::recently_closed_group(&mut unit.conn, integration.id, group_key, since).await?;
                let incident = match closed {
                    Some(incident) => reopen(app, unit, incident).await?,
                    None => {
                        let firing: Vec<&Alert> = members.iter().map(|index| &changed[*index].0).collect();
                        let incident = open(app, unit, integration, &firing).await?;
                        opened.push(incident);
                        incident
                    }
                };
                store::incidents::open_group_with(&mut unit.conn, incident, integration.id, group_key).await?;
                incident
            }
        };
        for index in members {
            changed[index].0.incident_id = Some(incident);
        }
        sheet.incidents.insert(group, incident);
    }
    Ok(opened)
}

async fn open(app: &App, unit: &mut Unit<'_>, integration: &Integration, firing: &[&Alert]) -> Result<IncidentId> {
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
    Ok(incidents::open(app, unit, fields.checked()?, integration.actor().owner()).await?.id)
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
