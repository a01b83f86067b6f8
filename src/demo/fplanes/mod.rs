//! A focal plane over four years, as its observatory kept it: files, a list of measured positions, a table of exchanges,
//! and a status message of the telescope.
//!
//! Units of an instrument with 78 places are put in year by year, and some change their spectrographs. What is invented are
//! ids, dates and offsets; the forms and the grid are those of real files.

mod plane;

use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, Days, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

use self::plane::{Plane, Unit, units};
use super::chance::{between, roll};
use super::{DemoError, files};

/// What was written, for comparison with what is read from it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The files with planes, the oldest first.
    pub planes: Vec<PlaneSummary>,
    /// The list of measured positions: since when they hold, and how many there are.
    pub positions: (DateTime<Utc>, usize),
    /// The slot in which spectrographs were exchanged for some nights, as a table tells it.
    pub exchanged: String,
    /// What the files have wrong.
    pub correction: CorrectionSummary,
    /// When the status message was sent.
    pub status: DateTime<Utc>,
}

/// A file with a plane.
#[derive(Clone, Debug)]
pub struct PlaneSummary {
    /// Since when it holds.
    pub valid_from: DateTime<Utc>,
    /// How many units are in use.
    pub in_use: usize,
    /// How many have an IFU and no spectrograph.
    pub without_spectrograph: usize,
}

/// What was in a slot for some time, and the files do not have.
#[derive(Clone, Debug)]
pub struct CorrectionSummary {
    /// The slot.
    pub ifuslot: String,
    /// Since when it was otherwise.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// The spectrograph that was there.
    pub specid: String,
}

/// How old the files are in days, and how many units are in use then.
const PLANES: [(u64, usize); 5] = [(1_461, 40), (1_096, 52), (731, 64), (366, 74), (30, 77)];
/// When positions were measured, in days ago, and how many units there were.
const MEASURED: u64 = 1_000;
const IN_USE_WHEN_MEASURED: usize = PLANES[1].1;
/// When a spectrograph was away for repair, in days ago; of which unit, and in which plane.
const AWAY: (u64, u64) = (900, 886);
const EXCHANGED: usize = 15;
const PLANE_OF_EXCHANGE: usize = 1;
/// What the observing log has and the files do not, in days ago, and of which unit.
const WRONG: (u64, u64) = (340, 310);
const CORRECTED: usize = 31;
/// The unit that the telescope reports to be out of use.
const OUT_OF_USE: usize = 44;
const SEED: u64 = 7;

/// Writes the demo's focal planes: the names of files tell what they are and since when they hold.
///
/// A demo that stands there already is replaced. A folder that holds anything else is left alone, with
/// [`DemoError::NotADemo`].
pub fn write_planes(path: &Path, now: DateTime<Utc>) -> Result<Summary, DemoError> {
    files::folder(path)?;
    files::clear(path)?;
    let units = units();
    let mut written = Vec::new();
    let mut planes = Vec::new();
    for (index, (days, in_use)) in PLANES.into_iter().enumerate() {
        let plane = Plane::new(&units, index, in_use);
        // The oldest is as files were before the server wrote them.
        let text = if index == 0 {
            plane.old_file()
        } else {
            plane.file()
        };
        let valid_from = evening(now, days);
        written.push((format!("fplane_{}.txt", stamp(valid_from)), text));
        planes.push(PlaneSummary {
            valid_from,
            in_use,
            without_spectrograph: plane.without_spectrograph(),
        });
    }
    let measured_from = evening(now, MEASURED);
    let measured = units.iter().take(IN_USE_WHEN_MEASURED);
    let list = positions(measured.clone());
    written.push((format!("positions_{}.txt", stamp(measured_from)), list));
    let exchanged = exchanges(&units, now);
    written.push(("mapping.csv".to_owned(), exchanged));
    let status = (now - TimeDelta::hours(2)).trunc_subsecs(0);
    let message = status_message(&units, status);
    written.push(("status.json".to_owned(), format!("{message:#}\n")));
    let correction = CorrectionSummary {
        ifuslot: slot(&units, CORRECTED).to_owned(),
        from: evening(now, WRONG.0),
        until: evening(now, WRONG.1),
        specid: "095".to_owned(),
    };
    let words = correction.words();
    written.push(("correction.json".to_owned(), format!("{words:#}\n")));
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    files::write(&path.join(files::MARKER), names.join("\n") + "\n", now)?;
    for (name, text) in &written {
        files::write(&path.join(name), text, now)?;
    }
    Ok(Summary {
        planes,
        positions: (measured_from, measured.count()),
        exchanged: slot(&units, EXCHANGED).to_owned(),
        correction,
        status,
    })
}

