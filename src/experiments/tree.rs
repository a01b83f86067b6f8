//! The jobs of an experiment as a tree of folders, as Autosubmit API draws them: by start date, member, section and
//! whatever else tells jobs apart, in any order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::readers::MAX_NAME;
use super::status::JobStatus;
use crate::failure::Failure;
use crate::time::from_millis;

const KEY_VERSION: u64 = 1;
/// The longest key, in bytes: three names of [`MAX_NAME`] bytes, each byte escaped, with room to spare.
const LONGEST_KEY: usize = 8192;

/// What the folders on one level of the tree stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobGrouping {
    /// The start date.
    Date,
    /// The ensemble member.
    Member,
    /// The section.
    Section,
    /// The chunk.
    Chunk,
    /// The status.
    Status,
    /// The wrapper.
    Wrapper,
}

/// What the jobs of a folder have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FolderValue {
    /// A start date in milliseconds, a chunk, or the code of a status.
    Number(i64),
    /// A name.
    Text(String),
    /// They have none.
    None,
}

/// One of the conditions for jobs to be in a folder.
pub type Step = (JobGrouping, FolderValue);

impl JobGrouping {
    /// Is this a value that a folder of this grouping may have?
    fn allows(self, value: &FolderValue) -> bool {
        match (self, value) {
            (Self::Status, FolderValue::Number(code)) => JobStatus::from_code(*code).is_some(),
            (Self::Status, _) => false,
            (Self::Date | Self::Chunk, FolderValue::Number(_)) | (_, FolderValue::None) => true,
            (Self::Member | Self::Section | Self::Wrapper, FolderValue::Text(text)) => {
                text.len() <= MAX_NAME && !text.contains('\0')
            }
            _ => false,
        }
    }

    /// The name of a folder, for people. The jobs without a date or a member stand where Autosubmit API has them, in
    /// `Keys` and `DEFAULT`.
    pub fn label(self, value: &FolderValue) -> String {
        match (self, value) {
            (Self::Date, FolderValue::None) => "Keys".into(),
            (Self::Member, FolderValue::None) => "DEFAULT".into(),
            (Self::Section, FolderValue::None) => "No section".into(),
            (Self::Chunk, FolderValue::None) => "No chunk".into(),
            (Self::Wrapper, FolderValue::None) => "Not wrapped".into(),
            (Self::Date, FolderValue::Number(millis)) => {
                from_millis(*millis).map_or_else(|| millis.to_string(), in_job_name)
            }
            _ => self.value(value).unwrap_or_default(),
        }
    }

    /// The value of a folder, for programs.
    pub fn value(self, value: &FolderValue) -> Option<String> {
        match (self, value) {
            (_, FolderValue::None) => None,
            (_, FolderValue::Text(text)) => Some(text.clone()),
            (Self::Date, FolderValue::Number(millis)) => {
                from_millis(*millis).map(|date| date.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            (Self::Status, FolderValue::Number(code)) => {
                JobStatus::from_code(*code).map(|status| status.as_str().into())
            }
            (_, FolderValue::Number(number)) => Some(number.to_string()),
        }
    }
}

/// A date as it stands in the names of jobs: with hour and minute only where it has them.
fn in_job_name(date: DateTime<Utc>) -> String {
    let form = match (date.hour(), date.minute()) {
        (0, 0) => "%Y%m%d",
        (_, 0) => "%Y%m%d%H",
        _ => "%Y%m%d%H%M",
    };
    date.format(form).to_string()
}

/// A folder and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// What its jobs have in common, a value for each grouping from the outermost.
    pub values: Vec<FolderValue>,
    /// Jobs by status.
    pub counts: BTreeMap<JobStatus, i64>,
    /// The lowest priority of its jobs: the place of the first of their sections in the configuration.
    pub first_priority: Option<i64>,
}

impl Folder {
    /// How many jobs are in it.
    pub fn total(&self) -> i64 {
        self.counts.values().sum()
    }

    /// In which order folders in the same folder stand. `by` is their own grouping, the innermost.
    ///
    /// Dates and chunks by number, members and wrappers by name, statuses in Autosubmit's logical order, sections in the
    /// order of the workflow: Autosubmit gives each section its place in the configuration as the priority of its jobs.
    /// What has no value comes last.
    pub fn compare(&self, other: &Self, by: JobGrouping) -> Ordering {
        self.place(by).cmp(&other.place(by))
    }

    fn place(&self, by: JobGrouping) -> (bool, i64, Option<&FolderValue>) {
        let value = self.values.last();
        let has_none = matches!(value, None | Some(FolderValue::None));
        let rank = match (by, value) {
            (JobGrouping::Section, _) => self.first_priority.unwrap_or(i64::MAX),
            (JobGrouping::Status, Some(FolderValue::Number(code))) => {
                let place = JobStatus::ALL
                    .iter()
                    .position(|status| i64::from(status.code()) == *code);
                place
                    .and_then(|place| i64::try_from(place).ok())
                    .unwrap_or(i64::MAX)
            }
            _ => 0,
        };
        (has_none, rank, value)
    }
}

/// A folder, as its key names it: what its jobs have in common, and what the folders in it stand for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FolderPath {
    /// From the outermost.
    pub steps: Vec<Step>,
    /// What the folders inside of it stand for, from the outermost.
    pub by: Vec<JobGrouping>,
}

