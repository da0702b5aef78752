//! Failures as pages: what happened, what is safe, what to do next.

use askama::Template;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::page::{Page, Shell};
use crate::domain;
use crate::domain::error::FieldError;
use crate::services;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a handler gives back when it cannot give a page.
#[derive(Debug)]
pub enum Error {
    /// A page that explains.
    Page(Box<Shown>),
    /// To the login page, and back to this path afterwards.
    SignIn(String),
}

/// What the error page says.
#[derive(Debug, Clone)]
pub struct Shown {
    pub status: StatusCode,
    pub title: &'static str,
    pub detail: String,
    /// What was not lost.
    pub safe: &'static str,
    pub fields: Vec<FieldError>,
    retry_after: Option<u64>,
    /// For the log alone.
    cause: Option<String>,
}

impl Shown {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>, safe: &'static str) -> Self {
        Self { status, title, detail: detail.into(), safe, fields: Vec::new(), retry_after: None, cause: None }
    }

    pub fn code(&self) -> u16 {
        self.status.as_u16()
    }
}

const KEPT: &str = "Nothing was saved. What you typed is still in the form: go back with your browser and send it again.";
const UNTOUCHED: &str = "Nothing was changed.";

impl Error {
    pub fn sign_in(next: &str) -> Self {
        Self::SignIn(next.to_owned())
    }

    /// No such page.
    pub fn not_here() -> Self {
        Shown::new(
            StatusCode::NOT_FOUND,
            "There is nothing here",
            "The address may be mistyped, or what it named was deleted or is not visible to you.",
            "",
        )
        .into()
    }

    /// The one-time setup link after its time.
    pub fn setup_done() -> Self {
        Shown::new(
            StatusCode::NOT_FOUND,
            "Setup is over",
            "This server has its first account. Sign in; who has none asks an administrator for one.",
            "",
        )
        .into()
    }

    /// A request that no form or link of ours makes.
    pub fn unreadable(what: String) -> Self {
        Shown::new(StatusCode::BAD_REQUEST, "This request could not be read", what, KEPT).into()
    }

    /// A body that could not be taken.
    pub fn of_body(status: StatusCode) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                domain::Error::TooLarge("It is more than fits into one form; cut it, or send it in parts.".to_owned()).into()
            }
            _ => Self::unreadable("The connection broke while the form was being sent.".to_owned()),
        }
    }

    /// What is wrong with a form's fields, or `None` when this is another failure.
    pub fn fields(&self) -> Option<&[FieldError]> {
        match self {
            Self::Page(shown) if shown.status == StatusCode::UNPROCESSABLE_ENTITY => Some(&shown.fields),
            _ => None,
        }
    }
}

impl From<Shown> for Error {
    fn from(shown: Shown) -> Self {
        Self::Page(Box::new(shown))
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        use domain::Error as D;
        let detail = error.to_string();
        match error {
            D::NotFound { .. } => Shown::new(StatusCode::NOT_FOUND, "There is nothing here", sentence(&detail), ""),
            D::SignInRequired => Shown::new(
                StatusCode::UNAUTHORIZED,
                "You are signed out",
                "Your session ended. Sign in in another tab, then come back here and send again.",
                KEPT,
            ),
            D::Forbidden(_) => Shown::new(StatusCode::FORBIDDEN, "You may not do this", sentence(&detail), UNTOUCHED),
            D::Conflict { .. } => Shown::new(StatusCode::CONFLICT, "Somebody was faster", sentence(&detail), KEPT),
            D::Invalid(errors) => Shown {
                fields: errors.0,
                ..Shown::new(StatusCode::UNPROCESSABLE_ENTITY, "Something in the form needs another look", "", KEPT)
            },
            D::TooLarge(_) => Shown::new(StatusCode::PAYLOAD_TOO_LARGE, "This is too large", sentence(&detail), KEPT),
            D::Unavailable(_) => Shown {
                retry_after: Some(5),
                ..Shown::new(StatusCode::SERVICE_UNAVAILABLE, "Not possible right now", sentence(&detail), KEPT)
            },
            D::Full => Shown {
                retry_after: Some(60),
                ..Shown::new(StatusCode::INSUFFICIENT_STORAGE, "The disk is full", sentence(&detail), KEPT)
            },
            D::Throttled { seconds } => Shown {
                retry_after: Some(seconds),
                ..Shown::new(StatusCode::TOO_MANY_REQUESTS, "Too many tries", sentence(&detail), UNTOUCHED)
            },
            D::PreconditionRequired(_) => Shown::new(
                StatusCode::PRECONDITION_REQUIRED,
                "This form is out of date",
                "Open the page again and repeat the change.",
                KEPT,
            ),
        }
        .into()
    }
}

