//! nginx: its config files, with what they include, and the state that nginx Plus tells.
//!
//! [`parse`] reads any text: what nginx refuses is told as errors at their places, and the rest is read on. It knows
//! nginx 1.31 with the modules of its own distribution; of other modules only names are known. Whether files and
//! hosts exist, and whether PCRE takes a pattern, is not looked at.

mod blocks;
mod buffers;
pub mod catalogue;
mod check;
mod declared;
mod levels;
pub mod lex;
mod listen;
pub mod load;
mod parameters;
mod parts;
mod passes;
mod patterns;
mod pools;
mod routes;
mod rules;
pub mod state;
mod sticky;
#[cfg(test)]
mod tests;
pub mod tree;
mod upstream;
mod values;

pub use self::levels::silence_ms;

use self::catalogue::MAIN;
use self::check::Checker;
use self::declared::Declared;
use self::load::Config;
use self::routes::Walker;
use self::tree::{Body, Directive};
use super::model::{Mode, Model, Setting};
use super::source::{Files, Source};
use crate::balancer::maps::HashSet;
use crate::domain::balancer::BalancerKind;

/// Reads a config: of `sources` the first that opens `http` or its like is the main file, and `files` is asked for what
/// they include and do not bring. Files that nothing includes are read as parts of it. `version` is the running nginx's, such as
/// `1.22.1`, where it is known.
pub fn parse(sources: &[Source], files: &mut dyn Files, version: Option<&str>) -> Model {
    let (mut config, parts) = load::load(sources, files);
    let directives = parts::joined(&mut config, parts);
    let declared = Declared::of(&directives, config.complete);
    Checker { config: &mut config, declared: &declared }.block(&directives, MAIN, None);
    let mut model = Model {
        kind: BalancerKind::Nginx,
        version: version.map(|text| text.trim_start_matches("nginx/").to_owned()),
        ..Model::default()
    };
    process(&config, &directives, &mut model);
    // A part of a config does not say how many workers run; every packaged config starts several.
    let workers = config.part || model.process.workers.as_ref().is_some_and(|workers| workers.value != 1);
    let mut walker = Walker::new(&mut config, &declared, &mut model, version.and_then(numbers));
    for directive in &directives {
        match directive.name.text.as_str() {
            "http" => protocol(&mut walker, directive.block(), workers, false),
            "stream" => protocol(&mut walker, directive.block(), workers, true),
            "mail" => mail(&mut walker, directive),
            _ => {}
        }
    }
    model.files = config.names();
    config.notices.sort_by_key(|notice| (notice.place.file(), notice.place.span().start));
    model.notices = config.notices;
    model
}

/// Whether a text looks like nginx's config, or like a part of one.
pub fn is_config(text: &str) -> bool {
    let source = Source::split("", text).into_iter().next().unwrap_or_default();
    let tree = tree::read(&source.text);
    let fits = |directive: &Directive| {
        let block = matches!(directive.body, Body::Block(_) | Body::Code(_));
        let known = catalogue::entries(&directive.name.text);
        let ended = source.text[directive.span.clone()].ends_with([';', '}']);
        ended
            && (directive.is("include")
                || catalogue::is_foreign(&directive.name.text)
                || known.iter().any(|entry| entry.block == block && entry.takes(directive.arguments.len())))
    };
    let known = tree.directives.iter().filter(|directive| fits(directive)).count();
    known > 0 && known * 2 > tree.directives.len()
}

/// `1.22.1` of `nginx/1.22.1 (Ubuntu)`.
fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = digits.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or(0)))
}

fn process(config: &Config, directives: &[Directive], model: &mut Model) {
    let number = |directive: &Directive| {
        let text = directive.argument(0)?;
        let value = if text == "auto" { 0 } else { values::number(text)? };
        Some(Setting::new(value, config.at(directive)))
    };
    for directive in directives {
        match directive.name.text.as_str() {
            "worker_processes" => model.process.workers = number(directive),
            "worker_rlimit_nofile" => model.process.files = number(directive),
            "events" => {
                model.process.maxconn = directive.block().iter().find(|inner| inner.is("worker_connections")).and_then(number);
            }
            _ => {}
        }
    }
}

/// Reads the `http` or the `stream` block.
fn protocol<'a>(walker: &mut Walker<'a>, directives: &'a [Directive], workers: bool, stream: bool) {
    walker.stream = stream;
    walker.levels.enter(directives);
    let upstreams = || directives.iter().filter(|directive| directive.is("upstream") && matches!(directive.body, Body::Block(_)));
    let zones: HashSet<&str> = upstreams()
        .flat_map(Directive::block)
        .filter(|directive| directive.is("zone") && directive.arguments.len() == 2)
        .filter_map(|directive| directive.argument(0))
        .collect();
    let resolver = directives.iter().any(|directive| directive.is("resolver"));
    let around = upstream::Around { declared: walker.declared, stream, workers, resolver, zones: &zones };
    walker.model.pools.reserve(upstreams().count());
    let taken: HashSet<String> = walker.model.pools.iter().map(|pool| pool.name.clone()).collect();
    let mut names: HashSet<String> = HashSet::default();
    for directive in upstreams() {
        let mut pool = upstream::read(walker.config, &around, directive);
        let key = walker.key(&pool.name);
        if !names.insert(key.clone()) {
            walker.config.error(directive, format!("duplicate upstream {:?}: give each its own name", pool.name));
            continue;
        }
        if taken.contains(&pool.name) {
            pool.name = format!("{} (stream)", pool.name);
        }
        walker.pools.insert(key, walker.model.pools.len());
        walker.model.pools.push(pool);
    }
    let servers: Vec<&Directive> =
        directives.iter().filter(|directive| directive.is("server") && matches!(directive.body, Body::Block(_))).collect();
    listen::servers(walker.config, &servers, stream);
    walker.model.listeners.reserve(servers.len());
    walker.model.routes.reserve(servers.len());
    for server in servers {
        walker.server(server, if stream { Mode::Tcp } else { Mode::Http });
    }
    for pool in &mut walker.model.pools {
        if let Some(check) = walker.checks.remove(&pool.name) {
            let check = Box::new(check);
            pool.servers.iter_mut().for_each(|server| server.check = Some(check.clone()));
            pool.check = Some(check);
        }
    }
    walker.levels.leave();
    walker.stream = false;
}

/// Mail servers balance nothing that we model; where they listen is told.
fn mail<'a>(walker: &mut Walker<'a>, mail: &'a Directive) {
    walker.levels.enter(mail.block());
    for server in mail.block().iter().filter(|directive| directive.is("server")) {
        walker.server(server, Mode::Other);
    }
    walker.levels.leave();
}
