//! What is odd in files that can be read: each of it has been seen, and has led programs astray.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::is_unit;
use super::duplicates::{IdKind, duplicates};
use super::fields;
use super::file::{FileForm, FplaneFile};
use super::problem::{Problem, ProblemCode};
use super::row::{FileRow, Spacing};
use crate::fplanes::grid;
use crate::fplanes::model::Position;

/// Arcsec from the place by design beyond which a measured position is told of. Units of VIRUS have been off by 2.4 at most.
const LARGE_OFFSET: f64 = 1.0;

/// The traps of a file.
pub(super) fn of(file: &FplaneFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    let counting = file.rows_by_ifuslot();
    for row in &file.rows {
        if !counting
            .get(row.ifuslot.as_str())
            .is_some_and(|&other| std::ptr::eq(other, row))
        {
            let message = format!("another row of slot {} counts", row.ifuslot);
            problems.push(Problem::new(
                row.line,
                ProblemCode::DuplicateIfuslot,
                message,
            ));
        }
        problems.extend(of_row(row));
    }
    problems.extend(shared_ids(file, &counting));
    problems.extend(odd_spacing(&file.rows));
    problems.extend(mixed_decimals(&file.rows));
    problems.extend(mixed_positions(&file.rows));
    if file.form == FileForm::EightColumns {
        problems.extend(empty_codes(&file.rows));
    }
    problems.extend(without_spectrograph(&file.rows));
    if !counting.contains_key(grid::BORESIGHT) {
        let message = "no row of the boresight, 000: some programs take the first row for it";
        problems.push(Problem::new(0, ProblemCode::NoBoresight, message));
    }
    problems
}

fn of_row(row: &FileRow) -> Vec<Problem> {
    let slot = row.ifuslot.as_str();
    let mut problems = Vec::new();
    let mut tell = |code, message| problems.push(Problem::new(row.line, code, message));
    if grid::is_virus(slot) {
        if let Some(message) = placeholder(slot, [&row.specid, &row.specslot, &row.ifuid]) {
            tell(ProblemCode::PlaceholderId, message);
        }
    } else if grid::place(slot).is_none() && row.special_id().is_none() {
        let message = format!("slot {slot} is neither of the grid nor special");
        tell(ProblemCode::UnknownIfuslot, message);
    }
    if let (true, Some(ifuid)) = (grid::is_centre(slot), &row.ifuid) {
        let message = format!("IFU {ifuid} in slot {slot}, which can hold none");
        tell(ProblemCode::IfuInCentre, message);
    }
    if is_unit(row)
        && let Some(message) = large_offset(slot, row.position())
    {
        tell(ProblemCode::LargeOffset, message);
    }
    problems
}

/// What is odd about a slot of VIRUS with the ids of special ones.
pub(super) fn placeholder(slot: &str, ids: [&Option<String>; 3]) -> Option<String> {
    let is_special = |id: &&String| fields::is_special_id(id);
    let found: BTreeSet<&str> = ids
        .into_iter()
        .filter_map(Option::as_ref)
        .filter(is_special)
        .map(String::as_str)
        .collect();
    let found: Vec<&str> = found.into_iter().collect();
    let ids = found.join(" and ");
    let message = || format!("slot {slot} has {ids}, as special slots have");
    (!found.is_empty()).then(message)
}

/// What is odd about a position that is far from where the slot is by design.
pub(super) fn large_offset(slot: &str, position: Position) -> Option<String> {
    let design = grid::nominal(slot)?;
    let offset = (position.x - design.x).hypot(position.y - design.y);
    let message = || format!("slot {slot} is {offset:.2} arcsec from its place by design");
    (offset > LARGE_OFFSET).then(message)
}

