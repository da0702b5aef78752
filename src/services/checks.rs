//! A config that is only tried: understood, held against the rules, and forgotten again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::{self, CONFIG_MAX, Moment};
use super::{Result, findings::Found};
use crate::app::App;
use crate::balancer::audit::{self, Case};
use crate::balancer::change::Change;
use crate::balancer::model::{Gravity, Model};
use crate::balancer::source::Source;
use crate::balancer::{self, redact};
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::balancer::BalancerKind;

/// What is tried. Nothing of it is stored.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Candidate {
    /// Several files stand one after another, each after a line `# configuration file PATH:`.
    pub config: String,
    /// Found out where it is not said.
    pub kind: Option<BalancerKind>,
    /// The config that it would replace: adds what changes, and the rules about changes.
    pub against: Option<String>,
    /// What the running balancer says of itself.
    pub state: Option<String>,
    /// The balancer's version, such as `3.2`: some defaults depend on it.
    pub balancer_version: Option<String>,
}

/// What was understood.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Checked {
    pub kind: BalancerKind,
    /// Whether the balancer would start with it, as far as we can tell; `model.notices` say why not.
    pub accepted: bool,
    /// The gravest first.
    pub findings: Vec<Found>,
    /// Against the config that it would replace, by consequence.
    pub changes: Vec<Change>,
    pub model: Model,
    /// The text with its secrets taken out.
    pub config: String,
}

pub async fn check(app: &App, actor: &Actor, candidate: Candidate) -> Result<Checked> {
    actor.may(Permission::ReadBalancers)?;
    for (field, text) in [("config", Some(&candidate.config)), ("against", candidate.against.as_ref())] {
        if text.is_some_and(|text| text.len() > CONFIG_MAX) {
            let detail = format!("at most {} MiB are taken; name the config itself", CONFIG_MAX / 1024 / 1024);
            return Err(Error::invalid(field, "too_large", detail).into());
        }
    }
    let app = app.clone();
    tokio::task::spawn_blocking(move || understand(&app, candidate)).await.map_err(anyhow::Error::from)?
}

fn understand(app: &App, candidate: Candidate) -> Result<Checked> {
    let sources = Source::split("config", &candidate.config);
    if candidate.config.contains('\0') {
        return Err(
            Error::invalid("config", "not_text", "this holds NUL bytes: it is no text; send the config file itself").into()
        );
    }
    let kind = candidate.kind.or_else(|| balancer::detect(&sources)).filter(|kind| balancer::is_config(*kind, &candidate.config));
    let kind = kind.ok_or_else(|| {
        let detail = match candidate.kind {
            Some(kind) => format!("this is no config of {}; send the whole config, or another kind", kind.said()),
            None => {
                "this is no config of HAProxy, nginx, Envoy, Traefik or Caddy; send the whole config, or say its kind".to_owned()
            }
        };
        Error::invalid("config", "not_understood", detail)
    })?;
    let state = match candidate.state.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(balancer::state(kind, text).map_err(|detail| Error::invalid("state", "not_understood", detail))?),
        None => None,
    };
    let moment = |text: &str, state| {
        let text = redact::redact(kind, text, app.redaction_key()).text;
        Moment::with_version(kind, Some(text), state, candidate.balancer_version.as_deref())
    };
    let now = moment(&candidate.config, state);
    let before = candidate.against.as_deref().map(|text| moment(text, None));
    let changes = before.as_ref().map(|before| recording::changes(before, &now));
    let model = now.effective().unwrap_or_default();
    let old = before.as_ref().and_then(|before| before.model.as_ref());
    let case = Case { model: &model, has_state: now.state.is_some(), before: old.zip(changes.as_deref()) };
    let findings = audit::audit(&case, &Default::default());
    Ok(Checked {
        kind,
        accepted: !model.notices.iter().any(|notice| notice.gravity == Gravity::Error),
        findings: findings.into_iter().map(|finding| Found { finding, acknowledged: None }).collect(),
        changes: changes.unwrap_or_default(),
        config: now.config.unwrap_or_default(),
        model,
    })
}
