//! Finding things by what they say.

use super::{Page, Paged, Result};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::search::{Hit, Search};
use crate::store::search::{self, RANKED_MAX, Seer};

/// The best first, of equals the newest; a search without words gives the newest. An empty search finds nothing.
/// Whoever may not see balancers does not find them.
pub async fn find(app: &App, actor: &Actor, search: &Search, page: &Page) -> Result<Paged<Hit>> {
    actor.may(Permission::ReadIncidents)?;
    let (limit, skip) = (page.limit()?, page.skip(RANKED_MAX)?);
    if search.is_empty() {
        return Ok(Paged { items: Vec::new(), next_cursor: None });
    }
    let seer = Seer { sees_only_as: actor.sees_only_as(), balancers: actor.may(Permission::ReadBalancers).is_ok() };
    let hits = search::find(&mut app.store().read().await?, search, seer, skip, limit + 1).await?;
    Ok(Paged::from_rows_by(hits, limit, |hit| ((skip + limit).to_string(), hit.id)))
}