/// `this incident was not found` becomes `This incident was not found.`
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

impl From<anyhow::Error> for Error {
    fn from(fault: anyhow::Error) -> Self {
        Shown {
            cause: Some(format!("{fault:#}")),
            ..Shown::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something broke on our side",
                "This is a fault of Afterload, not of what you did. The log of the server holds the cause under the number below.",
                "What was saved before is safe. What you just sent may not be saved: go back, copy your text and try again.",
            )
        }
        .into()
    }
}

impl From<services::Error> for Error {
    fn from(error: services::Error) -> Self {
        match error {
            services::Error::Domain(error) => error.into(),
            services::Error::Store(fault) => anyhow::Error::from(fault).into(),
            services::Error::Internal(fault) => fault.into(),
        }
    }
}

impl IntoResponse for Error {
    /// The page itself is drawn by [`super::page::frame`], which knows who asks and in which theme.
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(next) => {
                let to = format!("/login?next={}", encode(&next));
                let location = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/login"));
                (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
            }
            Self::Page(shown) => {
                let mut response = shown.status.into_response();
                if let Some(seconds) = shown.retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                response.extensions_mut().insert(*shown);
                response
            }
        }
    }
}

/// Percent-encodes all but unreserved characters and `/`.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: &'a Shell,
    shown: &'a Shown,
}

#[derive(Template)]
#[template(path = "error.html", block = "said")]
struct ErrorFragment<'a> {
    shell: &'a Shell,
    shown: &'a Shown,
}

/// Draws the page, or the same words as a fragment for the script, and keeps the headers of `bare`.
pub fn render(shell: &Shell, shown: &Shown, bare: Response) -> Response {
    if let Some(cause) = &shown.cause {
        tracing::error!(request_id = shell.request_id(), path = shell.here(), cause, "a request failed");
    }
    let mut response = if shell.wants_fragment() {
        Page(ErrorFragment { shell, shown }).into_response()
    } else {
        Page(ErrorPage { shell, shown }).into_response()
    };
    *response.status_mut() = shown.status;
    for (name, value) in bare.headers() {
        response.headers_mut().entry(name).or_insert(value.clone());
    }
    response
}

/// The answer to an address that names nothing.
pub async fn nowhere() -> Error {
    Error::not_here()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_through_the_login_page() {
        assert_eq!(encode("/incidents/INC-1?show=pinned&a=ü"), "/incidents/INC-1%3Fshow%3Dpinned%26a%3D%C3%BC");
    }

    #[test]
    fn every_failure_says_what_is_safe_in_whole_sentences() {
        let errors = [
            domain::Error::NotFound { what: "this task" },
            domain::Error::SignInRequired,
            domain::Error::Forbidden("a viewer may not change incidents".into()),
            domain::Error::invalid("title", "required", "write a few words here"),
            domain::Error::Throttled { seconds: 9 },
        ];
        let codes = errors.map(|error| match Error::from(error) {
            Error::Page(shown) => {
                assert!(shown.fields.is_empty() == shown.detail.ends_with('.'), "{shown:?}");
                shown.code()
            }
            Error::SignIn(_) => panic!("no page"),
        });
        assert_eq!(codes, [404, 401, 403, 422, 429]);
    }
}
