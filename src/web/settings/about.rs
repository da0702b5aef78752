//! What this installation is, and how it does.

use askama::Template;
use axum::extract::State;

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::services::health::{self, Room};
use crate::web::balancers::Answers;
use crate::web::error::Result;
use crate::web::extract::Session;
use crate::web::page::{Page, Shell};

/// Days after which a backup is called old.
const BACKUP_DAYS: i64 = 8;

#[derive(Template)]
#[template(path = "settings/about.html")]
pub struct About {
    shell: Shell,
    now: Timestamp,
    about: health::About,
    answers: Answers,
    keep_samples_days: i64,
    keep_deliveries_days: i64,
}

impl About {
    /// `1.4 GiB`.
    fn bytes(&self, bytes: &u64) -> String {
        sized(*bytes)
    }

    fn schema_fits(&self) -> bool {
        self.about.schema == Some(self.about.newest_schema)
    }

    fn is_short(&self, disk: &Room) -> bool {
        disk.is_short()
    }

    fn is_old(&self, backup: &Timestamp) -> bool {
        (self.now - backup).num_days() >= BACKUP_DAYS
    }

    fn silent(&self) -> usize {
        self.answers.all().iter().filter(|answer| answer.is_bad()).count()
    }
}

fn sized(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        // What is shown has two digits; what is lost is far behind them.
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}

pub async fn show(State(app): State<App>, session: Session, shell: Shell) -> Result<Page<About>> {
    let about = health::about(&app, &session.actor).await?;
    let answers = Answers::read(&app, &session.actor, shell.zone()).await?;
    let config = app.config();
    let (keep_samples_days, keep_deliveries_days) = (config.keep_samples_days, config.keep_deliveries_days);
    Ok(Page(About { shell, now: app.now(), about, answers, keep_samples_days, keep_deliveries_days }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let told = [0, 1023, 1024, 1_572_864, 3 << 30].map(sized);
        assert_eq!(told, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 MiB", "3.0 GiB"]);
    }
}
