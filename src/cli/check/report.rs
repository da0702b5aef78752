//! What a check found, and where, in terms that every format needs.

use std::collections::HashSet;

use crate::balancer::audit::{Finding, Severity};
use crate::balancer::change::Change;
use crate::balancer::model::{Gravity, Model, Notice};
use crate::balancer::source::{Lines, Place, Source};
use crate::cli::configs::REFUSED;
use crate::record::ADAPTED;

pub struct Report {
    pub model: Model,
    pub sources: Vec<Source>,
    lines: Vec<Lines>,
    /// The gravest first, then as they stand in the files.
    pub findings: Vec<Finding>,
    pub changes: Option<Vec<Change>>,
    pub bar: Severity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Clean,
    /// Something is at or above the bar.
    Found,
    /// The balancer would refuse it, or not all of it could be read.
    Refused,
}

impl Outcome {
    pub fn exit(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Found => 1,
            Self::Refused => REFUSED,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Found => "findings",
            Self::Refused => "refused",
        }
    }
}

pub const SEVERITIES: [Severity; 5] = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// A place for outsiders: lines and columns from 1, columns in characters, the end exclusive.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    /// Whether columns are those of the file on the disk: not behind a secret that was replaced.
    pub exact: bool,
}

impl Report {
    pub fn new(
        mut model: Model,
        sources: Vec<Source>,
        findings: Vec<Finding>,
        changes: Option<Vec<Change>>,
        bar: Severity,
    ) -> Self {
        // A template of a hundred servers says the same a hundred times.
        let mut told = HashSet::new();
        model.notices.retain(|notice| told.insert((notice.place.file(), notice.place.span().start, notice.text.clone())));
        let lines = sources.iter().map(|source| Lines::new(&source.text)).collect();
        Self { model, sources, lines, findings, changes, bar }
    }

    pub fn outcome(&self) -> Outcome {
        if self.notices(Gravity::Error).next().is_some() {
            Outcome::Refused
        } else if self.findings.iter().any(|finding| self.counts(finding)) {
            Outcome::Found
        } else {
            Outcome::Clean
        }
    }

    pub fn counts(&self, finding: &Finding) -> bool {
        finding.severity >= self.bar
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    pub fn notices(&self, gravity: Gravity) -> impl Iterator<Item = &Notice> {
        self.model.notices.iter().filter(move |notice| notice.gravity == gravity)
    }

    pub fn source(&self, place: &Place) -> Option<&Source> {
        self.sources.get(place.file()).filter(|_| place.line() > 0)
    }

    /// The file's name as it stands on the disk: a Caddyfile's without the word that its text is JSON.
    pub fn file(&self, place: &Place) -> Option<&str> {
        self.source(place).map(|source| source.name.strip_suffix(ADAPTED).unwrap_or(&source.name))
    }

    /// None where the place is no place in a file on the disk.
    pub fn region(&self, place: &Place) -> Option<Region> {
        let source = self.source(place).filter(|source| !source.name.ends_with(ADAPTED))?;
        let (line, column) = (place.line(), place.column().max(1));
        let (mut end_line, mut end_column) = (line, column + 1);
        if let Some(text) = source.text.get(place.span()).filter(|text| !text.trim_end().is_empty()) {
            (end_line, end_column) = self.lines[place.file()].locate(&source.text, place.span().start + text.trim_end().len());
        }
        let before = source.text[..place.span().end.min(source.text.len())].rsplit('\n').next().unwrap_or_default();
        let exact = !place.raw().contains(REDACTED) && !before.contains(REDACTED);
        Some(Region { line, column, end_line, end_column, exact })
    }
}

const REDACTED: &str = "REDACTED-";
