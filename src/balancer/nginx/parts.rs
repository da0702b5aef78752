//! Files that only `include` makes part of a config: they are read as if the blocks around them were there.
//!
//! What stands around them is not known: what they may have from there is not missed.

use super::catalogue::{self, Contexts, FOREIGN, HTTP, KEYS, LOCATION, MAIN, SERVER, STREAM, STREAM_SERVER, UPSTREAM};
use super::load::{Config, Part};
use super::tree::{Body, Directive, Word};
use crate::balancer::model::Gravity;
use crate::balancer::printable;
use crate::balancer::source::Place;

/// From the outermost block inwards: of two that fit alike the earlier is right.
const CONTEXTS: [Contexts; 6] = [HTTP, STREAM, SERVER, LOCATION, STREAM_SERVER, UPSTREAM];

/// One config of all parts: the main file's directives, and the others in the blocks in which they may stand.
pub fn joined(config: &mut Config, parts: Vec<Part>) -> Vec<Directive> {
    let mut parts = parts.into_iter();
    let Some(main) = parts.next() else { return Vec::new() };
    let mut whole = Vec::new();
    if is_main(&main) {
        whole = main.directives;
        if config.complete && !whole.iter().any(|directive| directive.is("events")) {
            let text = "no events section: add events {} to the main file";
            config.tell(Gravity::Error, Place::of_line(0, 1), text);
        }
    } else {
        config.part = true;
        put(config, &mut whole, main);
    }
    for part in parts {
        put(config, &mut whole, part);
    }
    config.complete &= !config.part;
    whole
}

fn is_main(part: &Part) -> bool {
    let opens = |directive: &Directive| matches!(directive.name.text.as_str(), "events" | "http" | "stream" | "mail");
    let known = part.directives.iter().any(|directive| !catalogue::entries(&directive.name.text).is_empty());
    !known || part.directives.iter().any(opens) || {
        let outside = misfits(&part.directives, MAIN);
        CONTEXTS.iter().all(|context| misfits(&part.directives, *context) >= outside)
    }
}

/// Directives that may not stand where they would in `context`.
fn misfits(directives: &[Directive], context: Contexts) -> usize {
    let misfit = |directive: &Directive| {
        let entries = catalogue::entries(&directive.name.text);
        let block = matches!(directive.body, Body::Block(_));
        match catalogue::inside(context, &directive.name.text) {
            _ if entries.is_empty() => 0,
            _ if !entries.iter().any(|entry| entry.contexts & context != 0 && entry.block == block) => 1,
            FOREIGN | KEYS => 0,
            inner => misfits(directive.block(), inner),
        }
    };
    directives.iter().map(misfit).sum()
}

fn fitting(directives: &[Directive]) -> Contexts {
    let best = CONTEXTS.into_iter().min_by_key(|context| misfits(directives, *context));
    best.unwrap_or(HTTP)
}

/// Puts a part where it may stand. Blocks that may not stand together are each put where they may.
fn put(config: &mut Config, whole: &mut Vec<Directive>, part: Part) {
    let Some(first) = part.directives.first() else { return };
    let place = config.at(first);
    let context = fitting(&part.directives);
    let is_block = |directive: &Directive| matches!(directive.name.text.as_str(), "location" | "upstream" | "server" | "if");
    let strays = |directive: &Directive| is_block(directive) && misfits(std::slice::from_ref(directive), context) > 0;
    let (astray, together): (Vec<Directive>, Vec<Directive>) = part.directives.into_iter().partition(strays);
    let said = catalogue::context_said(context);
    let text = match (config.part, astray.is_empty()) {
        (true, true) => format!("this is a part of a config that stands inside {said}: it is read so"),
        (false, true) => format!("nothing includes {}: it is read as if it stood inside {said}", part.name),
        (_, false) => {
            "these are parts of a config that stand inside different blocks: each is read as if it stood where it may".to_owned()
        }
    };
    config.tell(Gravity::Note, place, text);
    wrap(whole, &part.name, context, together);
    let mut rest: Vec<(Contexts, Vec<Directive>)> = Vec::new();
    for directive in astray {
        let context = fitting(std::slice::from_ref(&directive));
        match rest.iter_mut().find(|(known, _)| *known == context) {
            Some((_, directives)) => directives.push(directive),
            None => rest.push((context, vec![directive])),
        }
    }
    for (context, directives) in rest {
        wrap(whole, &part.name, context, directives);
    }
}

fn wrap(whole: &mut Vec<Directive>, name: &str, context: Contexts, directives: Vec<Directive>) {
    // An upstream has no name without its first line.
    let name = &printable(name.rsplit('/').next().unwrap_or(name));
    let (outer, inner) = match context {
        HTTP => ("http", directives),
        STREAM => ("stream", directives),
        SERVER => ("http", around("server", "", directives)),
        LOCATION => ("http", around("server", "", around("location", "/", directives))),
        STREAM_SERVER => ("stream", around("server", "", directives)),
        _ => ("http", around("upstream", name, directives)),
    };
    if inner.is_empty() {
        return;
    }
    let there = whole.iter_mut().find(|directive| directive.is(outer));
    match there.map(|directive| &mut directive.body) {
        Some(Body::Block(known)) => known.extend(inner),
        _ => whole.extend(around(outer, "", inner)),
    }
}

/// A block that is not written: its name has no bytes.
fn around(name: &str, argument: &str, inner: Vec<Directive>) -> Vec<Directive> {
    let (Some(first), Some(last)) = (inner.first(), inner.last()) else { return Vec::new() };
    let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
    let (file, head) = (first.file, first.head.clone());
    let end = if last.file == file { last.span.end } else { head.end };
    let arguments = if argument.is_empty() { Vec::new() } else { vec![word(argument)] };
    vec![Directive { name: word(name), arguments, span: head.start..end, head, file, body: Body::Block(inner) }]
}

/// Whether a block is one that was put around a part.
pub fn is_put(directive: &Directive) -> bool {
    directive.name.span.is_empty()
}
