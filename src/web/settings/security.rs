//! Where one is signed in, how signing in is guarded, and for administrators who may do what and who was refused.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::{App, SignInGate};
use crate::domain::access::{Permission, Role};
use crate::domain::event::Event;
use crate::domain::person::{PASSWORD_MIN, Person};
use crate::domain::time::Timestamp;
use crate::services::people::{SESSION_DAYS, SESSION_IDLE_HOURS};
use crate::services::sessions::OpenSession;
use crate::services::{self, sessions};
use crate::web::error::Result;
use crate::web::extract::{Path, Session, cookie, session_cookie};
use crate::web::login::signed_out;
use crate::web::page::{Page, Shell, see};

/// Refusals listed.
const REFUSED: i64 = 20;

#[derive(Template)]
#[template(path = "settings/security.html")]
pub struct Security {
    shell: Shell,
    now: Timestamp,
    sessions: Vec<OpenSession>,
    /// Whether cookies travel over HTTPS alone.
    secure: bool,
    /// All accounts; none for those who do not manage them.
    people: Option<Vec<Person>>,
    refused: Option<Vec<Event>>,
}

impl Security {
    /// Hours and days of a session, characters of a password.
    fn rules(&self) -> (i64, i64, usize) {
        (SESSION_IDLE_HOURS, SESSION_DAYS, PASSWORD_MIN)
    }

    /// Tries a minute for one account, and for all of one address.
    fn tries(&self) -> (u32, u32) {
        (SignInGate::TRIES, SignInGate::TRIES_OF_ADDRESS)
    }

    /// What such a role may do, and who has it.
    fn holders<'a>(&self, people: &'a [Person]) -> [(Role, &'static str, Vec<&'a str>); 4] {
        let of = |role, said| {
            let holds = |person: &&Person| person.role == role && person.disabled_at.is_none();
            (role, said, people.iter().filter(holds).map(|person| person.handle.as_str()).collect())
        };
        [
            of(Role::Admin, "people, alert hooks, tokens of others, settings"),
            of(Role::Editor, "publishes write-ups, manages balancers"),
            of(Role::Responder, "opens incidents, keeps timelines and tasks"),
            of(Role::Viewer, "reads"),
        ]
    }

    fn disabled(&self, people: &[Person]) -> usize {
        people.iter().filter(|person| person.disabled_at.is_some()).count()
    }

    /// A small fact of an event.
    fn fact<'a>(&self, event: &'a Event, name: &str) -> &'a str {
        event.data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    /// `Firefox on Linux`, or the beginning of what the browser said of itself.
    fn browser(&self, agent: &str) -> String {
        named(agent)
    }
}

/// The first name in each list that the text holds decides: browsers also say the names of those that they resemble.
fn named(agent: &str) -> String {
    let found = |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let browser =
        found(&[("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = found(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ if agent.trim().is_empty() => "A program that does not say its name".to_owned(),
        _ => crate::domain::time::shorten(agent, 60),
    }
}

fn secret(app: &App, headers: &HeaderMap) -> String {
    cookie(headers, session_cookie(app)).unwrap_or_default().to_owned()
}

pub async fn show(State(app): State<App>, session: Session, shell: Shell, headers: HeaderMap) -> Result<Page<Security>> {
    let actor = &session.actor;
    let people = match shell.may(Permission::ManagePeople) {
        true => Some(services::people::list(&app, actor).await?),
        false => None,
    };
    let refused = match shell.may(Permission::ReadAudit) {
        true => Some(sessions::refused(&app, actor, REFUSED).await?),
        false => None,
    };
    let sessions = sessions::mine(&app, actor, &secret(&app, &headers)).await?;
    Ok(Page(Security { shell, now: app.now(), sessions, secure: app.config().secure_cookies(), people, refused }))
}

pub async fn end(State(app): State<App>, session: Session, headers: HeaderMap, Path(id): Path<String>) -> Result<Response> {
    let this = sessions::end(&app, &session.actor, &id, &secret(&app, &headers)).await?;
    Ok(if this { signed_out(&app) } else { see("/settings/security") })
}

pub async fn end_others(State(app): State<App>, session: Session, headers: HeaderMap) -> Result<Response> {
    sessions::end_others(&app, &session.actor, &secret(&app, &headers)).await?;
    Ok(see("/settings/security"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_by_what_they_are_not_by_what_they_resemble() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0";
        let phone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1";
        assert_eq!(named(edge), "Edge on Windows");
        assert_eq!(named(phone), "Safari on iPhone");
        assert_eq!(named("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"), "Firefox on Linux");
        assert_eq!([named("curl/8.5.0"), named(" ")], ["curl/8.5.0", "A program that does not say its name"]);
    }
}
