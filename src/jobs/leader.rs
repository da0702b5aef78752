//! Who leads: recorder and clean-up run on one server of an installation, and on another one soon after it is gone.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::{housekeeping, recorder, supervised};
use crate::app::App;
use crate::services::replicas::{self, LEASE_SECONDS};

const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How soon pages of one server show what happened on another.
const LISTEN_EVERY: Duration = Duration::from_millis(500);

/// Runs what one server alone may run, while this one is it.
pub async fn run(app: App) {
    let me = app.uuid();
    // A request for the lease may hang with the database: the work stops before another server can begin it.
    let patience = Duration::from_secs(LEASE_SECONDS.unsigned_abs()) - RENEW_EVERY;
    let mut held = Instant::now();
    let mut work: Option<Vec<AbortOnDropHandle<()>>> = None;
    let mut tick = interval(RENEW_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.shutdown().cancelled() => break,
        }
        let asked = Instant::now();
        let leads = match tokio::time::timeout(RENEW_EVERY, replicas::lead(&app, me)).await {
            Ok(Ok(leads)) => leads,
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "who leads cannot be asked");
                work.is_some() && held.elapsed() < patience
            }
            Err(_) => work.is_some() && held.elapsed() < patience,
        };
        if leads && asked.elapsed() < RENEW_EVERY {
            held = asked;
        }
        app.set_leads(leads);
        if leads && work.is_none() {
            if replicas::possible(&app) {
                tracing::info!("this server leads: it polls the balancers from now on");
            }
            work = Some(vec![
                AbortOnDropHandle::new(supervised(&app, "recorder", recorder::run)),
                AbortOnDropHandle::new(supervised(&app, "housekeeping", housekeeping::run)),
            ]);
        } else if !leads && work.take().is_some() {
            tracing::warn!("this server leads no longer: another one polls the balancers");
        }
    }
    drop(work);
    if let Err(fault) = replicas::resign(&app, me).await {
        tracing::debug!(%fault, "the lease could not be given back; it ends by itself");
    }
}

/// Hears of what other servers wrote.
pub async fn listen(app: App) {
    let mut tick = interval(LISTEN_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut deaf = false;
    while replicas::possible(&app) {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.shutdown().cancelled() => return,
        }
        let heard = replicas::listen(&app).await;
        app.database_answered(heard.is_ok());
        match heard {
            Ok(()) if std::mem::take(&mut deaf) => tracing::info!("the database answers again"),
            Ok(()) => {}
            Err(fault) if !std::mem::replace(&mut deaf, true) => tracing::warn!(%fault, "the database does not answer"),
            Err(_) => {}
        }
    }
}
