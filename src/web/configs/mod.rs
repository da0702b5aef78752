//! What a config means, line by line and pool by pool: parts of the snapshot page, of `/check` and of the balancer page.

pub mod acknowledge;
pub mod check;
mod meaning;
mod text;

use askama::Template;
use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::balancer::audit::{self, Severity};
use crate::balancer::model::Gravity;
use crate::domain::id::BalancerId;
use crate::services::findings::Found;
use crate::web::extract::Session;
use crate::web::page::{Page, Shell};
use crate::web::sent::query;

pub use meaning::Meaning;
pub use text::{Text, anchor};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/check", get(check::show).post(check::check))
        .route("/rules", get(rules))
        .route("/balancers/{balancer}/acknowledge", get(acknowledge::ask))
        .route("/balancers/{balancer}/acknowledgements", post(acknowledge::add))
        .route("/balancers/{balancer}/acknowledgements/{acknowledgement}/end", post(acknowledge::end))
        .layer(axum::extract::DefaultBodyLimit::max(check::BODY_MAX))
}

/// The colour of a severity: the same four as those of incidents.
pub fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "sev1",
        Severity::High => "sev2",
        Severity::Medium => "sev3",
        Severity::Low | Severity::Info => "sev4",
    }
}

/// The colour and the word of a notice.
fn notice_mark(gravity: Gravity) -> (&'static str, &'static str) {
    match gravity {
        Gravity::Error => ("sev1", "refused"),
        Gravity::Warning => ("sev3", "warning"),
        Gravity::Note => ("sev4", "note"),
    }
}

/// Findings one below the other.
#[derive(Template)]
#[template(path = "configs/_findings.html")]
pub struct FindingList {
    pub shell: Shell,
    pub found: Vec<Found>,
    /// The page that shows the config; empty for the same page.
    pub page: String,
    /// Names of the config's files.
    pub files: Vec<String>,
    /// Where findings can be let stand; none for a config that is only tried.
    pub balancer: Option<BalancerId>,
}

impl FindingList {
    fn colour(&self, severity: &Severity) -> &'static str {
        colour(*severity)
    }

    fn title(&self, rule: &str) -> &'static str {
        audit::rule(rule).map_or("", |rule| rule.title)
    }

    /// Text in parts, those between backticks as code.
    fn coded<'t>(&self, text: &'t str) -> Vec<(bool, &'t str)> {
        text.split('`').enumerate().map(|(nth, part)| (nth % 2 == 1, part)).filter(|(_, part)| !part.is_empty()).collect()
    }

    /// Address and words of the lines that a finding names.
    fn places(&self, finding: &audit::Finding) -> Vec<(String, String)> {
        let place = |place: &crate::balancer::source::Place| {
            let name = match self.files.as_slice() {
                [] | [_] => String::new(),
                files => files.get(place.file()).map(|name| format!("{name}, ")).unwrap_or_default(),
            };
            (format!("{}#{}", self.page, text::anchor(place.file(), place.line())), format!("{name}line {}", place.line()))
        };
        finding.places.iter().filter(|place| place.line() > 0).take(4).map(place).collect()
    }

    /// Where the form is that lets it stand.
    fn acknowledge(&self, finding: &audit::Finding) -> Option<String> {
        let balancer = self.balancer.filter(|_| self.shell.may(crate::domain::access::Permission::WriteBalancers))?;
        let (pool, server) = (finding.pool.as_deref().unwrap_or_default(), finding.server.as_deref().unwrap_or_default());
        Some(format!("/balancers/{balancer}/acknowledge{}", query(&[("rule", finding.rule), ("pool", pool), ("server", server)])))
    }
}

#[derive(Template)]
#[template(path = "configs/rules.html")]
pub struct Rules {
    shell: Shell,
    rules: &'static [audit::Rule],
}

impl Rules {
    fn colour(&self, severity: &Severity) -> &'static str {
        colour(*severity)
    }

    fn kinds(&self, rule: &audit::Rule) -> String {
        rule.kinds.iter().map(|kind| kind.said()).collect::<Vec<_>>().join(", ")
    }
}

/// The handbook of rules.
async fn rules(_: Session, shell: Shell) -> Page<Rules> {
    Page(Rules { shell, rules: audit::CATALOGUE })
}
