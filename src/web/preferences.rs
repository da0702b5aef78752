//! Theme and zone of a reader: two cookies, set without scripts. The script sets the same cookies itself.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use super::extract::{Form, own_path};
use super::format::Zone;
use super::page::see;
use crate::app::App;

pub fn routes() -> Router<App> {
    Router::new().route("/preferences", post(save))
}

#[derive(Deserialize)]
struct Preferences {
    theme: Option<String>,
    zone: Option<String>,
    #[serde(default)]
    back: String,
}

async fn save(Form(form): Form<Preferences>) -> Response {
    let mut response = see(own_path(&form.back).unwrap_or("/"));
    let theme = form.theme.map(|theme| match theme.as_str() {
        "light" => "theme=light",
        "dark" => "theme=dark",
        _ => "theme=",
    });
    let zone = form.zone.map(|zone| format!("zone={}", Zone::from_cookie(&zone).minutes));
    for cookie in theme.map(str::to_owned).into_iter().chain(zone) {
        let value = format!("{cookie}; Path=/; Max-Age=31536000; SameSite=Lax");
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}
