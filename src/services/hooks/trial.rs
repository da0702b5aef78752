//! Trying out a hook: a body is understood and folded in exactly as if it had come in, and then all of it is undone.
//! Nothing is stored, nobody is told, and no number of an incident is used up.

use std::io::Read;

use chrono::Duration;

use super::fold;
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::alert::AlertReport;
use crate::domain::id::{DeliveryId, IncidentId, IncidentRef, IntegrationId, Reference};
use crate::domain::incident::Incident;
use crate::domain::integration::{Format, Integration};
use crate::ingest::{self, ParseError};
use crate::services::{Result, Unit};
use crate::store::{alerts, incidents, integrations};

/// Largest body that can be tried, in bytes: while it is, alerts that come in wait.
pub const TRIAL_MAX: usize = 1024 * 1024;

/// What a body would have done.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Alerts understood.
    pub count: usize,
    /// The first hundred of them.
    pub alerts: Vec<Tried>,
    /// Members of the group that the sender left out.
    pub not_shown: u64,
    /// Incidents that would be opened, as they would be.
    pub opened: Vec<Incident>,
}

#[derive(Debug, Clone)]
pub struct Tried {
    pub report: AlertReport,
    /// `fired`, `repeated`, `resolved` or `ignored`.
    pub action: &'static str,
    pub fate: Fate,
}

/// Where an alert ends up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// In an incident that is there.
    Joins(Reference),
    /// In the one at this place of [`Trial::opened`].
    Opens(usize),
    /// In none, or in none that the actor sees.
    None,
}

/// A body such as this source sends, of an alert that began a few minutes ago.
pub fn sample(app: &App, format: Format) -> String {
    ingest::sample(format, app.now() - Duration::minutes(4))
}

/// What came in with one delivery; none when it is too large to be tried.
pub async fn body(app: &App, actor: &Actor, id: IntegrationId, delivery: DeliveryId) -> Result<Option<String>> {
    actor.may(Permission::ManageIntegrations)?;
    let packed = integrations::body(&mut app.store().read().await?, id, delivery).await?.ok_or_else(DeliveryId::not_found)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(TRIAL_MAX).unwrap_or(u64::MAX) + 1;
    flate2::read::DeflateDecoder::new(&packed[..]).take(most).read_to_end(&mut bytes).map_err(anyhow::Error::from)?;
    Ok((bytes.len() <= TRIAL_MAX).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The inner error says where the body was not understood.
pub async fn try_out(app: &App, actor: &Actor, id: IntegrationId, body: String) -> Result<Result<Trial, ParseError>> {
    actor.may(Permission::ManageIntegrations)?;
    if body.len() > TRIAL_MAX {
        let detail = format!("the body has {} bytes; at most {TRIAL_MAX} can be tried", body.len());
        return Err(Error::invalid("body", "too_large", detail).into());
    }
    let now = app.now();
    let integration = integrations::find(&mut app.store().read().await?, id).await?.ok_or_else(IntegrationId::not_found)?;
    let format = integration.format;
    let parsed = tokio::task::spawn_blocking(move || ingest::parse(format, body.as_bytes(), now)).await;
    let reports = match parsed.map_err(anyhow::Error::from)? {
        Ok(reports) => reports,
        Err(fault) => return Ok(Err(fault)),
    };
    // Dropped without a commit, however this ends.
    let mut unit = Unit::begin(app, &Actor::Recorder).await?;
    alerts::one_writer(&mut unit.conn).await?;
    let body = fold::Body { integration: &integration, received_at: now, reports: &reports };
    let (receipt, opened) = match fold::fold_in(app, &mut unit, &[body]).await?.pop() {
        Some(Ok(folded)) => folded,
        Some(Err(fault)) => return Err(anyhow::anyhow!(fault).into()),
        None => Default::default(),
    };
    let mut trial = Trial { count: reports.alerts.len(), not_shown: reports.not_shown, ..Trial::default() };
    for incident in &opened {
        trial.opened.extend(incidents::find(&mut unit.conn, IncidentRef::Id(*incident)).await?);
    }
    let listed: Vec<AlertReport> = reports.alerts.into_iter().take(fold::LISTED).collect();
    let fates = fates(&mut unit, actor, &integration, &listed, &opened).await?;
    trial.alerts = listed
        .into_iter()
        .zip(receipt.alerts)
        .zip(fates)
        .map(|((report, outcome), fate)| {
            let fate = if outcome.action == super::Action::Ignored.said() { Fate::None } else { fate };
            Tried { report, action: outcome.action, fate }
        })
        .collect();
    Ok(Ok(trial))
}

/// Where each of these reports stands now, inside the unit.
async fn fates(
    unit: &mut Unit<'_>,
    actor: &Actor,
    integration: &Integration,
    reports: &[AlertReport],
    opened: &[IncidentId],
) -> Result<Vec<Fate>> {
    let keys: Vec<&str> = reports.iter().map(|report| report.dedup_key.as_str()).collect();
    let stored = alerts::newest_by_keys(&mut unit.conn, integration.id, &keys).await?;
    let mut fates = Vec::with_capacity(reports.len());
    for report in reports {
        let alert = stored.iter().find(|alert| alert.dedup_key == report.dedup_key);
        let fate = match alert.and_then(|alert| alert.incident_id) {
            None => Fate::None,
            Some(id) => match opened.iter().position(|fresh| *fresh == id) {
                Some(place) => Fate::Opens(place),
                None => {
                    let incident = incidents::find(&mut unit.conn, IncidentRef::Id(id)).await?;
                    incident
                        .filter(|incident| actor.sees(incident))
                        .map_or(Fate::None, |incident| Fate::Joins(incident.reference))
                }
            },
        };
        fates.push(fate);
    }
    Ok(fates)
}
