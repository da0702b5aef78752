//! Every route of the product and what it has to do with incidents. A route that is not in this table fails
//! [`super::every_route_is_in_the_table`]; add a line that says what it shows, and the matrix tries it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a route has to do with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Shows one incident or a part of it.
    Read,
    /// The same as a stream that does not end.
    Follow,
    /// The room, which offers to bring a deleted incident back, or a file of it: who may bring it back still gets these.
    Room,
    /// Changes one.
    Write,
    /// Takes an incident away or brings it back, as often as asked.
    Revive,
    /// Says who sees it.
    Decide,
    /// Shows what hangs on an incident by its own id, also while the incident is deleted.
    Hung,
    /// Goes over many incidents; shows those that the asker sees, and those must be seen in the test.
    List,
    /// The log of changes, for administrators: that something happened is listed, what it was about is not.
    Log,
    /// What monitoring systems sent, for administrators, before it was part of any incident.
    Raw,
    /// Names no incident and must show none. Needs a sign-in or a token.
    Else,
    /// The same for everybody.
    Open,
}

use About::*;

pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub about: About,
    /// The status for those who may.
    pub ok: u16,
    /// JSON of the API, fields of a form, what is asked behind the `?` of a GET; `VERSION` stands for the version of what is changed.
    pub body: &'static str,
}

const fn route(method: &'static str, path: &'static str, about: About, ok: u16, body: &'static str) -> Route {
    Route { method, path, about, ok, body }
}

