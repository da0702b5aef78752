//! YAML 1.2 to the tree: every document, aliases expanded within the bound on values.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::build::{Builder, Step, measure};
use super::{DEPTH_MAX, Node, Syntax, Tree, Value, units};
use crate::balancer::maps::HashMap;

pub fn parse(text: &str) -> Tree<'_> {
    let mut reader =
        Reader { text, builder: Builder::with_merges(), anchors: HashMap::default(), anchored: 0, open: Vec::new(), reached: 0 };
    // A broken text is told as a problem; the tree is what was read before.
    let _ = reader.read();
    reader.builder.finish(Syntax::Yaml, reader.reached)
}

struct Reader<'a> {
    text: &'a str,
    builder: Builder<'a>,
    /// Finished values that have an anchor, with their count and height.
    anchors: HashMap<usize, (Node<'a>, (usize, usize))>,
    /// Values that were copied for anchors.
    anchored: usize,
    /// Anchor and whether it has a closing sign, for each open list or map.
    open: Vec<(usize, bool)>,
    reached: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Step {
        let options = granit_parser::options! {
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
            emit_unresolved_aliases: true,
        };
        for event in Parser::new_from_str_with_options(self.text, options) {
            match event {
                Ok((event, span)) => {
                    let span = self.bytes(&span);
                    self.event(event, span.clone())?;
                    self.reached = self.reached.max(span.end);
                }
                Err(error) => {
                    // The parser may name a byte within a character.
                    let at = self.text.floor_char_boundary(error.marker().byte_offset().unwrap_or(self.reached));
                    return self.builder.broken(at..at, format!("this is not YAML: {}", error.info()));
                }
            }
        }
        Ok(())
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or(self.reached..self.reached);
        let [start, end] = [range.start, range.end].map(|at| self.text.floor_char_boundary(at));
        start.min(end)..end
    }

    fn event(&mut self, event: Event<'a>, span: Range<usize>) -> Step {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.builder.wants_key() {
                    self.anchor(anchor, Node::new(Value::Text(text.clone()), span.clone()))?;
                    return self.builder.key(text, span);
                }
                let span = self.trimmed(span, style);
                let value = resolved(text, style, tag.as_deref());
                self.anchor(anchor, Node::new(value.clone(), span.clone()))?;
                self.builder.scalar(value, span)
            }
            Event::SequenceStart(style, anchor, _) => self.begin(false, style, anchor, span),
            Event::MappingStart(style, anchor, _) => self.begin(true, style, anchor, span),
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, flow) = self.open.pop().unwrap_or_default();
                let copy = self.builder.close(flow.then_some(span.end)).filter(|_| anchor != 0).cloned();
                copy.map_or(Ok(()), |node| self.anchor(anchor, node))
            }
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let name = super::super::clean_name(&name);
                self.builder.broken(span, format!("`*{name}` refers to `&{name}`, which is not written before it"))
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, map: bool, style: StructureStyle, anchor: usize, span: Range<usize>) -> Step {
        if self.builder.wants_key() {
            return self.builder.broken(span, "a key has to be a word, not a list or a map");
        }
        self.builder.open(map, span.start)?;
        self.open.push((anchor, style == StructureStyle::Flow));
        Ok(())
    }

    /// Keeps a copy of a value that has an anchor. Copies count, or nested anchors would multiply.
    fn anchor(&mut self, anchor: usize, node: Node<'a>) -> Step {
        if anchor != 0 {
            let size = measure(&node);
            self.anchored += size.0;
            if self.anchored > super::NODES_MAX {
                let told = "anchors inside anchors repeat too much: what follows is not read";
                self.builder.problem(super::ProblemKind::Limit, node.span(), told);
                return Err(super::build::Stop);
            }
            self.anchors.insert(anchor, (node, size));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> Step {
        let Some((node, size)) = self.anchors.get(&id) else {
            return self.builder.broken(span, "a value refers to itself");
        };
        if self.builder.wants_key() {
            return match node.text() {
                Some(text) => self.builder.key(Cow::Owned(text.to_owned()), span),
                None => self.builder.broken(span, "a key has to be a word, not a list or a map"),
            };
        }
        self.builder.shared(node.clone(), *size, span.start)
    }

    /// A block scalar without the empty lines that follow it.
    fn trimmed(&self, span: Range<usize>, style: ScalarStyle) -> Range<usize> {
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return span;
        }
        let text = self.text.get(span.clone()).unwrap_or_default();
        span.start..span.start + text.trim_end().len()
    }
}

/// The value of a scalar: plain ones by the core schema of YAML 1.2, others are text unless a tag says otherwise.
fn resolved<'a>(text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value<'a> {
    let plain = style == ScalarStyle::Plain;
    let asked = tag.and_then(Tag::core_suffix);
    if asked == Some("str") || (!plain && asked.is_none()) || tag.is_some_and(|_| asked.is_none()) {
        return Value::Text(text);
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        number if units::is_number(number) => Value::Number(text),
        _ => Value::Text(text),
    }
}
