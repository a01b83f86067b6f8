//! Commands that tell something.

use std::io::Read;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::shown::{self, time};
use super::{COMMAND_LINE, CommandResult, How, Import, show};
use crate::database::Database;
use crate::failure::Failure;
use crate::fplanes::difference::SlotChange;
use crate::fplanes::read::moments;
use crate::fplanes::readers::{MAX_BYTES, Problem, ProblemCode};
use crate::fplanes::settings::FplaneSettings;
use crate::fplanes::write::import::{self, FileImport, MappingImport, PositionsImport};
use crate::fplanes::write::tags::{self, NewTag};
use crate::fplanes::write::{Author, Imported, Outcome, update};

/// Standard input, as an argument.
const STANDARD: &str = "-";
/// Who tells.
const AUTHOR: Author<'static> = Author::Labql(COMMAND_LINE);

/// A name that a tag gets.
pub struct NewName {
    pub name: String,
    pub at: Option<String>,
    pub frozen: bool,
    pub description: Option<String>,
}

pub async fn import(
    database: &Database,
    settings: &FplaneSettings,
    import: Import,
) -> CommandResult {
    let given = read(&import.file)?;
    let file = FileImport {
        text: &given.text,
        name: given.name.as_deref(),
        valid_from: instant(database, settings, "--valid-from", &import.valid_from).await?,
        positions: import.positions.into(),
        unlisted_ends: !import.keep_unlisted,
    };
    let commit = !import.how.dry_run;
    let done = import::file(database, &AUTHOR, &file, commit, Utc::now()).await?;
    tell_import(&given.from, &done, &import.how)
}

pub async fn import_mapping(
    database: &Database,
    settings: &FplaneSettings,
    file: &Path,
    how: &How,
) -> CommandResult {
    let given = read(file)?;
    let list = MappingImport {
        text: &given.text,
        name: given.name.as_deref(),
        zone: settings.night_zone,
    };
    let done = import::mapping(database, &AUTHOR, &list, !how.dry_run, Utc::now()).await?;
    tell_import(&given.from, &done, how)
}

pub async fn import_positions(
    database: &Database,
    settings: &FplaneSettings,
    file: &Path,
    valid_from: &str,
    how: &How,
) -> CommandResult {
    let given = read(file)?;
    let list = PositionsImport {
        text: &given.text,
        name: given.name.as_deref(),
        valid_from: instant(database, settings, "--valid-from", valid_from).await?,
    };
    let done = import::positions(database, &AUTHOR, &list, !how.dry_run, Utc::now()).await?;
    tell_import(&given.from, &done, how)
}

pub async fn update(
    database: &Database,
    settings: &FplaneSettings,
    file: &Path,
    how: &How,
) -> CommandResult {
    let given = read(file)?;
    let config: Value = serde_json::from_str(&given.text)
        .map_err(|error| format!("{} is not JSON: {error}", given.from))?;
    let (commit, now) = (!how.dry_run, Utc::now());
    let done = update::update(database, settings, &AUTHOR, &config, commit, now, None).await?;
    if how.json {
        say!("{}", outcome(&done));
    } else {
        tell(&done);
    }
    Ok(())
}

pub async fn tag(
    database: &Database,
    settings: &FplaneSettings,
    new: NewName,
    as_json: bool,
) -> CommandResult {
    let (zone, now) = (settings.night_zone, Utc::now());
    let at = new.at.as_deref();
    let tag = NewTag {
        name: &new.name,
        as_of: moments::resolve(database, "--at", at, None, zone, now).await?,
        frozen: new.frozen,
        description: new.description.as_deref(),
    };
    let row = tags::tag(database, &AUTHOR, &tag, now).await?;
    let shown = show::tag(&row);
    if as_json {
        say!("{shown}");
    } else {
        say!(
            "{} stands for {}",
            row.name,
            shown["at"].as_str().unwrap_or_default()
        );
    }
    Ok(())
}

/// A text to take in.
struct Given {
    text: String,
    /// The name of the file; none: it came by standard input.
    name: Option<String>,
    /// Where it comes from, for people.
    from: String,
}

/// The text of a file or of standard input. No more is read than can be used.
fn read(path: &Path) -> Result<Given, String> {
    let is_standard = path.as_os_str() == STANDARD;
    let from = if is_standard {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let failed = |error: std::io::Error| format!("cannot read {from}: {error}");
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let most = most.saturating_add(1);
    let mut bytes = Vec::new();
    if is_standard {
        let input = std::io::stdin().lock();
        input.take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() > MAX_BYTES {
        let code = ProblemCode::TooLarge.as_str();
        return Err(format!("{from}: {code}: more than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("{from}: {error}"))?;
    let name = path.file_name().filter(|_| !is_standard);
    Ok(Given {
        text,
        name: name.map(|name| name.to_string_lossy().into_owned()),
        from,
    })
}

async fn instant(
    database: &Database,
    settings: &FplaneSettings,
    field: &'static str,
    date: &str,
) -> Result<DateTime<Utc>, Failure> {
    let zone = settings.night_zone;
    let as_of = moments::resolve(database, field, Some(date), None, zone, Utc::now()).await?;
    Ok(as_of.at)
}

fn tell_import(from: &str, done: &Imported, how: &How) -> CommandResult {
    if how.json {
        let problems: Vec<Value> = done.problems.iter().map(shown::problem).collect();
        let mut told = done.outcome.as_ref().map_or_else(|| json!({}), outcome);
        told["problems"] = problems.into();
        say!("{told}");
    } else {
        done.problems
            .iter()
            .for_each(|problem: &Problem| say!("{problem}"));
        if let Some(outcome) = &done.outcome {
            tell(outcome);
        }
    }
    match done.outcome {
        Some(_) => Ok(()),
        None => Err(format!("{from}: there is nothing in it that can be used").into()),
    }
}

fn tell(outcome: &Outcome) {
    for warning in &outcome.warnings {
        say!("{}: {}", warning.code.as_str(), warning.message);
    }
    let mut changes = 0_usize;
    for step in &outcome.steps {
        for change in &step.changes {
            say!("{}\t{}", time(step.valid_from), shown::change_line(change));
        }
        changes += step.changes.len();
    }
    let kept = match (outcome.is_repeated, outcome.committed) {
        (true, _) => "told before: nothing done",
        (false, true) => "kept",
        (false, false) => "dry run: nothing kept",
    };
    say!("{changes} changes; {kept}");
}

fn outcome(outcome: &Outcome) -> Value {
    let changes =
        |changes: &[SlotChange]| -> Vec<Value> { changes.iter().map(shown::change).collect() };
    let warnings = outcome.warnings.iter();
    let steps = outcome.steps.iter();
    json!({
        "committed": outcome.committed,
        "isRepeated": outcome.is_repeated,
        "warnings": warnings
            .map(|warning| json!({ "code": warning.code.as_str(), "message": warning.message }))
            .collect::<Vec<Value>>(),
        "steps": steps
            .map(|step| json!({
                "validFrom": time(step.valid_from),
                "validUntil": step.valid_until.map(time),
                "changes": changes(&step.changes),
            }))
            .collect::<Vec<Value>>(),
    })
}
