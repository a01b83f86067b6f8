//! Dated mappings: which spectrograph and which IFU were in a slot on a night, as names of result files tell it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::claims::claim_mapping;
use super::lines::{Line, check_rows, check_size, lines};
use super::problem::{Problem, ProblemCode, settle};
use super::row::{id, wrong_slot};
use crate::fplanes::grid;
use crate::fplanes::model::{Claims, Mapping};
use crate::fplanes::moment::{self, AskedDate};

/// The columns that are needed, in any order and among others.
const COLUMNS: [&str; 4] = ["date", "specid", "ifuslot", "ifuid"];

/// A night that a table tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Night {
    /// The date on which it starts.
    pub date: NaiveDate,
    /// The first line that tells of it.
    pub line: u32,
}

impl Night {
    /// The midnight at the end of its date.
    ///
    /// # Errors
    /// A problem with its line if the zone has no such night.
    pub fn midnight(self, zone: Tz) -> Result<DateTime<Utc>, Problem> {
        moment::midnight(self.date, zone).ok_or_else(|| {
            let message = format!("there is no night of {} in {zone}", self.date);
            Problem::new(self.line, ProblemCode::WrongDate, message)
        })
    }
}

impl fmt::Display for Night {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(f)
    }
}

/// Reads a table of comma-separated values with the columns `date` (of the start of the night), `specid`, `ifuslot` and
/// `ifuid`. What it says of each night, in order; it never is the whole plane. Of rows of the same night and slot the last
/// counts.
pub fn read_mapping(csv: &str) -> (Vec<(Night, Claims)>, Vec<Problem>) {
    let mut problems = Vec::new();
    let nights = match read_rows(csv, &mut problems) {
        Ok(rows) => claims(rows, &mut problems),
        Err(problem) => {
            problems.push(problem);
            Vec::new()
        }
    };
    (nights, settle(problems))
}

/// A row of the table.
struct Row {
    line: u32,
    night: NaiveDate,
    specid: Option<String>,
    ifuslot: String,
    ifuid: Option<String>,
}

fn read_rows(csv: &str, problems: &mut Vec<Problem>) -> Result<Vec<Row>, Problem> {
    check_size(csv)?;
    let mut unread = Vec::new();
    let mut found = lines(csv, &mut unread).filter(|line| !line.text.starts_with('#'));
    let places = match found.next() {
        Some(header) => places(header)?,
        None => return Err(Problem::new(0, ProblemCode::NoRows, "no rows")),
    };
    let mut rows = Vec::new();
    for (index, line) in found.enumerate() {
        check_rows(index + 1)?;
        match row(line, places) {
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(problem),
        }
    }
    problems.append(&mut unread);
    Ok(rows)
}

/// In which columns the values stand, as [`COLUMNS`] names them.
fn places(header: Line<'_>) -> Result<[usize; 4], Problem> {
    let names: Vec<String> = values(header).map(str::to_ascii_lowercase).collect();
    let mut places = [0; 4];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = names
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| {
                let message = format!("no column {column}; {} are needed", COLUMNS.join(", "));
                Problem::new(header.number, ProblemCode::WrongHeader, message)
            })?;
    }
    Ok(places)
}

fn values<'a>(line: Line<'a>) -> impl Iterator<Item = &'a str> {
    let bare = |value: &'a str| value.trim().trim_matches('"');
    line.text.split(',').map(bare)
}

fn row(line: Line<'_>, places: [usize; 4]) -> Result<Row, Problem> {
    let values: Vec<&str> = values(line).collect();
    let [date, specid, ifuslot, ifuid] = places.map(|place| values.get(place).copied());
    let (Some(date), Some(specid), Some(slot), Some(ifuid)) = (date, specid, ifuslot, ifuid) else {
        let message = format!("only {} columns", values.len());
        return Err(Problem::new(
            line.number,
            ProblemCode::WrongColumnCount,
            message,
        ));
    };
    let Ok(AskedDate::Night(night)) = moment::parse(date) else {
        let message = format!("no date of a night, such as 20250115: {date:?}");
        return Err(Problem::new(line.number, ProblemCode::WrongDate, message));
    };
    let ifuslot = grid::parse_ifuslot(slot).ok_or_else(|| wrong_slot(line, slot))?;
    if grid::place(&ifuslot).is_none() {
        let message = format!("slot {ifuslot} is not of the grid");
        return Err(Problem::new(
            line.number,
            ProblemCode::UnknownIfuslot,
            message,
        ));
    }
    Ok(Row {
        line: line.number,
        night,
        specid: id(line, "specid", specid)?,
        ifuslot,
        ifuid: id(line, "ifuid", ifuid)?,
    })
}

fn claims(rows: Vec<Row>, problems: &mut Vec<Problem>) -> Vec<(Night, Claims)> {
    let mut nights: BTreeMap<NaiveDate, BTreeMap<String, Row>> = BTreeMap::new();
    for row in rows {
        let night = nights.entry(row.night).or_default();
        let (slot, date) = (row.ifuslot.clone(), row.night);
        if let Some(earlier) = night.insert(slot.clone(), row) {
            let message = format!("a later row of slot {slot} on {date} counts");
            let code = ProblemCode::DuplicateIfuslot;
            problems.push(Problem::new(earlier.line, code, message));
        }
    }
    let nights = nights.into_iter().map(|(date, slots)| {
        shared(
            &slots,
            |row| row.specid.as_ref(),
            ProblemCode::DuplicateSpecid,
            problems,
        );
        shared(
            &slots,
            |row| row.ifuid.as_ref(),
            ProblemCode::DuplicateIfuid,
            problems,
        );
        let lines = slots.values().map(|row| row.line);
        let line = lines.min().unwrap_or_default();
        let mut claims = Claims::default();
        for (ifuslot, row) in slots {
            claim_mapping(&mut claims, &ifuslot, mapping(row));
        }
        (Night { date, line }, claims)
    });
    nights.collect()
}

