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

/// From the request for a lease, another server may lead after this long.
const ENDS_AFTER: Duration = Duration::from_secs(LEASE_SECONDS.unsigned_abs());
/// Without an answer, the work goes on only while there is time for another request.
const PATIENCE: Duration = ENDS_AFTER.saturating_sub(RENEW_EVERY);

/// The lease, as far as this server knows.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Lease {
    /// When it was asked for what the database last gave; none while this server does not lead.
    held: Option<Instant>,
}

impl Lease {
    /// What is known after a request that began at `asked`; `answer` is none where the database gave none. Only its yes
    /// prolongs anything, since another server may lead as soon as the time of the last yes is over.
    fn after(self, answer: Option<bool>, asked: Instant, now: Instant) -> Self {
        let held = match answer {
            Some(true) => Some(asked),
            Some(false) => None,
            None => self.held.filter(|held| now - *held < PATIENCE),
        };
        Self { held }
    }

    /// How long a request that begins at `asked` may take: it may hang with the database, and the lease ends meanwhile.
    fn most(self, asked: Instant) -> Duration {
        self.held.map_or(RENEW_EVERY, |held| (held + ENDS_AFTER).saturating_duration_since(asked).min(RENEW_EVERY))
    }
}

/// Runs what one server alone may run, while this one is it.
pub async fn run(app: App) {
    let me = app.uuid();
    let mut lease = Lease::default();
    let mut work: Option<Vec<AbortOnDropHandle<()>>> = None;
    let mut tick = interval(RENEW_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.shutdown().cancelled() => break,
        }
        let asked = Instant::now();
        let answer = match tokio::time::timeout(lease.most(asked), replicas::lead(&app, me)).await {
            Ok(Ok(leads)) => Some(leads),
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "who leads cannot be asked");
                None
            }
            Err(_) => None,
        };
        lease = lease.after(answer, asked, Instant::now());
        let leads = lease.held.is_some();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_databases_yes_prolongs_the_lease() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lease = Lease::default().after(None, at(0), at(0));
        assert_eq!(lease.held, None, "who never led does not begin without an answer");
        lease = lease.after(Some(true), at(3), at(4));
        // It refuses, each time at once: the lease of second 3 ends in the database at second 13.
        for second in [6, 9] {
            lease = lease.after(None, at(second), at(second));
            assert_eq!(lease.held, Some(at(3)), "at {second}");
        }
        assert_eq!(lease.most(at(12)), Duration::from_secs(1), "a request that hangs does not outlast the lease");
        assert_eq!(lease.after(None, at(12), at(13)).held, None, "given up before another server can begin");
        assert_eq!(lease.after(Some(true), at(9), at(9)).held, Some(at(9)));
        assert_eq!(lease.after(Some(false), at(9), at(9)).held, None, "another server leads");
    }
}
