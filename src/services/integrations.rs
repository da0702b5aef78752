//! Integrations: their keys and what came in through them.

use std::io::Read;

use chrono::Duration;
use serde_json::json;

use super::{Page, Paged, Result, Unit, secrets};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::IntegrationId;
use crate::domain::integration::{Delivery, Integration, NewIntegration};
use crate::domain::time::shorten;
use crate::domain::{Error, FieldErrors};
use crate::store::integrations;

/// How long the key before stays valid after a rotation.
const OVERLAP_HOURS: i64 = 24;

/// Returns the integration and the hook's path with its key, which is shown this once.
pub async fn create(app: &App, actor: &Actor, new: NewIntegration) -> Result<(Integration, String)> {
    actor.may(Permission::ManageIntegrations)?;
    let mut errors = FieldErrors::default();
    let name = errors.line("name", &new.name);
    errors.into_result()?;
    let mut unit = Unit::begin(app, actor).await?;
    let integration = Integration {
        id: IntegrationId(app.uuid()),
        name,
        format: new.format,
        created_at: unit.now,
        disabled_at: None,
        last_delivery_at: None,
        last_error: None,
        last_error_at: None,
        deliveries: 0,
    };
    let key = secrets::generate(app, "afl_in_");
    if let Err(fault) = integrations::insert(&mut unit.conn, &integration, &secrets::hash(&key)).await {
        if fault.is_unique_in("integrations") {
            return Err(Error::invalid("name", "taken", "another integration has this name; choose a different one").into());
        }
        return Err(fault.into());
    }
    note(&mut unit, &integration, "made");
    unit.commit().await?;
    Ok((integration, format!("/hooks/{key}")))
}

fn note(unit: &mut Unit<'_>, integration: &Integration, what: &str) {
    let data = json!({"name": integration.name, "what": what});
    unit.event(NewEvent::new(EventKind::IntegrationChanged).subject(integration.id).data(data));
}

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Integration>> {
    actor.may(Permission::ManageIntegrations)?;
    Ok(integrations::list(&mut app.store().read().await?).await?)
}

pub async fn find(app: &App, actor: &Actor, id: IntegrationId) -> Result<Integration> {
    actor.may(Permission::ManageIntegrations)?;
    Ok(integrations::find(&mut app.store().read().await?, id).await?.ok_or_else(IntegrationId::not_found)?)
}

/// A new hook path; the one before works for another day, so that no alert is lost while senders change.
pub async fn rotate_key(app: &App, actor: &Actor, id: IntegrationId) -> Result<String> {
    actor.may(Permission::ManageIntegrations)?;
    let mut unit = Unit::begin(app, actor).await?;
    let integration = integrations::find(&mut unit.conn, id).await?.ok_or_else(IntegrationId::not_found)?;
    let key = secrets::generate(app, "afl_in_");
    let until = unit.now + Duration::hours(OVERLAP_HOURS);
    integrations::rotate_key(&mut unit.conn, id, &secrets::hash(&key), until).await?;
    note(&mut unit, &integration, "new key");
    unit.commit().await?;
    Ok(format!("/hooks/{key}"))
}

pub async fn set_disabled(app: &App, actor: &Actor, id: IntegrationId, disabled: bool) -> Result<()> {
    actor.may(Permission::ManageIntegrations)?;
    let mut unit = Unit::begin(app, actor).await?;
    let integration = integrations::find(&mut unit.conn, id).await?.ok_or_else(IntegrationId::not_found)?;
    integrations::set_disabled(&mut unit.conn, id, disabled.then_some(unit.now)).await?;
    note(&mut unit, &integration, if disabled { "disabled" } else { "enabled" });
    unit.commit().await
}

/// Newest first, each with the beginning of its body.
pub async fn deliveries(app: &App, actor: &Actor, id: IntegrationId, page: &Page) -> Result<Paged<Delivery>> {
    actor.may(Permission::ManageIntegrations)?;
    let (limit, before) = (page.limit()?, page.after()?);
    let rows = integrations::deliveries(&mut app.store().read().await?, id, before, limit + 1).await?;
    let rows = rows.into_iter().map(|(delivery, body)| Delivery { excerpt: excerpt(&body), ..delivery }).collect();
    Ok(Paged::from_rows(rows, limit, |delivery: &Delivery| (delivery.received_at, delivery.id)))
}

fn excerpt(compressed: &[u8]) -> String {
    let mut bytes = Vec::new();
    // A body that cannot be unpacked shows as empty; its delivery says what was wrong with it.
    let _ = flate2::read::DeflateDecoder::new(compressed).take(4_000).read_to_end(&mut bytes);
    shorten(&String::from_utf8_lossy(&bytes), 1_000)
}