/// Ids that several rows in use have, each at the last of them.
fn shared_ids(file: &FplaneFile, counting: &BTreeMap<&str, &FileRow>) -> Vec<Problem> {
    let told = duplicates(&file.slots()).into_iter().map(|shared| {
        let code = match shared.kind {
            IdKind::Specid => ProblemCode::DuplicateSpecid,
            IdKind::Specslot => ProblemCode::DuplicateSpecslot,
            IdKind::Ifuid => ProblemCode::DuplicateIfuid,
        };
        let rows = shared
            .ifuslots
            .iter()
            .filter_map(|slot| counting.get(slot.as_str()));
        let line = rows.map(|row| row.line).max().unwrap_or_default();
        let (column, slots) = (shared.kind.column(), shared.ifuslots.join(", "));
        let message = format!("{column} {} is in use in slots {slots}", shared.id);
        Problem::new(line, code, message)
    });
    told.collect()
}

/// What most of these are; of equally many the least.
fn commonest<T: Ord + Copy>(of: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for one in of {
        *counts.entry(one).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts
        .into_iter()
        .find(|&(_, count)| count == most)
        .map(|(one, _)| one)
}

/// Rows that are separated in another way than most.
fn odd_spacing(rows: &[FileRow]) -> Vec<Problem> {
    let usual = commonest(rows.iter().map(|row| row.spacing));
    let odd = rows.iter().filter(|row| Some(row.spacing) != usual);
    let told = odd.map(|row| {
        let how = match row.spacing {
            Spacing::Tabs => "tabs",
            Spacing::Blanks => "blanks",
            Spacing::Mixed => "tabs and blanks",
        };
        let message = format!(
            "{how} between columns, unlike most rows: slot {} may have been added by hand",
            row.ifuslot
        );
        Problem::new(row.line, ProblemCode::OddSpacing, message)
    });
    told.collect()
}

/// How many decimals the two coordinates have.
fn decimals(row: &FileRow) -> impl Iterator<Item = usize> + '_ {
    let count = |token: &String| token.split_once('.').map_or(0, |(_, after)| after.len());
    row.tokens.iter().skip(1).take(2).map(count)
}

fn mixed_decimals(rows: &[FileRow]) -> Option<Problem> {
    let seen: BTreeSet<usize> = rows.iter().flat_map(decimals).collect();
    if seen.len() < 2 {
        return None;
    }
    let usual = commonest(rows.iter().flat_map(decimals));
    let odd = rows
        .iter()
        .find(|row| decimals(row).any(|count| Some(count) != usual))?;
    let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
    let message = format!("positions have {} decimals", seen.join(", "));
    Some(Problem::new(odd.line, ProblemCode::MixedDecimals, message))
}

/// Units in use by design and measured ones in one file, at the first by design.
fn mixed_positions(rows: &[FileRow]) -> Option<Problem> {
    let units = rows.iter().filter(|row| is_unit(row) && !row.is_commented);
    let (by_design, measured): (Vec<&FileRow>, Vec<&FileRow>) =
        units.partition(|row| grid::is_nominal(&row.ifuslot, row.position()));
    let first = by_design.first().filter(|_| !measured.is_empty())?;
    let (some, all) = (by_design.len(), by_design.len() + measured.len());
    let message = format!("{some} of {all} positions are those by design, the others are measured");
    Some(Problem::new(
        first.line,
        ProblemCode::MixedPositions,
        message,
    ))
}

fn empty_codes(rows: &[FileRow]) -> Option<Problem> {
    let is_old = |row: &&FileRow| row.tokens.get(3).is_some_and(|specid| specid == "00");
    let first = rows.iter().find(is_old)?;
    let count = rows.iter().filter(is_old).count();
    let message = format!("{count} rows have 00 instead of 000 for no spectrograph");
    Some(Problem::new(first.line, ProblemCode::OldEmptyCode, message))
}

fn without_spectrograph(rows: &[FileRow]) -> Option<Problem> {
    let is_without = |row: &&FileRow| !row.is_commented && row.specid.is_none();
    let first = rows.iter().find(is_without)?;
    let count = rows.iter().filter(is_without).count();
    let message = format!("{count} rows that are not commented out have no spectrograph");
    let code = ProblemCode::ActiveWithoutSpectrograph;
    Some(Problem::new(first.line, code, message))
}
