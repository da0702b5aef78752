//! Pages through the whole router: the first account, cookies, headers, forms without scripts.

use axum::http::Method;

use crate::api::events::Stream;
use crate::api::{Answer, Client};
use crate::world::{World, admin, on_both};
use afterload::domain::access::Role;
use afterload::domain::incident::Severity;
use afterload::domain::person::{NewPerson, Person};
use afterload::services::{incidents, people, tasks, timeline};

/// A browser without scripts: a cookie, and the headers that browsers send.
pub struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    pub fn new(world: &World) -> Self {
        Self { client: Client::anonymous(world), cookie: String::new() }
    }

    pub async fn signed_in(world: &World) -> Self {
        let mut browser = Self::new(world);
        let code = people::new_setup_code(&world.app).await.expect("code").expect("nobody yet");
        let answer = browser.form("/setup", &[("code", &code), ("handle", "mk"), ("password", "a long enough phrase")]).await;
        browser.keep(&answer);
        browser
    }

    /// Somebody with an account of that role, signed in.
    pub async fn of(world: &World, handle: &str, role: Role) -> (Self, Person) {
        let password = "a long enough phrase";
        let new = NewPerson { handle: handle.into(), password: password.into(), role };
        let person = people::add(&world.app, &admin(), new).await.expect("added");
        let mut browser = Self::new(world);
        let answer = browser.form("/login", &[("handle", handle), ("password", password)]).await;
        browser.keep(&answer);
        (browser, person)
    }

    /// The page's own stream of changes.
    pub async fn live(&self, path: &str) -> Stream {
        Stream::open(&self.client, path, &[("host", "afterload.test"), ("cookie", &self.cookie)]).await
    }

    fn keep(&mut self, answer: &Answer) {
        assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
        let cookie = answer.header("set-cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
        self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.send(Method::GET, path, &[("host", "afterload.test"), ("cookie", &self.cookie)], "").await
    }

    /// Any request from the page itself.
    pub async fn raw(&self, method: Method, path: &str, body: String) -> axum::response::Response {
        let headers = [
            ("host", "afterload.test"),
            ("cookie", self.cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.client.raw(method, path, &headers, body).await
    }

    pub async fn post_from(&self, path: &str, site: &str, body: &str) -> Answer {
        let headers = [
            ("host", "afterload.test"),
            ("cookie", &self.cookie),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", site),
        ];
        self.client.send(Method::POST, path, &headers, body.to_owned()).await
    }

    pub async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = serde_html_form::to_string(pairs).expect("a form");
        self.post_from(path, "same-origin", &body).await
    }
}

on_both!(strangers_are_sent_to_the_login_page_and_come_back, world => {
    world.incident("x").await;
    let mut browser = Browser::new(world);
    let answer = browser.get("/incidents/INC-1?show=pinned").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/login?next=/incidents/INC-1%3Fshow%3Dpinned"));
    for path in ["/", "/incidents", "/balancers", "/tasks", "/postmortems", "/settings", "/settings/tokens", "/incidents/INC-1/postmortem"] {
        assert_eq!(browser.get(path).await.status.as_u16(), 303, "{path}");
    }
    assert_eq!(browser.get("/setup").await.status.as_u16(), 200);
    browser = Browser::signed_in(world).await;
    assert_eq!(browser.get("/setup").await.status.as_u16(), 404, "once somebody has an account the setup is gone");
    let fresh = Browser::new(world);
    let wrong = fresh.form("/login", &[("handle", "mk"), ("password", "wrong")]).await;
    assert!(wrong.status.as_u16() == 422 && !wrong.text().contains("wrong\"") && wrong.text().contains("value=\"mk\""), "{}", wrong.text());
    for (next, lands) in [("/tasks", "/tasks"), ("//evil.test", "/"), ("https://evil.test", "/"), ("/\\evil", "/"), ("javascript:x", "/")] {
        let answer = fresh.form("/login", &[("handle", "mk"), ("password", "a long enough phrase"), ("next", next)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, lands), "{next}");
    }
    assert_eq!(browser.get("/").await.status.as_u16(), 200);
    assert_eq!(browser.form("/logout", &[]).await.status.as_u16(), 303);
    assert_eq!(browser.get("/").await.status.as_u16(), 303, "the session ended on the server");
});

on_both!(forms_of_other_sites_change_nothing, world => {
    let browser = Browser::signed_in(world).await;
    for site in ["cross-site", "same-site"] {
        let answer = browser.post_from("/incidents", site, "title=forged&severity=sev1").await;
        assert_eq!(answer.status.as_u16(), 403, "{site}: {}", answer.text());
    }
    assert_eq!(browser.form("/incidents", &[("title", "real"), ("severity", "sev2")]).await.status.as_u16(), 303);
    let list = browser.get("/incidents").await.text();
    assert!(list.contains("real") && !list.contains("forged"));
});

on_both!(every_answer_carries_the_secure_headers, world => {
    let browser = Browser::signed_in(world).await;
    for path in ["/", "/login", "/incidents/INC-404", "/api/v1/incidents", "/livez"] {
        let answer = browser.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert!(answer.header("cache-control").contains("no-store"), "{path}");
    }
    let missing = browser.get("/incidents/INC-404").await;
    assert_eq!(missing.status.as_u16(), 404);
    assert!(missing.text().contains(missing.header("x-request-id")), "an error page shows the id that the log has");
});

on_both!(hostile_text_is_text_on_every_page, world => {
    let browser = Browser::signed_in(world).await;
    let hostile = "<script>alert(1)</script>\"'`|<img src=x onerror=alert(2)>";
    browser.form("/incidents", &[("title", hostile), ("severity", "sev1")]).await;
    browser.form("/incidents/INC-1/entries", &[("text", hostile), ("kind", "note"), ("pinned", "on")]).await;
    browser.form("/incidents/INC-1/tasks", &[("title", hostile), ("kind", "prevent")]).await;
    for path in ["/", "/incidents", "/incidents/INC-1", "/incidents/INC-1/postmortem", "/tasks", "/postmortems", "/settings/audit", "/incidents?q=%3Cscript%3E"] {
        let answer = browser.get(path).await;
        let text = answer.text();
        assert_eq!(answer.status.as_u16(), 200, "{path}: {text}");
        assert!(!text.contains("<script>alert") && !text.contains("<img src=x"), "{path}");
        assert!(!text.contains(" style=") && !text.contains("onclick="), "{path} has inline style or script");
    }
});

on_both!(the_way_through_an_incident_without_scripts, world => {
    let browser = Browser::signed_in(world).await;
    let made = browser.form("/incidents", &[("title", "Checkout slow"), ("severity", "sev2")]).await;
    assert_eq!(made.header("location"), "/incidents/INC-1");
    let empty = browser.form("/incidents", &[("title", " "), ("severity", "sev2")]).await;
    assert_eq!(empty.status.as_u16(), 422);
    let sent = browser.form("/incidents/INC-1/entries", &[("text", "-5m restarted web3"), ("kind", "action"), ("zone", "0")]).await;
    assert_eq!(sent.status.as_u16(), 303, "{}", sent.text());
    let room = browser.get("/incidents/INC-1").await.text();
    assert!(room.contains("restarted web3") && room.contains("11:55"), "the time at the line's start counts");
});

on_both!(a_deleted_incident_is_brought_back_from_its_address, world => {
    let browser = Browser::signed_in(world).await;
    let (viewer, _) = Browser::of(world, "vw", Role::Viewer).await;
    world.incident("Checkout slow").await;
    let gone = browser.form("/incidents/INC-1/delete", &[]).await;
    assert_eq!((gone.status.as_u16(), gone.header("location")), (303, "/incidents/INC-1"), "{}", gone.text());
    let page = browser.get("/incidents/INC-1").await;
    assert_eq!(page.status.as_u16(), 200);
    assert!(page.text().contains("Bring it back") && page.text().contains("action=\"/incidents/INC-1/restore\""));
    assert_eq!(viewer.get("/incidents/INC-1").await.status.as_u16(), 404, "who cannot bring it back does not find it");
    assert_eq!(browser.form("/incidents/INC-1/restore", &[]).await.header("location"), "/incidents/INC-1");
    assert!(viewer.get("/incidents/INC-1").await.text().contains("Checkout slow"));
});

on_both!(a_page_stream_ends_with_its_session, world => {
    let root = Browser::signed_in(world).await;
    world.incident("x").await;
    for (index, path) in ["/live", "/incidents/INC-1/live"].into_iter().enumerate() {
        let (left, _) = Browser::of(world, &format!("left{index}"), Role::Responder).await;
        let (disabled, person) = Browser::of(world, &format!("disabled{index}"), Role::Responder).await;
        let (lowered, other) = Browser::of(world, &format!("lowered{index}"), Role::Responder).await;
        let mut open = root.live(path).await;
        let mut ended = [left.live(path).await, disabled.live(path).await, lowered.live(path).await];
        assert_eq!(left.form("/logout", &[]).await.status.as_u16(), 303);
        people::set_disabled(&world.app, &admin(), person.id, true).await.expect("disabled");
        people::set_role(&world.app, &admin(), other.id, Role::Viewer).await.expect("lowered");
        assert_eq!(root.form("/incidents/INC-1/entries", &[("text", "seen by who is still here")]).await.status.as_u16(), 303);
        for (stream, who) in ended.iter_mut().zip(["signed out", "disabled", "of another role"]) {
            assert_eq!(stream.next_of_log().await, None, "{who}");
        }
        assert!(open.next_of_log().await.is_some_and(|event| event.contains("timeline.added")));
    }
});

on_both!(an_open_page_alone_does_not_keep_a_session, world => {
    let browser = Browser::signed_in(world).await;
    let mut stream = browser.live("/live").await;
    world.clock.advance_seconds(11 * 3600);
    world.incident("x").await;
    assert!(stream.next().await.is_some_and(|event| event.contains("incident.opened")));
    world.clock.advance_seconds(2 * 3600);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), stream.next()).await;
    assert_eq!(ended.ok(), Some(None), "the last page was asked for 13 hours ago");
});

