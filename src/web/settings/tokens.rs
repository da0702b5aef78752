//! API tokens: made once, shown once.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::domain;
use crate::domain::access::Scope;
use crate::domain::error::FieldErrors;
use crate::domain::id::TokenId;
use crate::domain::person::Token;
use crate::domain::time::Timestamp;
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

#[derive(Template)]
#[template(path = "settings/tokens.html")]
pub struct List {
    shell: Shell,
    now: Timestamp,
    sent: Sent,
    tokens: Vec<Token>,
    /// The token just made and its secret, shown this once.
    fresh: Option<(Token, String)>,
    base_url: String,
}

impl List {
    fn scopes(&self) -> [(Scope, &'static str); 8] {
        Scope::ALL.map(|scope| {
            let said = match scope {
                Scope::Admin => "everything that you may",
                Scope::IncidentsRead => "incidents, timelines, tasks, alerts",
                Scope::IncidentsWrite => "open and change incidents and timelines",
                Scope::TasksWrite => "change corrective tasks",
                Scope::PostmortemsPublish => "publish write-ups",
                Scope::BalancersRead => "balancers and snapshots",
                Scope::BalancersWrite => "change balancers, push snapshots",
                Scope::AlertsWrite => "send and change alerts",
            };
            (scope, said)
        })
    }

    fn words(&self, token: &Token) -> String {
        token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn example(&self, secret: &str) -> String {
        format!("curl -sS {}/api/v1/incidents \\\n  -H 'Authorization: Bearer {secret}'", self.base_url)
    }
}

async fn page(app: &App, session: &Session, shell: Shell, sent: Sent, fresh: Option<(Token, String)>) -> Result<Page<List>> {
    let mut tokens = services::tokens::list(app, &session.actor).await?;
    tokens.sort_by_key(|token| (token.revoked_at.is_some(), std::cmp::Reverse(token.created_at)));
    Ok(Page(List { shell, now: app.now(), sent, tokens, fresh, base_url: app.config().public_url() }))
}

pub async fn list(State(app): State<App>, session: Session, shell: Shell) -> Result<Page<List>> {
    page(&app, &session, shell, Sent::default().with("days", "90"), None).await
}

pub async fn create(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let made = match asked(&sent) {
        Ok((scopes, days)) => services::tokens::create(&app, &session.actor, sent.value("name"), scopes, days).await,
        Err(error) => Err(error.into()),
    };
    match made {
        // Not a redirect: the secret is known in this answer alone.
        Ok(fresh) => {
            let sent = Sent::default().with("days", "90");
            Ok(page(&app, &session, shell, sent, Some(fresh)).await?.into_response())
        }
        Err(error) => {
            let sent = sent.refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&app, &session, shell, sent, None).await?).into_response())
        }
    }
}

fn asked(sent: &Sent) -> Result<(Vec<Scope>, Option<i64>), domain::Error> {
    let mut errors = FieldErrors::default();
    let scopes = sent.all("scopes").map(str::parse).collect::<Result<Vec<Scope>, _>>()?;
    let days = match sent.value("days").trim() {
        "" => None,
        days => days.parse().map_err(|_| errors.push("days", "not_a_number", "write a whole number of days")).ok(),
    };
    errors.into_result()?;
    Ok((scopes, days))
}

pub async fn revoke(State(app): State<App>, session: Session, Path(id): Path<TokenId>) -> Result<Response> {
    services::tokens::revoke(&app, &session.actor, id).await?;
    Ok(see("/settings/tokens"))
}
