//! Files of planes, tables of dated mappings, and lists of measured positions.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::tell::{Told, Turn, digest};
use super::{Author, Imported};
use crate::database::Database;
use crate::failure::Failure;
use crate::fplanes::model::{Claims, Value};
use crate::fplanes::read::SourceKind;
use crate::fplanes::readers::{
    FilePositions, Problem, ProblemCode, read_file, read_mapping, read_positions,
};

/// The longest name of a file, in characters.
const MOST_NAME: usize = 500;

/// A file of a plane.
#[derive(Clone, Copy, Debug)]
pub struct FileImport<'a> {
    /// The file.
    pub text: &'a str,
    /// What it is called.
    pub name: Option<&'a str>,
    /// Since when the plane is so.
    pub valid_from: DateTime<Utc>,
    /// Which positions it has.
    pub positions: FilePositions,
    /// Is it the whole plane? What it does not list has left the plane then; otherwise it stays.
    pub unlisted_ends: bool,
}

/// A table of dated mappings.
#[derive(Clone, Copy, Debug)]
pub struct MappingImport<'a> {
    /// The table.
    pub text: &'a str,
    /// What it is called.
    pub name: Option<&'a str>,
    /// Where nights have their midnights.
    pub zone: Tz,
}

/// A list of measured positions.
#[derive(Clone, Copy, Debug)]
pub struct PositionsImport<'a> {
    /// The list.
    pub text: &'a str,
    /// What it is called.
    pub name: Option<&'a str>,
    /// Since when slots are there.
    pub valid_from: DateTime<Utc>,
}

/// Imports a file of any variant. A file that no variant fits is a problem, and nothing is done.
///
/// # Errors
/// A rejection if the name is too long.
pub async fn file(
    database: &Database,
    author: &Author<'_>,
    import: &FileImport<'_>,
    commit: bool,
    now: DateTime<Utc>,
) -> Result<Imported, Failure> {
    let name = check_name(import.name)?;
    let file = match read_file(import.text) {
        Ok(file) => file,
        Err(problem) => {
            return Ok(Imported {
                outcome: None,
                problems: vec![problem],
            });
        }
    };
    let options = format!("{:?} {}", import.positions, import.unlisted_ends);
    let told = Told {
        kind: SourceKind::File,
        name,
        valid_from: import.valid_from,
        valid_until: None,
        reason: None,
        digest: digest(
            SourceKind::File,
            import.valid_from,
            &[&options, import.text],
        ),
        content: import.text.to_owned(),
        claims: file.claims(import.positions, import.unlisted_ends),
    };
    tell(database, author, vec![told], file.problems, commit, now).await
}

/// Imports a table of dated mappings: each night is a source. What a night does not list stays as it was. A night that does
/// not exist where the telescope stands is a problem, and left out.
///
/// # Errors
/// A rejection if the name is too long.
pub async fn mapping(
    database: &Database,
    author: &Author<'_>,
    import: &MappingImport<'_>,
    commit: bool,
    now: DateTime<Utc>,
) -> Result<Imported, Failure> {
    let name = check_name(import.name)?;
    let (nights, mut problems) = read_mapping(import.text);
    let mut told = Vec::with_capacity(nights.len());
    let mut missing = Vec::new();
    for (night, claims) in nights {
        let valid_from = match night.midnight(import.zone) {
            Ok(midnight) => midnight,
            // The other nights are as good as without it.
            Err(problem) => {
                missing.push(problem);
                continue;
            }
        };
        let content = rows(night.date, &claims);
        told.push(Told {
            kind: SourceKind::Mapping,
            name: name.clone(),
            valid_from,
            valid_until: None,
            reason: None,
            digest: digest(SourceKind::Mapping, valid_from, &[&content]),
            content,
            claims,
        });
    }
    // By lines. That there are more problems than are told stays at the end.
    problems.extend(missing);
    problems.sort_by_key(|problem| (problem.code == ProblemCode::MoreProblems, problem.line));
    tell(database, author, told, problems, commit, now).await
}

/// Imports a list of measured positions. What it does not list stays as it was.
///
/// # Errors
/// A rejection if the name is too long.
pub async fn positions(
    database: &Database,
    author: &Author<'_>,
    import: &PositionsImport<'_>,
    commit: bool,
    now: DateTime<Utc>,
) -> Result<Imported, Failure> {
    let name = check_name(import.name)?;
    let (claims, problems) = read_positions(import.text);
    let told = Told {
        kind: SourceKind::Positions,
        name,
        valid_from: import.valid_from,
        valid_until: None,
        reason: None,
        digest: digest(SourceKind::Positions, import.valid_from, &[import.text]),
        content: import.text.to_owned(),
        claims,
    };
    tell(database, author, vec![told], problems, commit, now).await
}

async fn tell(
    database: &Database,
    author: &Author<'_>,
    mut told: Vec<Told>,
    problems: Vec<Problem>,
    commit: bool,
    now: DateTime<Utc>,
) -> Result<Imported, Failure> {
    told.retain(|told| !told.claims.facts.is_empty());
    let outcome = if told.is_empty() {
        None
    } else {
        let turn = Turn::begin(database).await?;
        Some(turn.tell(author, told, Vec::new(), commit, now).await?)
    };
    Ok(Imported { outcome, problems })
}

fn check_name(name: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(name) = name else { return Ok(None) };
    if name.chars().count() > MOST_NAME {
        let message = format!("longer than {MOST_NAME} characters");
        return Err(Failure::bad_input("name", message));
    }
    Ok(Some(name.to_owned()))
}

/// What a table says of a night, as such a table.
fn rows(night: NaiveDate, claims: &Claims) -> String {
    let mut rows = "date,specid,ifuslot,ifuid\n".to_owned();
    for (track, value) in &claims.facts {
        if let Some(Value::Mapping(mapping)) = value {
            let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "000".to_owned());
            let (specid, ifuid) = (id(&mapping.specid), id(&mapping.ifuid));
            let date = night.format("%Y%m%d");
            // Texts take what is written to them.
            let _ = writeln!(rows, "{date},{specid},{},{ifuid}", track.ifuslot);
        }
    }
    rows
}