/// Tells of what is in two slots on one night, at the later row.
fn shared(
    slots: &BTreeMap<String, Row>,
    id: fn(&Row) -> Option<&String>,
    code: ProblemCode,
    problems: &mut Vec<Problem>,
) {
    let mut holders: BTreeMap<&String, &Row> = BTreeMap::new();
    for row in slots.values() {
        let Some(id) = id(row) else { continue };
        if let Some(other) = holders.insert(id, row) {
            let message = format!("{id} is in slots {} and {}", other.ifuslot, row.ifuslot);
            problems.push(Problem::new(row.line.max(other.line), code, message));
        }
    }
}

/// A slot with a result file is in use.
fn mapping(row: Row) -> Mapping {
    Mapping {
        ifuid: row.ifuid,
        specid: row.specid,
        specslot: None,
        cntlid: None,
        muxid: None,
        active: true,
        rotation: 0.0,
        plate_scale: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lines::{MAX_BYTES, MAX_ROWS};
    use super::*;
    use crate::fplanes::model::{Layer, Track, Value};

    fn told(csv: &str) -> Vec<(u32, &'static str)> {
        let (_, problems) = read_mapping(csv);
        problems
            .iter()
            .map(|it| (it.line, it.code.as_str()))
            .collect()
    }

    #[test]
    fn columns_are_found_by_name_and_nights_are_sorted() {
        let csv = "# by hand\nifuid,Note,date,\"ifuslot\",specid\n043,x,2019-05-28,13,401\n\n77,,20190101,014,0\n";
        let (nights, problems) = read_mapping(csv);
        assert_eq!(problems, []);
        let dates: Vec<String> = nights.iter().map(|(night, _)| night.to_string()).collect();
        assert_eq!(dates, ["2019-01-01", "2019-05-28"]);
        let track = Track {
            layer: Layer::Mapping,
            ifuslot: "014".into(),
        };
        let Some(Some(Value::Mapping(mapping))) = nights[0].1.facts.get(&track) else {
            panic!("{nights:?}");
        };
        assert_eq!(
            (mapping.specid.as_deref(), mapping.ifuid.as_deref()),
            (None, Some("077"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        let header = "date,specid,ifuslot,ifuid\n";
        let rows = [
            ("20190230,401,013,043", "WRONG_DATE"),
            ("2019-01-01T00:00:00,401,013,043", "WRONG_DATE"),
            ("latest,401,013,043", "WRONG_DATE"),
            ("20190101,x,013,043", "WRONG_ID"),
            ("20190101,401,x,043", "WRONG_IFUSLOT"),
            ("20190101,401,600,043", "UNKNOWN_IFUSLOT"),
            ("20190101,401,013", "WRONG_COLUMN_COUNT"),
        ];
        for (row, code) in rows {
            assert_eq!(told(&format!("{header}{row}\n")), [(2, code)], "{row}");
        }
        let twice =
            format!("{header}20190101,401,013,043\n20190101,401,014,043\n20190101,402,014,044\n");
        assert_eq!(told(&twice), [(3, "DUPLICATE_IFUSLOT")]);
        let shared = format!("{header}20190101,401,014,043\n20190101,401,013,043\n");
        assert_eq!(
            told(&shared),
            [(3, "DUPLICATE_SPECID"), (3, "DUPLICATE_IFUID")]
        );
        assert_eq!(told("date,specid,ifuslot\n"), [(1, "WRONG_HEADER")]);
        assert_eq!(told(""), [(0, "NO_ROWS")]);
        assert_eq!(told(&" ".repeat(MAX_BYTES + 1)), [(0, "TOO_LARGE")]);
        let many = format!("{header}{}", "20190101,401,013,043\n".repeat(MAX_ROWS + 1));
        assert_eq!(told(&many), [(0, "TOO_MANY_ROWS")]);
    }

    #[test]
    fn a_night_that_a_zone_left_out_is_told_by_its_first_line() {
        let csv = "date,specid,ifuslot,ifuid\n20111230,401,014,043\n20111229,401,014,043\n\n20111230,402,013,044\n";
        let (nights, problems) = read_mapping(csv);
        assert_eq!(problems, []);
        let zone = Tz::Pacific__Apia;
        let midnights = nights.iter().map(|(night, _)| night.midnight(zone));
        let problems: Vec<Problem> = midnights.filter_map(Result::err).collect();
        let message = "there is no night of 2011-12-30 in Pacific/Apia";
        assert_eq!(problems, [Problem::new(2, ProblemCode::WrongDate, message)]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(rows in proptest::collection::vec("[0-9,x\"# -]{0,30}", 0..20)) {
            let _ = read_mapping(&format!("date,specid,ifuslot,ifuid\n{}", rows.join("\n")));
        }
    }
}
