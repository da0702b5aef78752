//! All balancers that are recorded, and whether each answers.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::balancer::Balancer;
use crate::domain::time::Timestamp;
use crate::services;
use crate::web::error::Result;
use crate::web::extract::Session;
use crate::web::page::{Page, Shell};

#[derive(Template)]
#[template(path = "balancers/list.html")]
struct List {
    shell: Shell,
    rows: Rows,
}

#[derive(Template)]
#[template(path = "balancers/_list.html")]
struct Rows {
    shell: Shell,
    now: Timestamp,
    balancers: Vec<Balancer>,
}

pub async fn show(State(app): State<App>, session: Session, shell: Shell) -> Result<Response> {
    let balancers = services::balancers::list(&app, &session.actor).await?;
    let rows = Rows { shell: shell.clone(), now: app.now(), balancers };
    if shell.wants_fragment() {
        return Ok(Page(rows).into_response());
    }
    Ok(Page(List { shell, rows }).into_response())
}

impl List {
    fn may_add(&self) -> bool {
        self.shell.may(Permission::WriteBalancers)
    }
}
