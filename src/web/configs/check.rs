//! `/check`: a config is pasted, understood and held against the rules; nothing is stored.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{FindingList, Meaning, Text, notice_mark};
use crate::app::App;
use crate::balancer::change::Change;
use crate::balancer::model::{Gravity, Notice};
use crate::domain::access::Permission;
use crate::domain::balancer::BalancerKind;
use crate::services::checks::{self, Candidate, Checked};
use crate::services::recording::CONFIG_MAX;
use crate::web::error::Result;
use crate::web::extract::{Form, Session};
use crate::web::page::{Page, Shell};
use crate::web::sent::Sent;

/// Two configs of the largest size, percent-encoded.
pub const BODY_MAX: usize = 4 * CONFIG_MAX;
/// Notices in the list; all stand at their lines.
const NOTICES: usize = 30;

#[derive(Template)]
#[template(path = "configs/check.html")]
pub struct CheckPage {
    shell: Shell,
    sent: Sent,
    answer: Option<Answer>,
}

struct Answer {
    kind: BalancerKind,
    accepted: bool,
    changes: Vec<Change>,
    compared: bool,
    notices: Vec<Notice>,
    findings: FindingList,
    count: usize,
    meaning: Meaning,
    text: Text,
}

impl Answer {
    fn new(shell: &Shell, checked: Checked, compared: bool) -> Self {
        let Checked { kind, accepted, findings, changes, model, config } = checked;
        let text = Text::new(&config, &findings, &model.notices, None);
        let mut notices = model.notices.clone();
        notices.sort_by_key(|notice| std::cmp::Reverse(notice.gravity));
        notices.truncate(NOTICES);
        let count = findings.len();
        let files = model.files.clone();
        let findings = FindingList { shell: shell.clone(), found: findings, page: String::new(), files, balancer: None };
        Self { kind, accepted, changes, compared, notices, findings, count, meaning: Meaning::new(model), text }
    }
}

impl CheckPage {
    fn kinds(&self) -> &'static [BalancerKind] {
        BalancerKind::ALL
    }

    fn mark(&self, gravity: &Gravity) -> (&'static str, &'static str) {
        notice_mark(*gravity)
    }
}

pub async fn show(session: Session, shell: Shell) -> Result<Page<CheckPage>> {
    session.actor.may(Permission::ReadBalancers)?;
    Ok(Page(CheckPage { shell, sent: Sent::default(), answer: None }))
}

pub async fn check(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let given = |name: &str| Some(sent.value(name).to_owned()).filter(|text| !text.trim().is_empty());
    let candidate = Candidate {
        config: sent.value("config").replace("\r\n", "\n"),
        kind: sent.value("kind").parse().ok(),
        against: given("against").map(|text| text.replace("\r\n", "\n")),
        state: given("state"),
        balancer_version: given("balancer_version"),
    };
    let compared = candidate.against.is_some();
    match checks::check(&app, &session.actor, candidate).await {
        Ok(checked) => {
            let answer = Some(Answer::new(&shell, checked, compared));
            Ok(Page(CheckPage { shell, sent, answer }).into_response())
        }
        Err(error) => {
            let sent = sent.refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(CheckPage { shell, sent, answer: None })).into_response())
        }
    }
}
