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

/// The address, name and purpose of each place of the settings that the reader may see.
fn places(shell: &Shell) -> Vec<(&'static str, &'static str, &'static str)> {
    use Permission::{ManageIntegrations, ManageOwnTokens, ManagePeople, ReadAudit, ReadBalancers};
    let places = [
        (Some(ManageIntegrations), ("/settings/integrations", "Alert hooks", "Where alerts come in, and what came in last.")),
        (Some(ReadBalancers), ("/balancers", "Balancers", "What is recorded, and how it is reached.")),
        (Some(ManagePeople), ("/settings/people", "People", "Accounts and what each may do.")),
        (Some(ManageOwnTokens), ("/settings/tokens", "API tokens", "For scripts that act in your name.")),
        (None, ("/settings/account", "Your account", "Password, theme and zone.")),
        (None, ("/settings/security", "Security", "Where you are signed in, and how signing in is guarded.")),
        (Some(ReadAudit), ("/settings/audit", "Audit log", "Who did what, and when.")),
        (Some(ReadBalancers), ("/settings/about", "About and health", "Version, database, recorder, disk and last backup.")),
    ];
    let allowed = places.into_iter().filter(|(needs, _)| needs.is_none_or(|needs| shell.may(needs)));
    allowed.map(|(_, place)| place).collect()
}

async fn index(_: Session, shell: Shell) -> Result<Page<Index>> {
    Ok(Page(Index { shell }))
}
