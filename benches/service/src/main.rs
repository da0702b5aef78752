//! How fast the server is, against a control that is built and measured in the same run.
//!
//! Prints ratios with their bounds; nothing fails. Both sides are processes of their own on loopback and wait for the
//! disk (`synchronous=FULL`). They are measured in turns of a few seconds, first the one, then the other, so that what
//! else runs on the machine falls on both; the medians of the turns' ratios count. `just bench-service` runs it all,
//! `just bench-service ingest search` two parts of it. docs/performance.md says what each line means.
mod ingest;
mod load;
mod page;
mod process;
mod seed;
mod start;
mod storm;
mod thin;

use std::time::Duration;

use load::{Ask, Load, Pace, drive};
use process::Server;

/// Incidents of the small installation; the large one has ten times as many. Less is for trying the bench itself.
pub fn few() -> usize {
    number("AFTERLOAD_BENCH_INCIDENTS", 10_000) / 10
}

/// Turns of each comparison; `AFTERLOAD_BENCH_TURNS` says another number.
fn turns() -> usize {
    number("AFTERLOAD_BENCH_TURNS", 5)
}

/// Length of one side's turn.
const TURN: Duration = Duration::from_secs(2);

pub fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

pub fn say(line: &str) {
    println!("{line}");
}

/// A figure beside its bound.
pub fn judge(what: &str, figure: f64, unit: &str, most: bool, bound: f64) {
    let holds = if most { figure <= bound } else { figure >= bound };
    let (sign, verdict) = (if most { "≤" } else { "≥" }, if holds { "holds" } else { "MISSED" });
    say(&format!("  {what:<58} {figure:>9.2} {unit:<7} {sign} {bound:<6} {verdict}"));
}

pub fn at_most(what: &str, figure: f64, unit: &str, bound: f64) {
    judge(what, figure, unit, true, bound);
}

pub fn at_least(what: &str, figure: f64, unit: &str, bound: f64) {
    judge(what, figure, unit, false, bound);
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The turns of two sides that were measured beside each other.
pub struct Compared {
    pub thin: Vec<Load>,
    pub ours: Vec<Load>,
}

impl Compared {
    /// The median over the turns of a figure of ours in relation to the control's.
    pub fn ratio(&self, figure: impl Fn(&Load) -> f64) -> f64 {
        median(self.ours.iter().zip(&self.thin).map(|(ours, thin)| figure(ours) / figure(thin)).collect())
    }

    pub fn ours(&self, figure: impl Fn(&Load) -> f64) -> f64 {
        median(self.ours.iter().map(figure).collect())
    }

    fn print(&self, what: &str) {
        say(what);
        for (name, side) in [("thin", &self.thin), ("afterload", &self.ours)] {
            let of = |figure: fn(&Load) -> f64| median(side.iter().map(figure).collect());
            let bad: u64 = side.iter().map(|load| load.bad + load.shed).sum();
            say(&format!(
                "    {name:<10}{:>9.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  CPU {:>6.0} µs each  {:>6.1} kB each  {bad} refused",
                of(Load::rate),
                of(|load| load.percentile(0.5)),
                of(|load| load.percentile(0.99)),
                of(Load::cpu_each),
                of(|load| load.bytes as f64 / 1e3 / load.good.max(1) as f64),
            ));
        }
    }
}

/// Both sides in turns; every other time the other one begins.
pub async fn compare(what: &str, thin: (&Server, Ask), ours: (&Server, Ask), connections: usize) -> Compared {
    let mut found = Compared { thin: Vec::new(), ours: Vec::new() };
    let pace = |length| Pace { connections, length, rate: None };
    for side in [&thin, &ours] {
        drive(side.0, &side.1, pace(Duration::from_millis(500)), fresh()).await;
    }
    for turn in 0..turns() {
        let (a, b) = if turn % 2 == 0 { (&thin, &ours) } else { (&ours, &thin) };
        let first = drive(a.0, &a.1, pace(TURN), fresh()).await;
        let second = drive(b.0, &b.1, pace(TURN), fresh()).await;
        let (t, o) = if turn % 2 == 0 { (first, second) } else { (second, first) };
        found.thin.push(t);
        found.ours.push(o);
    }
    found.print(what);
    found
}

/// A number from which on running numbers were not used yet in this run.
pub fn fresh() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(100_000_000, std::sync::atomic::Ordering::Relaxed)
}

/// The data that the parts share: the large and the small installation, and the control's files.
pub struct Ground {
    pub folder: tempfile::TempDir,
    pub many: seed::Doors,
    pub few: seed::Doors,
}

impl Ground {
    async fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        thin::fill(&at("thin-many.db"), few() * 10);
        thin::fill(&at("thin-few.db"), few());
        let many = seed::fill(&at("many"), None, few() * 10).await;
        let few = seed::fill(&at("few"), None, few()).await;
        Self { folder, many, few }
    }

    pub fn afterload(&self, name: &str) -> Server {
        Server::afterload(&self.folder.path().join(name), None)
    }

    pub fn thin(&self, name: &str) -> Server {
        Server::thin(&self.folder.path().join(name))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = |threads: usize| tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    if let [word, file] = arguments.as_slice()
        && word == "thin"
    {
        return runtime(2).expect("a runtime").block_on(thin::serve(file.into()));
    }
    runtime(1).expect("a runtime").block_on(run(&arguments));
}

async fn run(parts: &[String]) {
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|known| known == part);
    if wanted("postgres") {
        ingest::postgres().await;
    }
    if !["list", "search", "room", "start", "weights", "ingest", "memory", "storm"].iter().any(|part| wanted(part)) {
        return;
    }
    let began = std::time::Instant::now();
    let ground = Ground::make().await;
    say(&format!("filled in {:.0} s", began.elapsed().as_secs_f64()));
    if wanted("start") {
        start::run(&ground).await;
    }
    if wanted("list") {
        page::lists(&ground).await;
    }
    if wanted("search") {
        page::search(&ground).await;
    }
    if wanted("room") {
        page::room(&ground).await;
    }
    if wanted("weights") {
        page::weights(&ground).await;
    }
    if wanted("ingest") {
        ingest::sqlite(&ground).await;
    }
    if wanted("memory") {
        storm::memory(&ground).await;
    }
    if wanted("storm") {
        storm::storm(&ground).await;
    }
}
