//! Alert hooks: one address for each source, its deliveries and what was wrong with them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::domain;
use crate::domain::id::IntegrationId;
use crate::domain::integration::{Delivery, DeliveryStatus, Format, Integration, NewIntegration};
use crate::domain::time::Timestamp;
use crate::services::{self, Page as Rows};
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Query, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::{Sent, query};

/// A hook address, shown this once.
struct Fresh {
    integration: Integration,
    address: String,
    /// Whether an older key still works for a day.
    rotated: bool,
}

impl Fresh {
    fn new(app: &App, integration: Integration, path: &str, rotated: bool) -> Self {
        Self { integration, address: format!("{}{path}", app.config().public_url()), rotated }
    }

    /// What to write into the sender's own settings.
    fn snippet(&self) -> String {
        let url = &self.address;
        match self.integration.format {
            Format::Alertmanager => format!(
                "# alertmanager.yml\nreceivers:\n  - name: afterload\n    webhook_configs:\n      - url: {url}\n        \
                 send_resolved: true\n\nroute:\n  receiver: afterload\n  group_by: [alertname, service]"
            ),
            Format::Grafana => format!(
                "Alerting → Contact points → Add contact point\n  Integration:  Webhook\n  URL:          {url}\n  HTTP method:  POST"
            ),
            Format::Generic => format!(
                "curl -sS {url} \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\"status\": \"firing\", \"title\": \"Shop answers 5xx\", \
                 \"dedup_key\": \"shop-5xx\", \"severity\": \"critical\"}}'"
            ),
        }
    }
}

#[derive(Template)]
#[template(path = "settings/integrations.html")]
pub struct List {
    shell: Shell,
    now: Timestamp,
    sent: Sent,
    integrations: Vec<Integration>,
    fresh: Option<Fresh>,
}

impl List {
    /// Whether the newest delivery was the one that failed.
    fn is_failing(&self, integration: &Integration) -> bool {
        integration.last_error_at.is_some_and(|failed| integration.last_delivery_at.is_none_or(|last| failed >= last))
    }
}

async fn page(app: &App, session: &Session, shell: Shell, sent: Sent, fresh: Option<Fresh>) -> Result<Page<List>> {
    let integrations = services::integrations::list(app, &session.actor).await?;
    Ok(Page(List { shell, now: app.now(), sent, integrations, fresh }))
}

pub async fn list(State(app): State<App>, session: Session, shell: Shell) -> Result<Page<List>> {
    page(&app, &session, shell, Sent::default().with("format", Format::Alertmanager.as_str()), None).await
}

pub async fn create(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let format = sent.value("format").parse::<Format>();
    let created = match format.map_err(|_| domain::Error::invalid("format", "unknown_word", "choose one of the sources")) {
        Ok(format) => {
            let new = NewIntegration { name: sent.value("name").to_owned(), format };
            services::integrations::create(&app, &session.actor, new).await
        }
        Err(error) => Err(error.into()),
    };
    match created {
        // Not a redirect: the address is known in this answer alone.
        Ok((integration, path)) => {
            let fresh = Fresh::new(&app, integration, &path, false);
            let sent = Sent::default().with("format", Format::Alertmanager.as_str());
            Ok(page(&app, &session, shell, sent, Some(fresh)).await?.into_response())
        }
        Err(error) => {
            let sent = sent.refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&app, &session, shell, sent, None).await?).into_response())
        }
    }
}

#[derive(Template)]
#[template(path = "settings/integration.html")]
pub struct Show {
    shell: Shell,
    now: Timestamp,
    integration: Integration,
    deliveries: Vec<Delivery>,
    older: Option<String>,
    fresh: Option<Fresh>,
}

#[derive(Deserialize, Default)]
pub struct Asked {
    cursor: Option<String>,
}

async fn one(
    app: &App,
    session: &Session,
    shell: Shell,
    id: IntegrationId,
    asked: Asked,
    fresh: Option<Fresh>,
) -> Result<Page<Show>> {
    let integration = services::integrations::find(app, &session.actor, id).await?;
    let rows = Rows { limit: Some(30), cursor: asked.cursor };
    let page = services::integrations::deliveries(app, &session.actor, id, &rows).await?;
    let older = page.next_cursor.map(|cursor| query(&[("cursor", &cursor)]));
    Ok(Page(Show { shell, now: app.now(), integration, deliveries: page.items, older, fresh }))
}

pub async fn show(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<IntegrationId>,
    Query(asked): Query<Asked>,
) -> Result<Page<Show>> {
    one(&app, &session, shell, id, asked, None).await
}

pub async fn rotate(State(app): State<App>, session: Session, shell: Shell, Path(id): Path<IntegrationId>) -> Result<Page<Show>> {
    let path = services::integrations::rotate_key(&app, &session.actor, id).await?;
    let integration = services::integrations::find(&app, &session.actor, id).await?;
    let fresh = Fresh::new(&app, integration, &path, true);
    one(&app, &session, shell, id, Asked::default(), Some(fresh)).await
}

#[derive(Deserialize)]
pub struct Switch {
    #[serde(default)]
    disabled: bool,
}

pub async fn set_disabled(
    State(app): State<App>,
    session: Session,
    Path(id): Path<IntegrationId>,
    Form(switch): Form<Switch>,
) -> Result<Response> {
    services::integrations::set_disabled(&app, &session.actor, id, switch.disabled).await?;
    Ok(see(&format!("/settings/integrations/{id}")))
}