on_both!(a_note_with_all_that_it_asks_for_is_one_unit, world => {
    let browser = Browser::signed_in(world).await;
    world.incident("x").await;
    let sql = async |text: &'static str| {
        let mut conn = world.app.store().begin().await.expect("a transaction");
        conn.query(text).execute().await.expect("done");
        conn.commit().await.expect("kept");
    };
    let note = [("id", "01890a5d-ac96-774b-bcce-b302099a8057"), ("text", "todo: watch the weights #sev1 @jl")];
    // What is asked for besides fails: nothing is kept of the note either.
    sql("alter table tasks rename to tasks_away").await;
    assert_eq!(browser.form("/incidents/INC-1/entries", &note).await.status.as_u16(), 500);
    sql("alter table tasks_away rename to tasks").await;
    for _ in 0..2 {
        assert_eq!(browser.form("/incidents/INC-1/entries", &note).await.status.as_u16(), 303);
    }
    let which = "INC-1".parse().expect("a reference");
    let incident = incidents::find(&world.app, &admin(), which).await.expect("there");
    assert_eq!((incident.fields.severity, incident.version), (Severity::Sev1, 2));
    let tasks = tasks::of_incident(&world.app, &admin(), which).await.expect("tasks");
    let told: Vec<_> = tasks.iter().map(|task| (task.fields.title.as_str(), task.fields.owner.as_deref())).collect();
    assert_eq!(told, [("watch the weights #sev1 @jl", Some("jl"))], "what was understood stays in the text");
    let entries = timeline::end(&world.app, &admin(), which, true, timeline::LIST_MAX).await.expect("entries").entries;
    assert_eq!(entries.len(), 2, "the note and the change of severity: {entries:?}");
});

