//! What is set up once: alert hooks, people, tokens, one's own account and sessions; the log of who did what, and how
//! the installation does.

mod about;
mod account;
mod audit;
mod integrations;
mod people;
mod security;
mod tokens;
mod trial;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::error::Result;
use super::extract::Session;
use super::page::{Page, Shell};
use crate::app::App;
use crate::domain::access::Permission;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/settings", get(index))
        .route("/settings/integrations", get(integrations::list).post(integrations::create))
        .route("/settings/integrations/{integration}", get(integrations::show))
        .route("/settings/integrations/{integration}/key", post(integrations::rotate))
        .route("/settings/integrations/{integration}/disabled", post(integrations::set_disabled))
        .route(
            "/settings/integrations/{integration}/test",
            get(trial::ask).post(trial::run).layer(DefaultBodyLimit::max(trial::FORM_MAX)),
        )
        .route("/settings/people", get(people::list).post(people::add))
        .route("/settings/people/{person}/role", post(people::set_role))
        .route("/settings/people/{person}/disabled", post(people::set_disabled))
        .route("/settings/tokens", get(tokens::list).post(tokens::create))
        .route("/settings/tokens/{token}/revoke", post(tokens::revoke))
        .route("/settings/account", get(account::show))
        .route("/settings/account/password", post(account::change_password))
        .route("/settings/security", get(security::show))
        .route("/settings/security/sessions/{session}/end", post(security::end))
        .route("/settings/security/others/end", post(security::end_others))
        .route("/settings/audit", get(audit::show))
        .route("/settings/about", get(about::show))
}

#[derive(Template)]
#[template(path = "settings/index.html")]
struct Index {
    shell: Shell,
}

impl Index {
    fn places(&self) -> [(bool, &'static str, &'static str, &'static str); 8] {
        let may = |permission| self.shell.may(permission);
        [
            (
                may(Permission::ManageIntegrations),
                "/settings/integrations",
                "Alert hooks",
                "Where alerts come in, and what came in last.",
            ),
            (may(Permission::ReadBalancers), "/balancers", "Balancers", "What is recorded, and how it is reached."),
            (may(Permission::ManagePeople), "/settings/people", "People", "Accounts and what each may do."),
            (may(Permission::ManageOwnTokens), "/settings/tokens", "API tokens", "For scripts that act in your name."),
            (true, "/settings/account", "Your account", "Password, theme and zone."),
            (true, "/settings/security", "Security", "Where you are signed in, and how signing in is guarded."),
            (may(Permission::ReadAudit), "/settings/audit", "Audit log", "Who did what, and when."),
            (
                may(Permission::ReadBalancers),
                "/settings/about",
                "About and health",
                "Version, database, recorder, disk and last backup.",
            ),
        ]
    }
}

async fn index(_: Session, shell: Shell) -> Result<Page<Index>> {
    Ok(Page(Index { shell }))
}
