//! `labql fplane`.

mod change;
mod show;
mod shown;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{COMMAND_LINE, CommandResult};
use crate::config::Config;
use crate::fplanes::model::{Layer, Positions};
use crate::fplanes::readers;

/// Show focal planes, load them, and say what changed. A date is `latest`, a night (`20250115`: the midnight at its end,
/// where the telescope stands), an instant in UT (`20250115T04:12:33`, the DATE-OBS of FITS, RFC 3339), or `tag:NAME`.
#[derive(Args)]
pub struct Fplane {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write the file of the focal plane at a date
    Get(Get),
    /// List the slots of the focal plane at a date
    Slots {
        /// The date; without it the plane as it is now
        date: Option<String>,
        /// With measured positions
        #[arg(short = 'p', long)]
        measured: bool,
        /// By what was known at this instant
        #[arg(long, value_name = "INSTANT")]
        known_at: Option<String>,
        /// Print JSON: one object
        #[arg(long)]
        json: bool,
    },
    /// Load a file of a focal plane, of any form that was ever used
    Import(Import),
    /// Load a list of what was in which slot on which night: CSV with date, specid, ifuslot, ifuid
    ImportMapping {
        /// The file; `-`: standard input
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Load a list of measured positions: slot, x, y in arcsec
    ImportPositions {
        /// The file; `-`: standard input
        file: PathBuf,
        /// Since when they hold, as a date
        #[arg(long, value_name = "DATE")]
        valid_from: String,
        #[command(flatten)]
        how: How,
    },
    /// Take in a status message of the telescope (`get_hardware_status`), as JSON
    Update {
        /// The file; `-`: standard input
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Tell what differs between the focal planes at two dates
    Diff {
        /// The one date
        from: String,
        /// The other date
        to: String,
        /// With measured positions
        #[arg(short = 'p', long)]
        measured: bool,
        /// Print JSON: an object a line
        #[arg(long)]
        json: bool,
    },
    /// Tell what is known of a slot, an IFU, a spectrograph or a controller over time, in the order of time
    History(History),
    /// Name a state of the focal plane, or move a name that moves
    Tag {
        /// The name
        name: String,
        /// Which state; without it the plane as it is now
        #[arg(long, value_name = "DATE")]
        at: Option<String>,
        /// The name stays with what is known now, for good
        #[arg(long)]
        frozen: bool,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the tags, by name
    Tags {
        /// Print JSON: an object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Get {
    /// The date; without it the plane as it is now
    date: Option<String>,
    /// Where to write it; `-`: to standard output. Without it `fplane<DATE>.txt` in this folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only the units of VIRUS that are in use
    #[arg(short, long)]
    short: bool,
    /// With the newest positions that were measured by then
    #[arg(short = 'p', long)]
    measured: bool,
    /// By what was known at this instant
    #[arg(long, value_name = "INSTANT")]
    known_at: Option<String>,
}

#[derive(Args)]
struct Import {
    /// The file; `-`: standard input
    file: PathBuf,
    /// Since when it holds, as a date
    #[arg(long, value_name = "DATE")]
    valid_from: String,
    /// Of which kind its positions are
    #[arg(long, value_enum, default_value_t)]
    positions: FilePositions,
    /// Slots that the file does not list stay as they are. Otherwise they leave the plane
    #[arg(long)]
    keep_unlisted: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Args)]
struct History {
    /// The slot
    ifuslot: Option<String>,
    /// With this IFU
    #[arg(long, value_name = "ID")]
    ifuid: Option<String>,
    /// With this spectrograph
    #[arg(long, value_name = "ID")]
    specid: Option<String>,
    /// With a spectrograph at this place in its enclosure
    #[arg(long, value_name = "ID")]
    specslot: Option<String>,
    /// With this controller
    #[arg(long, value_name = "ID")]
    cntlid: Option<String>,
    /// Only facts of this kind
    #[arg(long, value_enum)]
    layer: Option<LayerName>,
    /// By what was known at this instant
    #[arg(long, value_name = "INSTANT")]
    known_at: Option<String>,
    /// What was corrected, too
    #[arg(long)]
    superseded: bool,
    /// So many at most
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER")]
    first: u64,
    /// Print JSON: an object a line
    #[arg(long)]
    json: bool,
}

/// What all commands share that load something.
#[derive(Args)]
struct How {
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Of which kind the positions in a file are.
#[derive(Clone, Copy, Default, ValueEnum)]
enum FilePositions {
    /// Those on the grid are by design, others were measured
    #[default]
    Auto,
    /// By design
    Nominal,
    /// Measured
    Measured,
}

/// A kind of facts about a slot.
#[derive(Clone, Copy, ValueEnum)]
enum LayerName {
    /// What is in it
    Mapping,
    /// Where it is by design
    Nominal,
    /// Where it was measured to be
    Measured,
    /// What it is and where, if it is no unit of VIRUS
    Special,
}

impl From<FilePositions> for readers::FilePositions {
    fn from(positions: FilePositions) -> Self {
        match positions {
            FilePositions::Auto => Self::Auto,
            FilePositions::Nominal => Self::Nominal,
            FilePositions::Measured => Self::Measured,
        }
    }
}

impl From<LayerName> for Layer {
    fn from(layer: LayerName) -> Self {
        match layer {
            LayerName::Mapping => Self::Mapping,
            LayerName::Nominal => Self::Nominal,
            LayerName::Measured => Self::Measured,
            LayerName::Special => Self::Special,
        }
    }
}

/// The positions that a flag asks for.
const fn positions(measured: bool) -> Positions {
    if measured {
        Positions::Measured
    } else {
        Positions::Nominal
    }
}

impl Fplane {
    /// Does it.
    pub async fn run(self, config: Config) -> CommandResult {
        let database = super::open(&config).await?;
        let (database_ref, settings) = (&database, &config.fplanes);
        match self.action {
            Action::Get(get) => show::get(database_ref, settings, get).await?,
            Action::Slots {
                date,
                measured,
                known_at,
                json,
            } => {
                let positions = positions(measured);
                let known_at = known_at.as_deref();
                let date = date.as_deref();
                show::slots(database_ref, settings, date, known_at, positions, json).await?;
            }
            Action::Import(import) => change::import(database_ref, settings, import).await?,
            Action::ImportMapping { file, how } => {
                change::import_mapping(database_ref, settings, &file, &how).await?;
            }
            Action::ImportPositions {
                file,
                valid_from,
                how,
            } => {
                change::import_positions(database_ref, settings, &file, &valid_from, &how).await?;
            }
            Action::Update { file, how } => {
                change::update(database_ref, settings, &file, &how).await?;
            }
            Action::Diff {
                from,
                to,
                measured,
                json,
            } => {
                let positions = positions(measured);
                show::diff(database_ref, settings, &from, &to, positions, json).await?;
            }
            Action::History(history) => show::history(database_ref, history).await?,
            Action::Tag {
                name,
                at,
                frozen,
                description,
                json,
            } => {
                let new = change::NewName {
                    name,
                    at,
                    frozen,
                    description,
                };
                change::tag(database_ref, settings, new, json).await?;
            }
            Action::Tags { json } => show::tags(database_ref, json).await?,
        }
        database.close().await;
        Ok(())
    }
}