/// The hidden id of the form that is sent to `action`.
fn id_of_form(page: &str, action: &str) -> String {
    let form = page.split(&format!("method=\"post\" action=\"{action}\"")).nth(1).expect("the form");
    let id = form.split("name=\"id\" value=\"").nth(1).expect("its id").split('"').next();
    id.unwrap_or_default().to_owned()
}

on_both!(a_form_that_is_sent_twice_makes_one_thing, world => {
    let browser = Browser::signed_in(world).await;
    let id = id_of_form(&browser.get("/incidents/new").await.text(), "/incidents");
    let declare = [("id", id.as_str()), ("title", "Checkout slow"), ("severity", "sev2")];
    for _ in 0..2 {
        let answer = browser.form("/incidents", &declare).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/incidents/INC-1"), "{}", answer.text());
    }
    assert_eq!(browser.get("/incidents/INC-2").await.status.as_u16(), 404);
    let next = id_of_form(&browser.get("/incidents/new").await.text(), "/incidents");
    let answer = browser.form("/incidents", &[("id", &next), ("title", "Another"), ("severity", "sev2")]).await;
    assert_eq!(answer.header("location"), "/incidents/INC-2", "no number was lost to the repeat");

    let id = id_of_form(&browser.get("/incidents/INC-1").await.text(), "/incidents/INC-1/entries");
    for text in ["first note", "first note", "went back and wrote on"] {
        let answer = browser.form("/incidents/INC-1/entries", &[("id", &id), ("text", text), ("kind", "note")]).await;
        assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
    }
    let entries = timeline::end(&world.app, &admin(), "INC-1".parse().expect("a reference"), true, timeline::LIST_MAX).await.expect("entries").entries;
    let told: Vec<_> = entries.iter().map(|entry| entry.fields.title.as_str()).collect();
    assert_eq!(told, ["first note", "went back and wrote on"]);

    let id = id_of_form(&browser.get("/incidents/INC-1").await.text(), "/incidents/INC-1/tasks");
    let task = [("id", id.as_str()), ("title", "Watch the weights"), ("kind", "prevent")];
    for _ in 0..2 {
        assert_eq!(browser.form("/incidents/INC-1/tasks", &task).await.status.as_u16(), 303);
    }
    let tasks = tasks::of_incident(&world.app, &admin(), "INC-1".parse().expect("a reference")).await.expect("tasks");
    assert_eq!(tasks.len(), 1);
    let foreign = browser.form("/incidents/INC-2/tasks", &task).await;
    assert_eq!(foreign.status.as_u16(), 422, "{}", foreign.text());
    let refused = browser.form("/incidents", &[("id", "nonsense"), ("title", "x"), ("severity", "sev2")]).await;
    assert_eq!(refused.status.as_u16(), 422);
    let again = id_of_form(&refused.text(), "/incidents");
    assert!(again != "nonsense" && again != next, "a refused form can be sent again: {again}");
});