impl CorrectionSummary {
    /// As the demo's file has it.
    fn words(&self) -> Value {
        json!({
            "ifuslot": self.ifuslot,
            "from": rfc3339(self.from),
            "until": rfc3339(self.until),
            "specid": self.specid,
            "reason": "observing log: a spectrograph on loan stood behind this slot",
        })
    }
}

/// Slot, x and y of each.
fn positions<'a>(units: impl Iterator<Item = &'a Unit>) -> String {
    let mut list = String::new();
    for unit in units {
        let off = |salt| {
            let milli = between(-600, 601, roll(SEED, salt, &unit.ifuslot));
            f64::from(i16::try_from(milli).unwrap_or_default()) / 1_000.0
        };
        let (x, y) = (unit.x + off(1), unit.y + off(2));
        let _ = writeln!(list, "{} {x:.3} {y:.3}", unit.ifuslot);
    }
    list
}

/// A spectrograph is away for repair: another one stands in for it, as names of result files tell it.
fn exchanges(units: &[Unit], now: DateTime<Utc>) -> String {
    let mut table = "date,specid,ifuslot,ifuid\n".to_owned();
    let Some(unit) = units.get(EXCHANGED) else {
        return table;
    };
    let own = Plane::new(units, PLANE_OF_EXCHANGE, EXCHANGED + 1).specid(EXCHANGED);
    let middle = u64::midpoint(AWAY.0, AWAY.1);
    for (days, specid) in [(AWAY.0, "094"), (middle, "094"), (AWAY.1, own.as_str())] {
        let night = evening(now, days).format("%Y%m%d");
        let _ = writeln!(table, "{night},{specid},{},{}", unit.ifuslot, unit.ifuid);
    }
    table
}

/// What the telescope said last: a unit more, a spectrograph out of use, and a camera that was moved.
fn status_message(units: &[Unit], at: DateTime<Utc>) -> Value {
    let (newest, in_use) = (PLANES.len() - 1, PLANES.last().map_or(0, |it| it.1));
    let plane = Plane::new(units, newest, in_use + 1);
    let hardware = [in_use, OUT_OF_USE].into_iter().filter_map(|index| {
        let unit = units.get(index)?;
        let is_new = index == in_use;
        let specid = plane.specid(index);
        Some(json!({
            "ifuslot": unit.ifuslot, "ifuid": unit.ifuid, "specid": specid, "specslot": unit.specslot,
            "cntlid": format!("1{specid}"), "muxid": "07", "active": is_new,
            "x_fp": is_new.then_some(unit.x + 0.21), "y_fp": is_new.then_some(unit.y - 0.34),
            "ifurot": 0.0, "platesc": 1.0,
            "temps": { "ccd_left_c": -110.2, "ccd_right_c": -110.0, "cryo_c": -165.1 },
        }))
    });
    json!({
        "__data_time": rfc3339(at),
        "__source": "tcs",
        "hardware": hardware.collect::<Vec<Value>>(),
        "special": [{ "ifuslot": "600", "id": "902", "name": "HPFACAM", "x_fp": -39.0, "y_fp": 10.0 }],
    })
}

fn slot(units: &[Unit], index: usize) -> &str {
    units.get(index).map_or("", |unit| &unit.ifuslot)
}

/// Before the night so many days ago.
fn evening(now: DateTime<Utc>, days: u64) -> DateTime<Utc> {
    let day = now.date_naive();
    let day = day.checked_sub_days(Days::new(days)).unwrap_or(day);
    let at = NaiveTime::from_hms_opt(20, 0, 0).unwrap_or_default();
    day.and_time(at).and_utc()
}

/// As names of files have it.
fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%S").to_string()
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
