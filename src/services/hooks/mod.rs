//! Taking in what monitoring systems send.
//!
//! A body is parsed beside the writer, then waits for the one task that writes: it takes everything that
//! is waiting into one transaction (group commit) and answers only after the commit, so a 2xx means on
//! disk. When the line is full the answer is 503 with Retry-After: senders repeat those, while they drop
//! what any 4xx refused.

mod fold;
mod tell;
mod trial;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use futures_util::FutureExt;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, oneshot};
use utoipa::ToSchema;

use super::{Error, Result, Unit, recording, secrets};
use crate::app::App;
use crate::domain;
use crate::domain::access::Actor;
use crate::domain::alert::Reports;
use crate::domain::id::{DeliveryId, IncidentId, IntegrationId};
use crate::domain::integration::{DeliveryStatus, Format, Integration};
use crate::domain::time::{Timestamp, shorten};
use crate::ingest;
use crate::store::{alerts, integrations};

pub use trial::{Fate, TRIAL_MAX, Trial, Tried, body, sample, try_out};

/// Largest body, in bytes: one Alertmanager group of 10,000 alerts has 4.5 MB.
pub const BODY_MAX: usize = 16 * 1024 * 1024;
/// Bodies that may wait for the writer.
const LINE_MAX: usize = 1_024;
/// Bytes of them in all.
const LINE_BYTES: usize = 64 * 1024 * 1024;
/// Bodies written in one transaction.
const GROUP_MAX: usize = 256;

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
    /// Reference of the incident; null for a restricted one.
    pub incident: Option<String>,
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

impl Waiting {
    fn understood(&self) -> Option<fold::Body<'_>> {
        let reports = self.parsed.as_ref().ok()?;
        Some(fold::Body { integration: &self.integration, received_at: self.received_at, reports })
    }
}

impl Intake {
    /// Starts the writing task.
    pub fn start(app: &App) -> Self {
        let (line, waiting) = mpsc::channel(LINE_MAX);
        tokio::spawn(write(app.clone(), waiting));
        Self { line, room: Arc::new(Semaphore::new(LINE_BYTES)) }
    }

    /// Bytes of bodies that were taken and are not on disk yet.
    pub fn waiting(&self) -> usize {
        LINE_BYTES - self.room.available_permits()
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
    (parsed, packed(body))
}

/// A body as it is kept. A compressor takes a third of a megabyte, a thousand times what most bodies do: each thread keeps
/// its own.
fn packed(body: &[u8]) -> Vec<u8> {
    thread_local! {
        static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let mut packed = Vec::with_capacity(body.len() / 2 + 64);
        loop {
            let read = usize::try_from(compressor.total_in()).unwrap_or(body.len());
            match compressor.compress_vec(&body[read..], &mut packed, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return packed,
                Ok(Status::Ok | Status::BufError) => packed.reserve(packed.capacity()),
                // In memory it cannot fail; an empty body would only cost the copy for reading.
                Err(_) => return Vec::new(),
            }
        }
    })
}

async fn write(app: App, mut line: mpsc::Receiver<Waiting>) {
    while let Some(first) = line.recv().await {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = line.try_recv()
        {
            group.push(next);
        }
        let mut outcome = write_whole(&app, &group).await;
        // A deadlock or a dropped connection undid the whole group; nothing was promised yet.
        for pause in [5, 50, 500] {
            if !matches!(outcome, Err(Error::Domain(domain::Error::Unavailable(_)))) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            outcome = write_whole(&app, &group).await;
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

/// [`write_group`], where a bug in it is the end of the group and not of all that comes after it: nobody else writes alerts.
async fn write_whole(app: &App, group: &[Waiting]) -> Result<(Vec<Receipt>, Vec<IncidentId>)> {
    // What it leaves behind is a transaction that is undone.
    let outcome = AssertUnwindSafe(write_group(app, group)).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("writing them broke").into()))
}

async fn write_group(app: &App, group: &[Waiting]) -> Result<(Vec<Receipt>, Vec<IncidentId>)> {
    let mut unit = Unit::bulk(app, &Actor::Recorder).await?;
    alerts::one_writer(&mut unit.conn).await?;
    let bodies: Vec<_> = group.iter().filter_map(Waiting::understood).collect();
    let mut folded = fold::fold_in(app, &mut unit, &bodies).await?.into_iter();
    let mut receipts = Vec::with_capacity(group.len());
    let mut opened = Vec::new();
    for waiting in group {
        let outcome = match &waiting.parsed {
            Ok(_) => folded.next().unwrap_or_else(|| Ok(fold::Folded::default())),
            Err(fault) => Err(fault.clone()),
        };
        receipts.push(match outcome {
            Ok((receipt, fresh)) => {
                opened.extend(fresh);
                receipt
            }
            Err(fault) => Receipt { error: Some(fault), ..Receipt::default() },
        });
    }
    keep_deliveries(app, &mut unit, group, &receipts).await?;
    unit.commit().await?;
    Ok((receipts, opened))
}

/// Keeps the bodies, and tells each integration what came through it.
async fn keep_deliveries(app: &App, unit: &mut Unit<'_>, group: &[Waiting], receipts: &[Receipt]) -> Result<()> {
    let kept: Vec<_> = group.iter().zip(receipts).map(|(waiting, receipt)| delivery(app, waiting, receipt)).collect();
    integrations::insert_deliveries(&mut unit.conn, &kept).await?;
    let mut of_each: BTreeMap<IntegrationId, (Timestamp, i64, Option<&str>)> = BTreeMap::new();
    for delivery in &kept {
        let of = of_each.entry(delivery.integration_id).or_insert((delivery.received_at, 0, None));
        *of = (of.0.max(delivery.received_at), of.1 + 1, delivery.error.or(of.2));
    }
    for (integration, (at, count, error)) in of_each {
        integrations::note(&mut unit.conn, integration, at, count, error).await?;
    }
    Ok(())
}

fn delivery<'a>(app: &App, waiting: &'a Waiting, receipt: &'a Receipt) -> integrations::NewDelivery<'a> {
    integrations::NewDelivery {
        id: DeliveryId(app.uuid()),
        integration_id: waiting.integration.id,
        received_at: waiting.received_at,
        status: if receipt.error.is_none() { DeliveryStatus::Done } else { DeliveryStatus::Failed },
        error: receipt.error.as_deref(),
        alerts: i64::try_from(receipt.accepted).unwrap_or(i64::MAX),
        size: i64::try_from(waiting.size).unwrap_or(i64::MAX),
        body: &waiting.body,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_kept_of_a_body_is_all_of_it() {
        let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for body in [&b""[..], b"{}", &[b'x'; 100_000], &noise] {
            let mut read = Vec::new();
            flate2::read::DeflateDecoder::new(&packed(body)[..]).read_to_end(&mut read).expect("deflate");
            assert!(read == body, "{} bytes came back as {}", body.len(), read.len());
        }
    }
}