pub const TABLE: &[Route] = &[
    route("GET", "/api/v1/alerts", List, 200, ""),
    route("GET", "/api/v1/alerts/{id}", Hung, 200, ""),
    route("POST", "/api/v1/attachments", Else, 201, "x"),
    route("GET", "/api/v1/attachments/{id}", Room, 200, ""),
    route("GET", "/api/v1/audit", Log, 200, ""),
    route("GET", "/api/v1/balancers", Else, 200, ""),
    route("POST", "/api/v1/balancers", Else, 201, ""),
    route("DELETE", "/api/v1/balancers/{id}", Else, 204, ""),
    route("GET", "/api/v1/balancers/{id}", Else, 200, ""),
    route("PATCH", "/api/v1/balancers/{id}", Else, 200, ""),
    route("GET", "/api/v1/balancers/{id}/acknowledgements", Else, 200, ""),
    route("POST", "/api/v1/balancers/{id}/acknowledgements", Else, 201, ""),
    route("DELETE", "/api/v1/balancers/{id}/acknowledgements/{acknowledgement}", Else, 204, ""),
    route("GET", "/api/v1/balancers/{id}/snapshots", Else, 200, ""),
    route("POST", "/api/v1/balancers/{id}/snapshots", Else, 201, ""),
    route("POST", "/api/v1/check", Else, 200, ""),
    // Its content is looked at by `streams_tell_of_nothing_hidden`.
    route("GET", "/api/v1/events", Follow, 200, ""),
    route("GET", "/api/v1/incidents", List, 200, ""),
    route("POST", "/api/v1/incidents", Else, 201, ""),
    route("DELETE", "/api/v1/incidents/{ref}", Write, 204, ""),
    route("GET", "/api/v1/incidents/{ref}", Read, 200, ""),
    route("PATCH", "/api/v1/incidents/{ref}", Write, 200, r#"{"summary": "x"}"#),
    route("GET", "/api/v1/incidents/{ref}/alerts", Read, 200, ""),
    route("GET", "/api/v1/incidents/{ref}/export", Read, 200, ""),
    route("PUT", "/api/v1/incidents/{ref}/hold", Decide, 200, r#"{"reason": "x"}"#),
    route("POST", "/api/v1/incidents/{ref}/hold/lift", Decide, 200, r#"{"reason": "x"}"#),
    route("GET", "/api/v1/incidents/{ref}/postmortem", Read, 200, ""),
    route("POST", "/api/v1/incidents/{ref}/restore", Revive, 200, ""),
    route("GET", "/api/v1/incidents/{ref}/series", Read, 200, ""),
    route("GET", "/api/v1/incidents/{ref}/snapshots", Read, 200, ""),
    route("DELETE", "/api/v1/incidents/{ref}/snapshots/{id}", Write, 204, ""),
    route("PUT", "/api/v1/incidents/{ref}/snapshots/{id}", Write, 204, r#"{"role": "fix"}"#),
    route("GET", "/api/v1/incidents/{ref}/tasks", Read, 200, ""),
    route("POST", "/api/v1/incidents/{ref}/tasks", Write, 201, r#"{"title": "x"}"#),
    route("GET", "/api/v1/incidents/{ref}/presence", Read, 200, ""),
    route("GET", "/api/v1/incidents/{ref}/reading", Read, 200, ""),
    route("PUT", "/api/v1/incidents/{ref}/reading", Read, 200, "{}"),
    route("DELETE", "/api/v1/incidents/{ref}/working-on", Write, 204, ""),
    route("PUT", "/api/v1/incidents/{ref}/working-on", Write, 200, r#"{"text": "x"}"#),
    route("GET", "/api/v1/incidents/{ref}/timeline", Read, 200, ""),
    route("POST", "/api/v1/incidents/{ref}/timeline", Write, 201, r#"{"title": "x"}"#),
    route("DELETE", "/api/v1/incidents/{ref}/timeline/{id}", Write, 204, ""),
    route("GET", "/api/v1/incidents/{ref}/timeline/{id}", Read, 200, ""),
    route("PATCH", "/api/v1/incidents/{ref}/timeline/{id}", Write, 200, r#"{"title": "x"}"#),
    route("POST", "/api/v1/incidents/{ref}/timeline/{id}/restore", Write, 200, ""),
    route("GET", "/api/v1/incidents/{ref}/timeline/{id}/revisions", Read, 200, ""),
    route("GET", "/api/v1/integrations", Else, 200, ""),
    route("POST", "/api/v1/integrations", Else, 201, ""),
    route("GET", "/api/v1/integrations/{id}", Else, 200, ""),
    route("PATCH", "/api/v1/integrations/{id}", Else, 200, ""),
    route("GET", "/api/v1/integrations/{id}/deliveries", Raw, 200, ""),
    route("POST", "/api/v1/integrations/{id}/key", Else, 200, ""),
    route("GET", "/api/v1/snapshots/{a}/diff/{b}", Else, 200, ""),
    route("GET", "/api/v1/snapshots/{id}", Else, 200, ""),
    route("GET", "/api/v1/snapshots/{id}/findings", Else, 200, ""),
    route("GET", "/api/v1/search", List, 200, "q=quagg*"),
    route("GET", "/api/v1/tasks", List, 200, ""),
    route("GET", "/api/v1/tasks/{id}", Read, 200, ""),
    route("PATCH", "/api/v1/tasks/{id}", Write, 200, r#"{"priority": "high"}"#),
    route("GET", "/api/v1/tokens", Else, 200, ""),
    route("POST", "/api/v1/tokens", Else, 201, ""),
    route("DELETE", "/api/v1/tokens/{id}", Else, 204, ""),
    route("GET", "/api/v1/users", Else, 200, ""),
    route("POST", "/api/v1/users", Else, 201, ""),
    route("PATCH", "/api/v1/users/{id}", Else, 200, ""),
    // The key is the credential; what the answer says is looked at by `senders_learn_nothing_of_it`.
    route("POST", "/hooks/{key}", Open, 202, ""),
    route("PUT", "/hooks/{key}", Open, 202, ""),
    route("POST", "/hooks/{key}/api/v2/alerts", Open, 200, ""),
    route("PUT", "/hooks/{key}/api/v2/alerts", Open, 200, ""),
    route("GET", "/api/openapi.json", Open, 200, ""),
    route("GET", "/", List, 200, ""),
    route("POST", "/attachments", Else, 201, ""),
    route("GET", "/attachments/{id}", Room, 200, ""),
    route("GET", "/balancers", Else, 200, ""),
    route("POST", "/balancers", Else, 303, ""),
    route("GET", "/balancers/new", Else, 200, ""),
    route("GET", "/balancers/{balancer}", Else, 200, ""),
    route("POST", "/balancers/{balancer}", Else, 303, ""),
    route("GET", "/balancers/{balancer}/acknowledge", Else, 200, ""),
    route("POST", "/balancers/{balancer}/acknowledgements", Else, 303, ""),
    route("POST", "/balancers/{balancer}/acknowledgements/{acknowledgement}/end", Else, 303, ""),
    route("GET", "/balancers/{balancer}/delete", Else, 200, ""),
    route("POST", "/balancers/{balancer}/delete", Else, 303, ""),
    route("GET", "/balancers/{balancer}/edit", Else, 200, ""),
    route("GET", "/balancers/{balancer}/snapshots", List, 200, ""),
    route("GET", "/check", Else, 200, ""),
    route("POST", "/check", Else, 200, ""),
    route("GET", "/favicon.ico", Open, 200, ""),
    route("GET", "/incidents", List, 200, ""),
    route("POST", "/incidents", Else, 303, ""),
    route("GET", "/incidents/new", Else, 200, ""),
    route("GET", "/incidents/{incident}", Room, 200, ""),
    route("POST", "/incidents/{incident}", Write, 303, "version=VERSION&summary=x&base_summary="),
    route("GET", "/incidents/{incident}/access", Read, 200, ""),
    route("POST", "/incidents/{incident}/access", Decide, 200, "visibility=restricted&named=ad&was=WAS"),
    // What a text means, without a look at the incident.
    route("POST", "/incidents/{incident}/composer", Else, 200, ""),
    route("POST", "/incidents/{incident}/delete", Revive, 303, ""),
    route("POST", "/incidents/{incident}/entries", Write, 303, "text=x&zone=0"),
    route("GET", "/incidents/{incident}/entries/{entry}", Read, 303, ""),
    route("POST", "/incidents/{incident}/entries/{entry}", Write, 303, "version=VERSION&title=x&base_title=y"),
    route("POST", "/incidents/{incident}/entries/{entry}/delete", Write, 303, ""),
    route("GET", "/incidents/{incident}/entries/{entry}/edit", Read, 200, ""),
    route("GET", "/incidents/{incident}/entries/{entry}/history", Read, 200, ""),
    route("POST", "/incidents/{incident}/entries/{entry}/restore", Write, 303, ""),
    route("GET", "/incidents/{incident}/export", Read, 200, ""),
    route("POST", "/incidents/{incident}/working-on", Write, 303, "text=x"),
    route("POST", "/incidents/{incident}/read", Read, 303, "seq=1"),
    route("GET", "/incidents/{incident}/hold", Read, 200, ""),
    route("POST", "/incidents/{incident}/hold", Decide, 303, "reason=x"),
    route("POST", "/incidents/{incident}/hold/lift", Decide, 303, "reason=x"),
    route("GET", "/incidents/{incident}/live", Follow, 200, ""),
    route("GET", "/incidents/{incident}/parts/timeline-entry/{entry}", Read, 200, ""),
    route("GET", "/incidents/{incident}/parts/{part}", Read, 200, ""),
    route("GET", "/incidents/{incident}/postmortem", Read, 200, ""),
    route("POST", "/incidents/{incident}/restore", Revive, 303, ""),
    route("POST", "/incidents/{incident}/snapshots/{snapshot}", Write, 303, "role=fix"),
    route("POST", "/incidents/{incident}/tasks", Write, 303, "title=x"),
    route("POST", "/incidents/{incident}/tasks/{task}", Write, 303, "version=VERSION&priority=high&base_priority=medium"),
    // As `/api/v1/events`.
    route("GET", "/live", Follow, 200, ""),
    route("GET", "/livez", Open, 200, ""),
    route("GET", "/login", Open, 200, ""),
    route("POST", "/login", Open, 303, ""),
    route("POST", "/logout", Open, 303, ""),
    route("GET", "/metrics", Else, 200, ""),
    route("GET", "/postmortems", List, 200, ""),
    route("POST", "/preferences", Open, 303, ""),
    route("GET", "/readyz", Open, 200, ""),
    route("GET", "/rules", Else, 200, ""),
    route("GET", "/settings", Else, 200, ""),
    route("GET", "/settings/about", Else, 200, ""),
    route("GET", "/settings/account", Else, 200, ""),
    route("POST", "/settings/account/password", Else, 303, ""),
    route("GET", "/settings/audit", Log, 200, ""),
    route("GET", "/settings/integrations", Else, 200, ""),
    route("POST", "/settings/integrations", Else, 200, ""),
    route("GET", "/settings/integrations/{integration}", Raw, 200, ""),
    route("POST", "/settings/integrations/{integration}/disabled", Else, 303, ""),
    route("POST", "/settings/integrations/{integration}/key", Else, 200, ""),
    route("GET", "/settings/integrations/{integration}/test", Raw, 200, ""),
    // What it says of incidents is looked at by `a_trial_knows_what_is_open`.
    route("POST", "/settings/integrations/{integration}/test", Raw, 200, ""),
    route("GET", "/settings/people", Else, 200, ""),
    route("POST", "/settings/people", Else, 303, ""),
    route("POST", "/settings/people/{person}/disabled", Else, 303, ""),
    route("POST", "/settings/people/{person}/role", Else, 303, ""),
    route("GET", "/settings/security", Else, 200, ""),
    route("POST", "/settings/security/others/end", Else, 303, ""),
    route("POST", "/settings/security/sessions/{session}/end", Else, 303, ""),
    route("GET", "/settings/tokens", Else, 200, ""),
    route("POST", "/settings/tokens", Else, 200, ""),
    route("POST", "/settings/tokens/{token}/revoke", Else, 303, ""),
    route("GET", "/search", List, 200, "q=quagg*"),
    route("GET", "/setup", Open, 404, ""),
    route("POST", "/setup", Open, 404, ""),
    route("GET", "/snapshots/{before}/diff/{after}", Else, 200, ""),
    route("GET", "/snapshots/{snapshot}", Else, 200, ""),
    route("GET", "/snapshots/{snapshot}/config", Else, 200, ""),
    route("GET", "/static/{*file}", Open, 200, ""),
    route("GET", "/tasks", List, 200, ""),
    route("POST", "/tasks/{task}", Write, 303, "version=VERSION&priority=high&base_priority=medium"),
];

/// All routes that the sources put together: those of the OpenAPI document, and what is said to `.route(` elsewhere.
pub fn all() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(afterload::api::openapi()).expect("the document is JSON");
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        found.extend(item.as_object().expect("operations").keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut waiting = vec![src.join("web"), src.join("server.rs"), src.join("api/mod.rs")];
    while let Some(place) = waiting.pop() {
        if place.is_dir() {
            waiting.extend(fs::read_dir(place).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else if place.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&place).expect("a source");
            routes_of(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default(), &place, &mut found);
        }
    }
    found
}

fn routes_of(code: &str, place: &Path, found: &mut BTreeSet<(String, String)>) {
    for hidden in [".nest(", ".nest_service(", ".route_service("] {
        assert!(!code.contains(hidden), "{}: {hidden} hides routes from this test; use .route(", place.display());
    }
    for (at, _) in code.match_indices(".route(") {
        let rest = code[at + ".route(".len()..].trim_start();
        let Some(rest) = rest.strip_prefix('"') else {
            // Addresses below /api and /hooks that lead nowhere.
            assert!(rest.starts_with("nowhere,"), "{}: a route whose path is no literal", place.display());
            continue;
        };
        let (path, rest) = rest.split_once('"').expect("the end of a literal");
        let mut depth = 1;
        let end = rest.find(|c: char| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        let handlers = &rest[..end.expect("the end of a call")];
        for method in ["get", "post", "put", "patch", "delete", "any"] {
            let call = format!("{method}(");
            let starts = handlers.match_indices(&call).map(|(at, _)| handlers[..at].chars().next_back());
            if starts.into_iter().any(|before| before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')) {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
}
