//! The load: keep-alive connections that each send one request after the other, from this process.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;

use crate::process::Server;

/// What one client asks again and again.
#[derive(Clone)]
pub struct Ask {
    pub path: String,
    pub cookie: String,
    /// Makes the body of a POST from a running number; none: a GET.
    pub body: Option<fn(u64) -> String>,
    pub header: Option<(&'static str, String)>,
}

impl Ask {
    pub fn get(path: &str) -> Self {
        Self { path: path.to_owned(), cookie: String::new(), body: None, header: None }
    }

    pub fn post(path: &str, body: fn(u64) -> String) -> Self {
        Self { body: Some(body), ..Self::get(path) }
    }

    pub fn signed_in(self, cookie: &str) -> Self {
        Self { cookie: cookie.to_owned(), ..self }
    }

    fn request(&self, body: Option<String>) -> Request<Full<Bytes>> {
        let mut request = Request::builder().uri(&self.path).header("host", "127.0.0.1").header("cookie", &self.cookie);
        if body.is_some() {
            request = request.method("POST").header("content-type", "application/json");
        }
        if let Some((name, value)) = &self.header {
            request = request.header(*name, value);
        }
        request.body(Full::from(body.unwrap_or_default())).expect("a request")
    }
}

/// A connection that is kept.
pub struct Client(SendRequest<Full<Bytes>>);

impl Client {
    pub async fn open(address: &str) -> std::io::Result<Self> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// The status, the head and the bytes of the answer.
    pub async fn send(&mut self, ask: &Ask, number: u64) -> hyper::Result<(StatusCode, HeaderMap, Bytes)> {
        self.go(ask.request(ask.body.map(|body| body(number)))).await
    }

    /// The same with this body.
    pub async fn post(&mut self, ask: &Ask, body: String) -> hyper::Result<(StatusCode, HeaderMap, Bytes)> {
        self.go(ask.request(Some(body))).await
    }

    /// The cookie of a session.
    pub async fn sign_in(&mut self, handle: &str, password: &str) -> String {
        let form = format!("handle={handle}&password={}", password.replace(' ', "+"));
        let mut request = Ask::get("/login").request(Some(form));
        let kind = hyper::header::HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert("content-type", kind);
        let (status, head, _) = self.go(request).await.expect("an answer");
        let cookie = head.get("set-cookie").and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        cookie.unwrap_or_else(|| panic!("nobody could sign in: {status}")).to_owned()
    }

    async fn go(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<(StatusCode, HeaderMap, Bytes)> {
        self.0.ready().await?;
        let answer = self.0.send_request(request).await?;
        let (head, body) = answer.into_parts();
        Ok((head.status, head.headers, body.collect().await?.to_bytes()))
    }
}

/// What became of one load.
#[derive(Default, Clone)]
pub struct Load {
    pub seconds: f64,
    /// CPU seconds that the server took.
    pub cpu: f64,
    pub good: u64,
    /// 503 on purpose.
    pub shed: u64,
    pub bad: u64,
    /// Of the good ones, sorted.
    pub times: Vec<Duration>,
    pub bytes: u64,
}

impl Load {
    pub fn rate(&self) -> f64 {
        self.good as f64 / self.seconds
    }

    /// Microseconds of the server's CPU a good answer.
    pub fn cpu_each(&self) -> f64 {
        self.cpu * 1e6 / self.good.max(1) as f64
    }

    /// Milliseconds below which this share of the answers came.
    pub fn percentile(&self, share: f64) -> f64 {
        let at = ((self.times.len() as f64 * share) as usize).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    fn add(&mut self, other: Self) {
        self.good += other.good;
        self.shed += other.shed;
        self.bad += other.bad;
        self.bytes += other.bytes;
        self.times.extend(other.times);
    }
}

/// How a load is sent.
#[derive(Clone, Copy)]
pub struct Pace {
    pub connections: usize,
    pub length: Duration,
    /// Requests a second of each connection; as fast as answers come when none.
    pub rate: Option<f64>,
}

/// Sends until the time is up. `first` is the first of the running numbers; they are given out evenly.
pub async fn drive(server: &Server, ask: &Ask, pace: Pace, first: u64) -> Load {
    let before = server.cpu();
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..pace.connections {
        let (ask, address) = (ask.clone(), server.address.clone());
        tasks.spawn(one(address, ask, pace, first + connection as u64));
    }
    let mut load = Load::default();
    while let Some(part) = tasks.join_next().await {
        load.add(part.expect("a client does not panic"));
    }
    load.seconds = began.elapsed().as_secs_f64();
    load.cpu = server.cpu() - before;
    load.times.sort_unstable();
    load
}

async fn one(address: String, ask: Ask, pace: Pace, mut number: u64) -> Load {
    let mut load = Load::default();
    let Ok(mut client) = Client::open(&address).await else { return Load { bad: 1, ..load } };
    let began = Instant::now();
    let mut due = began;
    while began.elapsed() < pace.length {
        if let Some(rate) = pace.rate {
            tokio::time::sleep_until(due.into()).await;
            due += Duration::from_secs_f64(1.0 / rate);
        }
        let sent = Instant::now();
        match client.send(&ask, number).await {
            Ok((status, _, body)) if status.is_success() || status == StatusCode::NOT_MODIFIED => {
                load.good += 1;
                load.bytes += body.len() as u64;
                load.times.push(sent.elapsed());
                number += pace.connections as u64;
            }
            Ok((StatusCode::SERVICE_UNAVAILABLE, ..)) => {
                load.shed += 1;
                number += pace.connections as u64;
            }
            Ok(_) => load.bad += 1,
            Err(_) => {
                load.bad += 1;
                match Client::open(&address).await {
                    Ok(fresh) => client = fresh,
                    Err(_) => return load,
                }
            }
        }
    }
    load
}
