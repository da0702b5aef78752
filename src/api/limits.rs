//! How often the API may be asked: so many requests a minute for each token, and for each address that brings none.
//!
//! Told to programs in the fields of draft-ietf-httpapi-ratelimit-headers-10 (`RateLimit-Policy`, `RateLimit`) and, when it
//! was too much, `Retry-After` (RFC 9110). Hooks are not counted here: senders drop what a 429 refused, so they have a
//! line of their own, which sheds with 503.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

use super::error::Error;
use super::extract::{Caller, bearer};
use crate::app::{App, Peer};
use crate::domain::access::Actor;
use crate::services::tokens;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
/// Keys that are remembered before those that are full again are forgotten.
const KEYS_MAX: usize = 10_000;
/// How often that may happen.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Token(Uuid),
    Address(Option<IpAddr>),
}

impl Key {
    /// The name of its policy in the fields.
    fn policy(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Address(_) => "address",
        }
    }
}

/// What the middleware holds. Cheap to clone.
#[derive(Clone)]
pub struct Limits {
    app: App,
    counted: Option<(NonZeroU32, Arc<DefaultKeyedRateLimiter<Key, StateInformationMiddleware>>)>,
    forgetting: Arc<Forgetting>,
}

/// When keys were last forgotten. Looking through all of them costs too much for each request, which may come from ever
/// new addresses.
#[derive(Default)]
struct Forgetting(Mutex<Option<Instant>>);

impl Forgetting {
    fn is_due(&self, now: Instant) -> bool {
        // Somebody else is at it.
        let Ok(mut last) = self.0.try_lock() else { return false };
        let due = last.is_none_or(|last| now - last >= FORGET_EVERY);
        if due {
            *last = Some(now);
        }
        due
    }
}

impl Limits {
    /// By the settings; 0 a minute counts nothing.
    pub fn new(app: &App) -> Self {
        let counted = NonZeroU32::new(app.config().api_per_minute).map(|most| {
            let limiter = RateLimiter::keyed(Quota::per_minute(most)).with_middleware::<StateInformationMiddleware>();
            (most, Arc::new(limiter))
        });
        Self { app: app.clone(), counted, forgetting: Arc::default() }
    }
}

/// The middleware around all routes of the API. Who asks is found here, once; handlers get it from here.
pub async fn meter(State(limits): State<Limits>, mut request: Request, next: Next) -> Response {
    let Some((most, limiter)) = limits.counted.as_ref().filter(|_| !request.uri().path().starts_with("/hooks")) else {
        return next.run(request).await;
    };
    let actor = match bearer(request.headers()) {
        // A fault is met, and told, again where the token is needed.
        Some(secret) => tokens::authenticate(&limits.app, secret).await.ok(),
        None => None,
    };
    let key = match &actor {
        Some(Actor::Token { id, .. }) => Key::Token(id.0),
        _ => Key::Address(request.extensions().get::<Peer>().map(|peer| peer.network())),
    };
    if limiter.len() > KEYS_MAX && limits.forgetting.is_due(Instant::now()) {
        limiter.retain_recent();
    }
    let (mut response, left) = match limiter.check_key(&key) {
        Ok(state) => {
            if let Some(actor) = actor {
                request.extensions_mut().insert(Caller(actor));
            }
            (next.run(request).await, state.remaining_burst_capacity())
        }
        Err(until) => {
            let wait = until.wait_time_from(limiter.clock().now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            (refusal(&key, most.get(), seconds.max(1)).into_response(), 0)
        }
    };
    // The quota comes back evenly: this long until all of it is there.
    let whole = (u64::from(most.get() - left.min(most.get())) * 60).div_ceil(u64::from(most.get()));
    let name = key.policy();
    let fields = [(POLICY, format!("\"{name}\";q={most};w=60")), (STATE, format!("\"{name}\";r={left};t={whole}"))];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(field, value);
        }
    }
    response
}

fn refusal(key: &Key, most: u32, seconds: u64) -> Error {
    let remedy = match key {
        Key::Token(_) => {
            "spread the requests, follow /api/v1/events instead of asking again and again, or give each program a token of its own"
        }
        Key::Address(_) => "send a token that is alive, which is counted by itself",
    };
    let whose = key.policy();
    Error::throttled(
        seconds,
        format!(
            "this {whose} made its {most} requests of a minute; wait {seconds} s, {remedy} (who runs the server sets the number with AFTERLOAD_API_PER_MINUTE)"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_forgotten_once_a_second_at_most() {
        let (forgetting, start) = (Forgetting::default(), Instant::now());
        let due = [0, 1, 999, 1_000, 1_001, 2_500].map(|ms| forgetting.is_due(start + Duration::from_millis(ms)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
