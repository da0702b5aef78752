//! What `nginx -t` refuses about directives as such: their names, where they stand, their arguments and blocks,
//! and what may stand only once.
//!
//! Rules of single directives are in `rules`.

use super::blocks;
use super::catalogue::{self, Contexts, Entry, FOREIGN, KEYS, MAIN};
use super::declared::Declared;
use super::load::Config;
use super::rules;
use super::tree::{Body, Directive};
use crate::balancer::maps::HashSet;

pub struct Checker<'a> {
    pub config: &'a mut Config,
    pub declared: &'a Declared,
}

impl Checker<'_> {
    /// Checks the directives of one block, which stands in `context`, and all within it.
    pub fn block(&mut self, directives: &[Directive], context: Contexts, parent: Option<&Directive>) {
        let mut seen: HashSet<&str> = HashSet::default();
        let mut begun = false;
        for directive in directives {
            let Some(entry) = self.entry(directive, context) else { continue };
            let name = directive.name.text.as_str();
            let root = matches!(name, "root" | "alias");
            if (entry.once() || root) && !seen.insert(if root { "root" } else { name }) {
                self.config.error(directive, format!("{name} stands twice in this block: keep one"));
            }
            if let Some((index, wanted)) = entry.misfit(directive.arguments.iter().map(|word| word.text.as_str())) {
                let text = &directive.arguments.get(index).map(|word| word.text.clone()).unwrap_or_default();
                let variable = name == "server_tokens" && text.contains('$');
                if !variable {
                    self.config.error_in(directive, index, format!("{name} takes {wanted}, not {text:?}"));
                }
            }
            if name == "load_module" && begun {
                self.config.error(directive, "load_module stands too late: move it before the first block");
            }
            begun |= entry.block;
            rules::check(self.config, self.declared, directive, context);
            self.inner(directive, context);
        }
        blocks::check(self.config, directives, context, parent);
    }

    fn inner(&mut self, directive: &Directive, context: Contexts) {
        let Body::Block(inner) = &directive.body else { return };
        match catalogue::inside(context, &directive.name.text) {
            FOREIGN => {}
            KEYS => blocks::keys(self.config, directive),
            context => self.block(inner, context, Some(directive)),
        }
    }

    /// What the catalogue says of the directive here; none with the reason told where nginx refuses it.
    fn entry(&mut self, directive: &Directive, context: Contexts) -> Option<&'static Entry> {
        let name = directive.name.text.as_str();
        let entries = catalogue::entries(name);
        if entries.is_empty() {
            if name == "include" || name.is_empty() {
                self.include(directive);
            } else if catalogue::is_foreign(name) || self.declared.modules {
                self.config.note(
                    directive,
                    format!("{name} belongs to a module that is not nginx's own: its meaning is not known here"),
                );
            } else {
                let text = format!("unknown directive {name:?}: check its spelling, or load the module that it belongs to");
                self.config.error(directive, text);
            }
            return None;
        }
        let block = matches!(directive.body, Body::Block(_));
        let here = entries.iter().filter(|entry| entry.contexts & context != 0);
        let Some(entry) = here.clone().find(|entry| entry.block == block).or_else(|| here.clone().next()) else {
            let places: Vec<_> =
                (0..16).map(|bit| 1 << bit).filter(|bit| entries.iter().any(|entry| entry.contexts & bit != 0)).collect();
            let mut places: Vec<_> = places.into_iter().map(catalogue::context_said).collect();
            places.dedup();
            let here = if context == MAIN {
                "at the top of the file".to_owned()
            } else {
                format!("in {}", catalogue::context_said(context))
            };
            self.config.error(directive, format!("{name} is not allowed {here}: move it to {}", places.join(" or ")));
            return None;
        };
        if entry.block && !block {
            self.config.error(directive, format!("{name} has no {{ … }} after it: open its block, or look for a ; too many"));
            return None;
        }
        if block && !entry.block {
            self.config.error(directive, format!("{name} takes no {{ … }}: end it with a ;"));
            return None;
        }
        let count = directive.arguments.len();
        if !here.clone().any(|entry| entry.block == block && entry.takes(count)) {
            let text = format!(
                "{name} takes {} arguments, not {count}: look for one too few or too many, or a missing ;",
                entry.takes_said()
            );
            self.config.error(directive, text);
            return None;
        }
        here.clone().find(|entry| entry.block == block && entry.takes(count))
    }

    /// An `include` that was not taken for one.
    fn include(&mut self, directive: &Directive) {
        if directive.name.text.is_empty() {
            return;
        }
        let count = directive.arguments.len();
        self.config.error(directive, format!("include takes one file or pattern and a ;, not {count} arguments or a block"));
    }
}
