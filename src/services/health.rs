//! Whether the installation can work.

use super::Result;
use crate::app::App;
use crate::store::settings;

/// `Ok` when a write reaches the disk.
pub async fn ready(app: &App) -> Result<()> {
    let mut conn = app.store().begin().await?;
    settings::set(&mut conn, "ready_probe", &app.now().timestamp().to_string()).await?;
    Ok(conn.commit().await?)
}
