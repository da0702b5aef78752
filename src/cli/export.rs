//! `afterload export INC-42`: the same bytes as the download.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::open;
use crate::config::DataConfig;
use crate::domain::access::Actor;
use crate::domain::id::IncidentRef;
use crate::services::postmortems::{self, Flavour};

#[derive(Args)]
pub struct Export {
    /// Reference or id of the incident, such as INC-42
    incident: IncidentRef,
    /// plain, classic or hugo
    #[arg(long, default_value = "plain")]
    flavour: Flavour,
    /// Write text and images into this folder, or into this file when it ends in .zip
    #[arg(long, value_name = "DIR|FILE.zip")]
    bundle: Option<PathBuf>,
    /// Write the text to this file instead of standard output
    #[arg(long, short, value_name = "FILE", conflicts_with = "bundle")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data: DataConfig,
}

pub async fn run(command: Export) -> anyhow::Result<()> {
    let app = open(command.data).await?;
    let (actor, which) = (Actor::Console, command.incident);
    match command.bundle {
        None => {
            let text = postmortems::export(&app, &actor, which, command.flavour).await?;
            match command.output {
                Some(path) => write(&path, text.as_bytes())?,
                None => drop(std::io::stdout().write_all(text.as_bytes())),
            }
        }
        Some(path) if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip")) => {
            write(&path, &postmortems::zip(&app, &actor, which, command.flavour).await?)?;
        }
        Some(folder) => {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            for file in postmortems::bundle(&app, &actor, which, command.flavour).await? {
                write(&folder.join(file.name), &file.bytes)?;
            }
        }
    }
    app.store().close().await;
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