on_both!(the_room_of_an_incident_that_is_over_is_sent_again_only_when_it_changed, world => {
    let browser = Browser::signed_in(world).await;
    let (other, _) = Browser::of(world, "jl", Role::Viewer).await;
    let incident = world.incident("slow").await;
    let room = format!("/incidents/{}", incident.reference);
    let open = browser.get(&room).await;
    assert!(open.header("etag").is_empty() && open.header("cache-control").contains("no-store"), "an open one tells the time");
    let patch = serde_json::json!({"status": "resolved"});
    incidents::edit(&world.app, &admin(), incident.reference.into(), incident.version, &patch).await.expect("resolved");
    let ask = async |browser: &Browser, path: &str, tag: &str| {
        let headers = [("host", "afterload.test"), ("cookie", browser.cookie.as_str()), ("if-none-match", tag)];
        browser.client.send(Method::GET, path, &headers, "").await
    };
    let tag = browser.get(&room).await.header("etag").to_owned();
    let again = ask(&browser, &room, &tag).await;
    assert_eq!((again.status.as_u16(), again.text().as_str(), again.header("cache-control")), (304, "", "private, no-cache"));
    assert_eq!(ask(&other, &room, &tag).await.status.as_u16(), 200, "somebody else sees another page");
    assert_eq!(ask(&browser, &format!("{room}?show=pinned"), &tag).await.status.as_u16(), 200, "so is another view");
    timeline::add(&world.app, &admin(), incident.reference.into(), world.note("One more thing")).await.expect("added");
    let changed = ask(&browser, &room, &tag).await;
    assert!(changed.status.as_u16() == 200 && changed.text().contains("One more thing"));
    let tag = changed.header("etag").to_owned();
    tasks::add(&world.app, &admin(), incident.reference.into(), None, afterload::domain::task::TaskFields { title: "Add an alert".into(), ..Default::default() })
        .await
        .expect("added");
    assert_eq!(ask(&browser, &room, &tag).await.status.as_u16(), 200, "a task changes it");
    let now = incidents::find(&world.app, &admin(), incident.reference.into()).await.expect("found");
    let named = serde_json::json!({"visibility": "restricted", "named": ["mk"]});
    incidents::edit(&world.app, &admin(), incident.reference.into(), now.version, &named).await.expect("restricted");
    let secret = browser.get(&room).await;
    assert!(secret.header("etag").is_empty() && secret.header("cache-control").contains("no-store"), "it stays in no browser");
    let out = browser.form("/logout", &[]).await;
    assert_eq!(out.header("clear-site-data"), "\"cache\"", "what the browser kept goes with the session");
});
