//! Puts a tree together from the events of a reader, within the bounds; no recursion.

use std::borrow::Cow;
use std::ops::Range;

use super::{DEPTH_MAX, Entry, NODES_MAX, Node, PROBLEMS_MAX, Problem, ProblemKind, Syntax, Tree, Value, offset};
use crate::balancer::maps::HashMap;

/// Reading ended here; the problem is told.
#[derive(Debug)]
pub struct Stop;

pub type Step = Result<(), Stop>;

#[derive(Default)]
pub struct Builder<'a> {
    documents: Vec<Node<'a>>,
    open: Vec<Open<'a>>,
    nodes: usize,
    problems: Vec<Problem>,
    /// Whether `<<` is a merge key.
    merges: bool,
}

/// A list or map whose end is not read yet.
struct Open<'a> {
    start: usize,
    items: Vec<Node<'a>>,
    entries: Option<Vec<Entry<'a>>>,
    /// A key that waits for its value.
    key: Option<(Cow<'a, str>, Range<usize>)>,
}

impl<'a> Builder<'a> {
    pub fn with_merges() -> Self {
        Self { merges: true, ..Self::default() }
    }

    /// Whether the next value of the innermost map is a key.
    pub fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.entries.is_some() && open.key.is_none())
    }

    pub fn key(&mut self, key: Cow<'a, str>, span: Range<usize>) -> Step {
        if let Some(open) = self.open.last_mut() {
            open.key = Some((key, span));
        }
        self.count(1, 0)
    }

    pub fn scalar(&mut self, value: Value<'a>, span: Range<usize>) -> Step {
        self.count(1, span.start)?;
        self.add(Node::new(value, span));
        Ok(())
    }

    /// A subtree that is written elsewhere, of `count` values in `height` levels.
    pub fn shared(&mut self, mut node: Node<'a>, (count, height): (usize, usize), at: usize) -> Step {
        if self.open.len() + height > DEPTH_MAX {
            return self.too_deep(at);
        }
        self.count(count, at)?;
        node.shared = true;
        self.add(node);
        Ok(())
    }

    pub fn open(&mut self, map: bool, start: usize) -> Step {
        if self.open.len() >= DEPTH_MAX {
            return self.too_deep(start);
        }
        self.count(1, start)?;
        self.open.push(Open { start, items: Vec::new(), entries: map.then(Vec::new), key: None });
        Ok(())
    }

    /// Ends the innermost list or map; gives it as it stands in the tree. `end` is none where the syntax has no
    /// closing sign: then it reaches to the end of its last value.
    pub fn close(&mut self, end: Option<usize>) -> Option<&Node<'a>> {
        let open = self.open.pop()?;
        let mut entries = open.entries;
        if let (Some(entries), Some((key, span))) = (&mut entries, open.key) {
            let node = Node::new(Value::Null, span.end..span.end);
            entries.push(Entry { key, key_start: offset(span.start), key_end: offset(span.end), node });
        }
        let own = |node: &Node<'_>| if node.shared { 0 } else { node.span().end };
        let last = match &entries {
            Some(entries) => entries.iter().map(|entry| own(&entry.node).max(entry.key_span().end)).max(),
            None => open.items.iter().map(own).max(),
        };
        let end = end.or(last).unwrap_or(open.start).max(open.start).max(last.unwrap_or(0));
        let value = match entries {
            Some(entries) => Value::Map(self.settled(entries)),
            None => Value::List(open.items),
        };
        self.add(Node::new(value, open.start..end));
        match self.open.last() {
            Some(Open { entries: Some(entries), .. }) => entries.last().map(|entry| &entry.node),
            Some(Open { items, .. }) => items.last(),
            None => self.documents.last(),
        }
    }

    pub fn problem(&mut self, kind: ProblemKind, span: Range<usize>, text: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { kind, span, text: text.into() });
        }
    }

    /// Tells of a break in the syntax; nothing more is read.
    pub fn broken(&mut self, span: Range<usize>, text: impl Into<String>) -> Step {
        self.problem(ProblemKind::Syntax, span, text);
        Err(Stop)
    }

    /// Depth of the lists and maps that are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// The tree; what is still open ends at `end`.
    pub fn finish(mut self, syntax: Syntax, end: usize) -> Tree<'a> {
        while self.depth() > 0 {
            self.close(Some(end));
        }
        Tree { syntax, documents: self.documents, problems: self.problems }
    }

    fn add(&mut self, node: Node<'a>) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open { entries: Some(entries), key, .. }) => {
                let (key, span) = key.take().unwrap_or((Cow::Borrowed(""), node.span().start..node.span().start));
                entries.push(Entry { key, key_start: offset(span.start), key_end: offset(span.end), node });
            }
            Some(Open { items, .. }) => items.push(node),
        }
    }

    fn count(&mut self, more: usize, at: usize) -> Step {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODES_MAX {
            let told = format!("more than {NODES_MAX} values, aliases counted each time: what follows is not read");
            self.problem(ProblemKind::Limit, at..at, told);
            return Err(Stop);
        }
        Ok(())
    }

    fn too_deep(&mut self, at: usize) -> Step {
        let told = format!("nested deeper than {DEPTH_MAX} levels: what follows is not read");
        self.problem(ProblemKind::Limit, at..at, told);
        Err(Stop)
    }

    /// The entries of a map, merge keys carried out and keys that stand twice told.
    fn settled(&mut self, mut entries: Vec<Entry<'a>>) -> Vec<Entry<'a>> {
        if self.merges && entries.iter().any(|entry| entry.key == "<<") {
            entries = self.merged(entries);
        }
        if entries.len() > 1 {
            let mut seen: HashMap<&str, &Entry<'a>> = HashMap::default();
            let mut twice = Vec::new();
            for entry in &entries {
                if seen.insert(&entry.key, entry).is_some() {
                    twice.push((entry.key_span(), super::super::clean_name(&entry.key)));
                }
            }
            for (span, key) in twice {
                self.problem(ProblemKind::Duplicate, span, format!("`{key}` is written twice in one place: keep one of them"));
            }
        }
        entries.shrink_to_fit();
        entries
    }

    /// What a merge key brings stands behind the map's own entries, which win.
    fn merged(&mut self, entries: Vec<Entry<'a>>) -> Vec<Entry<'a>> {
        let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.key == "<<");
        let mut names: crate::balancer::maps::HashSet<String> = own.iter().map(|entry| entry.key.to_string()).collect();
        for merge in merges {
            self.problem(ProblemKind::Merge, merge.key_span(), "the merge key `<<` is not understood by every reader of YAML");
            let maps = match merge.node.value {
                Value::List(items) => items,
                _ => vec![merge.node],
            };
            for map in maps {
                let Value::Map(brought) = map.value else { continue };
                for mut entry in brought {
                    if names.insert(entry.key.to_string()) {
                        entry.node.shared = true;
                        own.push(entry);
                    }
                }
            }
        }
        own
    }
}

/// Number of values and of levels of a subtree. Recurses at most [`DEPTH_MAX`] levels.
pub fn measure(node: &Node<'_>) -> (usize, usize) {
    let join = |(count, height): (usize, usize), child: &Node<'_>| {
        let (more, deep) = measure(child);
        (count + more, height.max(deep + 1))
    };
    match &node.value {
        Value::List(items) => items.iter().fold((1, 1), join),
        Value::Map(entries) => entries.iter().map(|entry| &entry.node).fold((1 + entries.len(), 1), join),
        _ => (1, 0),
    }
}
