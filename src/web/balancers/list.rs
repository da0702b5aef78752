//! All balancers that are recorded, and whether each answers.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::domain::access::Permission;
use crate::web::balancers::Answers;
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
    answers: Answers,
}

pub async fn show(State(app): State<App>, session: Session, shell: Shell) -> Result<Response> {
    let rows = Rows { answers: Answers::read(&app, &session.actor, shell.zone()).await? };
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
