//! What people read of alerts: few entries, however many reports.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::Action;
use super::fold::Sheet;
use crate::app::App;
use crate::domain::alert::Alert;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::IncidentId;
use crate::domain::time::shorten;
use crate::domain::timeline::{EntryFields, EntryKind};
use crate::services::{Result, Unit, timeline};
use crate::store::incidents::Told;
use crate::store::{self, alerts};

/// Writes what people should read: one entry for all that fired, one when nothing fires any more; repeats
/// only count. Returns the references of the incidents that were touched and that everybody may know of: a sender
/// sees no restricted one.
pub(super) async fn tell(
    app: &App,
    unit: &mut Unit<'_>,
    sheet: &mut Sheet,
    changed: &[(Alert, Action)],
    not_shown: u64,
) -> Result<HashMap<IncidentId, String>> {
    let mut by_incident: BTreeMap<IncidentId, Vec<&(Alert, Action)>> = BTreeMap::new();
    for pair in changed {
        if let Some(incident) = pair.0.incident_id {
            by_incident.entry(incident).or_default().push(pair);
        }
    }
    learn(unit, by_incident.keys().copied()).await?;
    let mut references = HashMap::new();
    for (id, pairs) in by_incident {
        let Some(known) = unit.told(id) else { continue };
        if !known.restricted {
            references.insert(id, known.reference.to_string());
        }
        let of =
            |wanted: Action| pairs.iter().filter(|(_, action)| *action == wanted).map(|(alert, _)| alert).collect::<Vec<_>>();
        let (fired, resolved) = (of(Action::Fired), of(Action::Resolved));
        if !fired.is_empty() {
            say(app, unit, sheet, id, fired_entry(&fired, not_shown, !known.has_entry))?;
            unit.remember(id, Told { has_entry: true, ..known });
        }
        if !resolved.is_empty() {
            // What this group of bodies did counts too.
            sheet.write(unit).await?;
            if !alerts::any_firing(&mut unit.conn, id).await? {
                say(app, unit, sheet, id, resolved_entry(&resolved))?;
            }
        }
        // How many still fire is not said here: counting them for each alert of a storm costs the square of the storm.
        let data = json!({"fired": fired.len(), "resolved": resolved.len()});
        unit.event(NewEvent::new(EventKind::AlertChanged).incident(id).data(data));
    }
    Ok(references)
}

/// Asks once a unit, of all that are known to be needed in one statement.
pub(super) async fn learn(unit: &mut Unit<'_>, ids: impl IntoIterator<Item = IncidentId>) -> Result<()> {
    let ids: Vec<_> = ids.into_iter().filter(|id| unit.told(*id).is_none()).collect();
    for (id, told) in store::incidents::told(&mut unit.conn, &ids).await? {
        unit.remember(id, told);
    }
    Ok(())
}

fn say(app: &App, unit: &mut Unit<'_>, sheet: &mut Sheet, incident: IncidentId, fields: EntryFields) -> Result<()> {
    let (source, author) = (unit.source(), unit.actor().to_owned());
    sheet.entries.push(timeline::drafted(app, unit, incident, source, author, fields)?);
    Ok(())
}

fn fired_entry(fired: &[&Alert], not_shown: u64, pinned: bool) -> EntryFields {
    let first = fired[0];
    let title = match fired.len() {
        1 => format!("{} firing", shorten(&first.title, 250)),
        many => format!("{} and {} more firing", shorten(&first.title, 220), many - 1),
    };
    let mut body = if fired.len() == 1 { plain(&first.description) } else { String::new() };
    if fired.len() > 1 {
        body = fired.iter().take(10).map(|alert| format!("- {}\n", plain(&alert.title))).collect();
        if fired.len() > 10 {
            body.push_str(&format!("- and {} more\n", fired.len() - 10));
        }
    }
    if not_shown > 0 {
        body.push_str(&format!("\n{not_shown} more alerts of this group were not shown by the sender.\n"));
    }
    let occurred_at = fired.iter().map(|alert| alert.starts_at).min().unwrap_or(first.starts_at);
    EntryFields { kind: EntryKind::Alert, title, body, occurred_at, pinned, ..EntryFields::default() }
}

fn resolved_entry(resolved: &[&Alert]) -> EntryFields {
    let first = resolved[0];
    let title = match resolved.len() {
        1 => format!("{} resolved", shorten(&first.title, 250)),
        many => format!("{many} alerts resolved, none is firing any more"),
    };
    let occurred_at = resolved.iter().filter_map(|alert| alert.ends_at).max().unwrap_or(first.last_received_at);
    EntryFields { kind: EntryKind::Alert, title, occurred_at, ..EntryFields::default() }
}

/// A sender's text as text: no line of it becomes Markdown.
fn plain(text: &str) -> String {
    let escaped = shorten(text, 2_000).chars().fold(String::new(), |mut out, c| {
        if matches!(c, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '+' | '-' | '!' | '|' | '~')
        {
            out.push('\\');
        }
        out.push(c);
        out
    });
    escaped.replace('\n', "  \n")
}
