//! Reading fields of a tree into a model: tolerant, with a place for each value and a word about each field that
//! nobody asked for.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use super::super::clean_name;
use super::super::model::{Gravity, Notice, Setting};
use super::super::source::{Origin, Place};
use super::{Node, Problem, ProblemKind, Tree, same_name};

/// Most notices of one file.
const NOTICES_MAX: usize = 500;
/// Most names in one notice.
const NAMES_MAX: usize = 12;

/// One file that is read, and what is told of it.
pub struct Reader {
    file: usize,
    origin: Arc<Origin>,
    notices: RefCell<Vec<Notice>>,
    left_out: Cell<usize>,
}

impl Reader {
    /// `file` is the index of the file in the model.
    pub fn new(file: usize, text: &str) -> Self {
        Self { file, origin: Origin::new(file, text), notices: RefCell::default(), left_out: Cell::new(0) }
    }

    pub fn place(&self, node: &Node<'_>) -> Place {
        self.place_of(node.span())
    }

    pub fn place_of(&self, span: Range<usize>) -> Place {
        Place::new(&self.origin, span)
    }

    pub fn setting<T>(&self, value: T, node: &Node<'_>) -> Setting<T> {
        Setting::new(value, self.place(node))
    }

    pub fn note(&self, node: &Node<'_>, text: impl Into<String>) {
        self.tell(Gravity::Note, self.place(node), text);
    }

    pub fn warn(&self, node: &Node<'_>, text: impl Into<String>) {
        self.tell(Gravity::Warning, self.place(node), text);
    }

    pub fn error(&self, node: &Node<'_>, text: impl Into<String>) {
        self.tell(Gravity::Error, self.place(node), text);
    }

    pub fn tell(&self, gravity: Gravity, place: Place, text: impl Into<String>) {
        let mut notices = self.notices.borrow_mut();
        if notices.len() < NOTICES_MAX {
            notices.push(Notice { gravity, text: text.into(), place });
        } else {
            self.left_out.set(self.left_out.get() + 1);
        }
    }

    /// Tells the problems of a tree; `gravity` says what the balancer makes of each kind, none for nothing. That not all
    /// of it was read is an error in any case: nobody shall take the rest for the whole.
    pub fn problems(&self, tree: &Tree<'_>, gravity: impl Fn(ProblemKind) -> Option<Gravity>) {
        for Problem { kind, span, text } in &tree.problems {
            let gravity = if *kind == ProblemKind::Limit { Some(Gravity::Error) } else { gravity(*kind) };
            if let Some(gravity) = gravity {
                self.tell(gravity, self.place_of(span.clone()), text.as_str());
            }
        }
    }

    /// What was told, in the order of the text.
    pub fn into_notices(self) -> Vec<Notice> {
        let mut notices = self.notices.into_inner();
        notices.sort_by_key(|notice| (notice.place.span().start, std::cmp::Reverse(notice.gravity)));
        if self.left_out.get() > 0 {
            let text = format!("{} more notices of this file are left out", self.left_out.get());
            notices.push(Notice { gravity: Gravity::Note, text, place: Place::of_line(self.file, 0) });
        }
        notices
    }
}

/// The fields of one map; remembers which were asked for.
pub struct Fields<'r, 'a> {
    reader: &'r Reader,
    pub node: &'r Node<'a>,
    /// Such as `cluster app`, for messages.
    what: String,
    read: RefCell<Vec<bool>>,
}

impl<'r, 'a> Fields<'r, 'a> {
    /// A value that is no map has no fields; that it is none is told, unless it is null.
    pub fn new(reader: &'r Reader, node: &'r Node<'a>, what: impl Into<String>) -> Self {
        let what = what.into();
        if !matches!(node.value, super::Value::Map(_) | super::Value::Null) {
            reader.error(node, format!("{what} has to be a map of fields"));
        }
        Self { reader, node, what, read: RefCell::new(vec![false; node.entries().len()]) }
    }

    pub fn reader(&self) -> &'r Reader {
        self.reader
    }

    /// The value of a field; none when it is not there or null.
    pub fn get(&self, name: &str) -> Option<&'r Node<'a>> {
        let mut found = None;
        for (entry, read) in self.node.entries().iter().zip(self.read.borrow_mut().iter_mut()) {
            if same_name(&entry.key, name) {
                *read = true;
                found = Some(&entry.node);
            }
        }
        found.filter(|node| !node.is_null())
    }

    /// The value of a field even where it is null.
    pub fn entry(&self, name: &str) -> Option<&'r Node<'a>> {
        self.get(name);
        self.node.get(name)
    }

    /// The values of a list; a single value stands for a list of one.
    pub fn list(&self, name: &str) -> &'r [Node<'a>] {
        match self.get(name) {
            Some(Node { value: super::Value::List(items), .. }) => items,
            Some(node) => std::slice::from_ref(node),
            None => &[],
        }
    }

    pub fn text(&self, name: &str) -> Option<&'r str> {
        let node = self.get(name)?;
        let text = node.text();
        if text.is_none() {
            self.wrong(name, node, "a single value");
        }
        text
    }

    /// A name from the config, fit for one line; empty where there is none.
    pub fn name(&self, name: &str) -> String {
        clean_name(self.text(name).unwrap_or_default())
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        let value = node.bool();
        if value.is_none() {
            self.wrong(name, node, "`true` or `false`");
        }
        value
    }

    /// A whole number of at least 0.
    pub fn u64(&self, name: &str) -> Option<u64> {
        self.number(name).map(|setting| setting.value)
    }

    /// A whole number of at least 0 with its place.
    pub fn number(&self, name: &str) -> Option<Setting<u64>> {
        let node = self.get(name)?;
        let value = node.u64();
        if value.is_none() {
            self.wrong(name, node, "a whole number of at least 0");
        }
        value.map(|value| self.reader.setting(value, node))
    }

    /// A duration in milliseconds with its place; `read` knows how the balancer writes it, `like` is an example.
    pub fn duration(&self, name: &str, like: &str, read: impl Fn(&Node<'_>) -> Option<u64>) -> Option<Setting<u64>> {
        let node = self.get(name)?;
        let value = read(node);
        if value.is_none() {
            self.wrong(name, node, &format!("a duration such as `{like}`"));
        }
        value.map(|value| self.reader.setting(value, node))
    }

    /// Fields that are understood and decide nothing that is modelled.
    pub fn skip(&self, names: &[&str]) {
        for name in names {
            self.get(name);
        }
    }

    /// Names the fields that nobody asked for.
    pub fn done(self) {
        let read = self.read.borrow();
        let unread: Vec<_> =
            self.node.entries().iter().zip(read.iter()).filter(|(_, read)| !**read).map(|(entry, _)| entry).collect();
        let Some(first) = unread.first() else { return };
        let names: Vec<_> = unread.iter().take(NAMES_MAX).map(|entry| format!("`{}`", clean_name(&entry.key))).collect();
        let more = match unread.len().saturating_sub(NAMES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!("{}: not looked at: {}{more}", self.what, names.join(", "));
        self.reader.tell(Gravity::Note, self.reader.place_of(first.key_span()), text);
    }

    fn wrong(&self, name: &str, node: &Node<'_>, wanted: &str) {
        self.reader.error(node, format!("{}: `{name}` has to be {wanted}", self.what));
    }
}
