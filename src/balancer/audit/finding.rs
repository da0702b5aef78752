//! How a rule writes down what it saw, and how findings are told apart and ordered.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::{Finding, Rule, Severity};
use crate::balancer::model::{Listener, Pool, Server};
use crate::balancer::source::Place;

impl Finding {
    /// As grave as its rule unless [`Finding::graded`] says less.
    fn new(message: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { severity: Severity::Critical, message: message.into(), remedy: remedy.into(), ..Self::default() }
    }

    /// About a whole pool; its place is the pool's.
    pub(super) fn pool(pool: &Pool, message: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { pool: Some(pool.name.clone()), ..Self::new(message, remedy) }.at(&pool.place)
    }

    /// About one server; its place is the server's, then the pool's.
    pub(super) fn server(pool: &Pool, server: &Server, message: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { server: Some(server.name.clone()), ..Self::pool(pool, message, remedy) }.at(&server.place)
    }

    pub(super) fn listener(listener: &Listener, message: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self::process(&format!("listener {}", listener.name), &listener.place, message, remedy)
    }

    /// About neither a pool nor a server: `subject` says what, and never holds a line number.
    pub(super) fn process(
        subject: &str,
        place: &Place,
        message: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { subject: Some(subject.to_owned()), ..Self::new(message, remedy) }.at(place)
    }

    /// Where it is mainly, before the places that it has.
    pub(super) fn at(mut self, place: &Place) -> Self {
        if place.is_written() {
            self.places.insert(0, place.clone());
        }
        self
    }

    /// Where it is too.
    pub(super) fn also<'a>(mut self, places: impl IntoIterator<Item = &'a Place>) -> Self {
        self.places.extend(places.into_iter().filter(|place| place.is_written()).take(PLACES_MAX).cloned());
        self
    }

    /// Tells it from other findings of the same rule on the same pool.
    pub(super) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn with(mut self, name: &'static str, number: f64) -> Self {
        self.numbers.insert(name, number);
        self
    }

    /// Less grave than the rule says.
    pub(super) fn graded(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Says whose it is; it is no graver than its rule.
    pub(super) fn set_rule(&mut self, rule: &Rule) {
        self.rule = rule.id;
        self.severity = self.severity.min(rule.severity);
    }

    /// The same for the same trouble in later snapshots, wherever its lines move to: rule, pool, server and what else
    /// tells it apart, with `/` between them (`LB001/web`, `LB015/web/s2`). A `/` or `%` in a name is written `%2F`, `%25`.
    pub fn identity(&self) -> String {
        let part = |text: &Option<String>| text.as_deref().unwrap_or_default().replace('%', "%25").replace('/', "%2F");
        let parts = [self.rule.to_owned(), part(&self.pool), part(&self.server), part(&self.subject)];
        parts.join("/").trim_end_matches('/').to_owned()
    }
}

/// Other places that one finding names at most: a pool may have thousands of servers.
const PLACES_MAX: usize = 20;

/// The gravest first; then as they stand in the files.
pub(super) fn sort(findings: Vec<Finding>) -> Vec<Finding> {
    let place = |finding: &Finding| finding.places.first().map_or((usize::MAX, 0), |p| (p.file(), p.span().start));
    let key = |(at, finding): (usize, &Finding)| (Reverse(finding.severity), place(finding), at);
    let mut order: Vec<_> = findings.iter().enumerate().map(key).collect();
    order.sort_unstable_by(|(a, here, x), (b, there, y)| {
        let names = |at: usize| (findings[at].rule, &findings[at].pool, &findings[at].server, &findings[at].subject);
        (a, here).cmp(&(b, there)).then_with(|| names(*x).cmp(&names(*y))).then(x.cmp(y))
    });
    // Moved once: they are large.
    let mut findings: Vec<_> = findings.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(.., at)| findings[at].take()).collect()
}