impl FolderPath {
    /// Text that stands for the folder; clients need not understand it. It belongs to one experiment.
    pub fn key(&self, expid: &str) -> String {
        let key = serde_json::json!([KEY_VERSION, expid, self.steps, self.by]);
        BASE64_URL_SAFE_NO_PAD.encode(key.to_string())
    }

    /// The folder of a key. `field` is the argument that holds it.
    pub fn of_key(field: &'static str, expid: &str, key: &str) -> Result<Self, Failure> {
        let bad = || Failure::bad_input(field, "not the key of a folder of this experiment");
        if key.len() > LONGEST_KEY {
            return Err(bad());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(key).map_err(|_| bad())?;
        let parts: (u64, String, Vec<Step>, Vec<JobGrouping>) =
            serde_json::from_slice(&bytes).map_err(|_| bad())?;
        let (version, of, steps, by) = parts;
        let path = Self { steps, by };
        let sound = version == KEY_VERSION
            && of == expid
            && !path.steps.is_empty()
            && path.steps.iter().all(|(by, value)| by.allows(value))
            && path.repeated().is_none();
        if sound { Ok(path) } else { Err(bad()) }
    }

    /// The first grouping that occurs twice.
    fn repeated(&self) -> Option<JobGrouping> {
        let all: Vec<_> = self
            .steps
            .iter()
            .map(|(by, _)| by)
            .chain(&self.by)
            .collect();
        let twice =
            |(place, by): (usize, &&JobGrouping)| all.get(..place)?.contains(by).then_some(**by);
        all.iter().enumerate().find_map(twice)
    }

    /// The same folder with other folders in it.
    pub fn regrouped(self, by: Vec<JobGrouping>) -> Result<Self, Failure> {
        let path = Self { by, ..self };
        match path.repeated() {
            _ if path.by.is_empty() => Err(Failure::bad_input("by", "name at least one grouping")),
            Some(_) => Err(Failure::bad_input("by", "each grouping once")),
            None => Ok(path),
        }
    }

    /// The whole experiment, in these folders.
    pub fn root(by: Vec<JobGrouping>) -> Result<Self, Failure> {
        let steps = Vec::new();
        Self {
            steps,
            by: Vec::new(),
        }
        .regrouped(by)
    }

    /// A folder some levels below, where its jobs have these values in common.
    #[must_use]
    pub fn below(&self, values: &[FolderValue]) -> Self {
        let steps = self.by.iter().copied().zip(values.iter().cloned());
        Self {
            steps: self.steps.iter().cloned().chain(steps).collect(),
            by: self.by.iter().copied().skip(values.len()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grouping() -> impl Strategy<Value = JobGrouping> {
        use JobGrouping::{Chunk, Date, Member, Section, Status, Wrapper};
        prop::sample::select(vec![Date, Member, Section, Chunk, Status, Wrapper])
    }

    fn value() -> impl Strategy<Value = FolderValue> {
        prop_oneof![
            any::<i64>().prop_map(FolderValue::Number),
            "[^\\x00]{0,40}".prop_map(FolderValue::Text),
            Just(FolderValue::None),
        ]
    }

    proptest! {
        #[test]
        fn keys_come_back(
            steps in prop::collection::vec((grouping(), value()), 0..4),
            by in prop::collection::vec(grouping(), 0..3),
        ) {
            let path = FolderPath { steps, by };
            let sound = !path.steps.is_empty()
                && path.steps.iter().all(|(by, value)| by.allows(value))
                && path.repeated().is_none();
            let read = FolderPath::of_key("key", "a000", &path.key("a000"));
            prop_assert_eq!(read.ok(), sound.then(|| path.clone()));
            prop_assert!(FolderPath::of_key("key", "a001", &path.key("a000")).is_err());
        }

        #[test]
        fn any_text_is_answered(key in "\\PC*", json in "\\[1,\"a000\",\\PC*") {
            let _ = FolderPath::of_key("key", "a000", &key);
            let _ = FolderPath::of_key("key", "a000", &BASE64_URL_SAFE_NO_PAD.encode(json));
        }

        #[test]
        fn every_value_has_a_label(by in grouping(), value in value()) {
            let _ = (by.label(&value), by.value(&value));
        }
    }

    #[test]
    fn the_longest_names_fit_into_a_key() {
        let name = FolderValue::Text("\u{1}".repeat(MAX_NAME));
        let path = FolderPath {
            steps: vec![
                (JobGrouping::Member, name.clone()),
                (JobGrouping::Section, name.clone()),
                (JobGrouping::Wrapper, name),
            ],
            by: vec![JobGrouping::Date],
        };
        let key = path.key("a000");
        assert_eq!(FolderPath::of_key("key", "a000", &key), Ok(path));
    }

    #[test]
    fn dates_are_labelled_as_in_the_names_of_jobs() {
        let label = |text: &str| {
            let date: DateTime<Utc> = text.parse().unwrap();
            JobGrouping::Date.label(&FolderValue::Number(date.timestamp_millis()))
        };
        assert_eq!(label("2000-01-02T00:00:00Z"), "20000102");
        assert_eq!(label("2000-01-02T06:00:00Z"), "2000010206");
        assert_eq!(label("2000-01-02T00:30:00Z"), "200001020030");
    }
}
