use chrono::{Datelike, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::section::{Running, Section};
use crate::demo::DemoError;

/// How Autosubmit keeps the list of jobs, which its version decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobListForm {
    /// Up to 3.13: a pickled list of tuples of 12, protocol 0.
    Text,
    /// 3.14 and 4.0: a pickled list of tuples of 13, protocol 2.
    Tuples,
    /// 4.1.0 to 4.1.11: a pickled networkx graph, protocol 5.
    Graph,
    /// 4.1.12 to 4.1.17: a pickled dict of dicts, protocol 5.
    Dict,
    /// From 4.2.0: a `SQLite` database, which holds edges and wrappers too.
    Sqlite,
}

/// The language of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigForm {
    /// Five INI files, up to 3.x.
    As3,
    /// YAML, from 4.0.
    As4,
}

/// The `user_version` of the history database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistorySchema {
    /// 3.13; upgraded files, with `modified` as the last column of runs.
    V17,
    /// 3.14 to 4.1.11.
    V18,
    /// 4.1.12 to 4.1.16: with the workflow's commit.
    V19,
    /// From 4.1.17: with splits and the number of failures.
    V21,
}

impl HistorySchema {
    /// The number in the file.
    pub fn user_version(self) -> i64 {
        match self {
            Self::V17 => 17,
            Self::V18 => 18,
            Self::V19 => 19,
            Self::V21 => 21,
        }
    }
}

/// The unit of a chunk's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkUnit {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Calendar months.
    Month,
    /// Calendar years.
    Year,
}

impl ChunkUnit {
    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The moment so many units after another; the same moment if the calendar ends before.
    pub fn after(self, start: NaiveDateTime, count: u32) -> NaiveDateTime {
        let end = match self {
            Self::Hour => start.checked_add_signed(Duration::hours(count.into())),
            Self::Day => start.checked_add_signed(Duration::days(count.into())),
            Self::Month => start.checked_add_months(Months::new(count)),
            Self::Year => start.checked_add_months(Months::new(count.saturating_mul(12))),
        };
        end.unwrap_or(start)
    }
}

/// How far an experiment is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Percent of the jobs that have completed in the last run; failures may leave it short of that.
    pub completed_percent: u8,
    /// Whether Autosubmit is at work on it now: jobs are in flight and the job list is fresh.
    pub live: bool,
    /// Jobs that have failed for good.
    pub failed: usize,
    /// Completed jobs that failed at first.
    pub retried: usize,
    /// Waiting jobs that were suspended.
    pub suspended: usize,
    /// Rows of `experiment_run`: all but the last completed the whole workflow.
    pub runs: u32,
    /// Jobs that run at the same time at most.
    pub slots: usize,
}

impl Progress {
    /// Created and never run.
    pub fn never_run() -> Self {
        Self {
            completed_percent: 0,
            live: false,
            failed: 0,
            retried: 0,
            suspended: 0,
            runs: 1,
            slots: 20,
        }
    }

    /// At work.
    pub fn running(completed_percent: u8) -> Self {
        Self {
            completed_percent,
            live: true,
            ..Self::never_run()
        }
    }

    /// Stopped half-way, some days ago.
    pub fn stopped(completed_percent: u8) -> Self {
        Self {
            completed_percent,
            ..Self::never_run()
        }
    }

    /// Completed over so many runs.
    pub fn completed(runs: u32) -> Self {
        Self {
            completed_percent: 100,
            runs,
            ..Self::never_run()
        }
    }
}

/// Jobs that are submitted together. Four consecutive chunks of the section make a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrappers {
    /// Each job by itself.
    None,
    /// Packages that have been submitted.
    Real {
        /// The wrapped section.
        section: String,
    },
    /// Packages that would be made, from `autosubmit create -cw`.
    Preview {
        /// The wrapped section.
        section: String,
    },
}

/// An experiment to write.
#[derive(Debug, Clone)]
pub struct ExperimentSpec {
    /// Identifier: four or more lower-case letters and digits.
    pub expid: String,
    /// What it is for.
    pub description: String,
    /// Its user.
    pub owner: String,
    /// Main platform.
    pub hpc: String,
    /// Version of Autosubmit, as in `4.1.17`.
    pub version: String,
    /// How the job list is kept.
    pub form: JobListForm,
    /// Language of the configuration.
    pub config: ConfigForm,
    /// Schema of the history.
    pub history: HistorySchema,
    /// Start dates.
    pub start_dates: Vec<NaiveDateTime>,
    /// Members of the ensemble.
    pub members: Vec<String>,
    /// Chunks of each member.
    pub chunks: u32,
    /// Unit of a chunk's length.
    pub chunk_unit: ChunkUnit,
    /// Length of a chunk in units.
    pub chunk_size: u32,
    /// Kinds of jobs.
    pub sections: Vec<Section>,
    /// How far it is.
    pub progress: Progress,
    /// Jobs submitted together.
    pub wrappers: Wrappers,
    /// Whether edges stand in a database; without it only the graph form has them.
    pub structure: bool,
    /// Whether the central database has a row of details.
    pub details: bool,
    /// Whether the job list is cut short, as a full disk leaves it.
    pub truncated: bool,
    /// How many jobs have logs and marker files.
    pub logged_jobs: usize,
    /// What the dice are thrown with.
    pub seed: u64,
}

impl ExperimentSpec {
    /// A small experiment with the version, configuration and schema that belong to a form: one start date,
    /// two members of three chunks, half completed and stopped.
    pub fn new(expid: &str, form: JobListForm) -> Self {
        let (version, config, history) = match form {
            JobListForm::Text => ("3.13.0", ConfigForm::As3, HistorySchema::V17),
            JobListForm::Tuples => ("4.0.98", ConfigForm::As4, HistorySchema::V18),
            JobListForm::Graph => ("4.1.9", ConfigForm::As4, HistorySchema::V18),
            JobListForm::Dict => ("4.1.17", ConfigForm::As4, HistorySchema::V21),
            JobListForm::Sqlite => ("4.2.0", ConfigForm::As4, HistorySchema::V21),
        };
        Self {
            expid: expid.to_owned(),
            description: format!("Test experiment {expid}"),
            owner: "mrossi".to_owned(),
            hpc: "BOREAS".to_owned(),
            version: version.to_owned(),
            form,
            config,
            history,
            start_dates: vec![date(2000, 1, 1)],
            members: members(2),
            chunks: 3,
            chunk_unit: ChunkUnit::Month,
            chunk_size: 4,
            sections: standard_sections(),
            progress: Progress::stopped(50),
            wrappers: Wrappers::None,
            structure: true,
            details: true,
            truncated: false,
            logged_jobs: 12,
            seed: 1,
        }
    }

    /// An experiment for tests of size, at work and half done. Every section but the two setups runs by chunk:
    /// `members` × `chunks` × 5 + 1 + `members` jobs, 6,021 for 20 and 60.
    pub fn sized(expid: &str, form: JobListForm, member_count: usize, chunks: u32) -> Self {
        Self {
            members: members(member_count),
            chunks,
            chunk_unit: ChunkUnit::Year,
            chunk_size: 1,
            sections: vec![
                Section::new("REMOTE_SETUP", Running::Once).minutes(15),
                Section::new("INI", Running::Member).after("REMOTE_SETUP"),
                Section::new("SIM", Running::Chunk)
                    .after("INI")
                    .after("SIM-1")
                    .processors(768)
                    .minutes(90),
                Section::new("POST", Running::Chunk)
                    .after("SIM")
                    .processors(48)
                    .minutes(25),
                Section::new("CMOR", Running::Chunk)
                    .after("POST")
                    .processors(16)
                    .minutes(40),
                Section::new("TRANSFER", Running::Chunk)
                    .after("CMOR")
                    .minutes(15),
                Section::new("CLEAN", Running::Chunk)
                    .after("TRANSFER")
                    .minutes(5),
            ],
            progress: Progress {
                slots: 24,
                ..Progress::running(50)
            },
            ..Self::new(expid, form)
        }
    }

    /// Major, minor and patch number of Autosubmit.
    pub fn version_parts(&self) -> (u32, u32, u32) {
        let mut parts = self
            .version
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next())
    }

    /// The section's platform.
    pub fn platform<'a>(&'a self, section: &'a Section) -> &'a str {
        section.platform.as_deref().unwrap_or(&self.hpc)
    }

    /// The start date as job names and configurations have it: `YYYYMMDD`, with hours and minutes if any date needs
    /// them.
    pub fn date_text(&self, date: NaiveDateTime) -> String {
        let any =
            |part: fn(&NaiveDateTime) -> u32| self.start_dates.iter().any(|date| part(date) > 0);
        let format = if any(NaiveDateTime::minute) {
            "%Y%m%d%H%M"
        } else if any(NaiveDateTime::hour) {
            "%Y%m%d%H"
        } else {
            "%Y%m%d"
        };
        date.format(format).to_string()
    }

    /// Checks what paths and workflows rely on.
    pub(super) fn check(&self) -> Result<(), DemoError> {
        let fine = self.expid.len() >= 4
            && self
                .expid
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let odd_date = self
            .start_dates
            .iter()
            .any(|date| !(1..=9999).contains(&date.year()));
        let reason = if !fine {
            "the identifier is not four or more lower-case letters and digits"
        } else if odd_date {
            "a start date lies outside the years 1 to 9999"
        } else if self.progress.runs == 0 {
            "an experiment has at least one run"
        } else {
            return Ok(());
        };
        Err(self.bad(reason))
    }

    pub(super) fn bad(&self, reason: impl Into<String>) -> DemoError {
        DemoError::BadSpec {
            expid: self.expid.clone(),
            reason: reason.into(),
        }
    }
}

/// Midnight of a day; the first of January 1970 if there is no such day.
pub fn date(year: i32, month: u32, day: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(year, month, day)
        .unwrap_or_default()
        .and_time(NaiveTime::MIN)
}

/// Members `fc00`, `fc01`, …
pub fn members(count: usize) -> Vec<String> {
    (0..count).map(|member| format!("fc{member:02}")).collect()
}

/// The usual chain of a climate model: setup, initial state, simulation by chunk, post-processing, clean-up, transfer.
pub fn standard_sections() -> Vec<Section> {
    vec![
        Section::new("LOCAL_SETUP", Running::Once)
            .minutes(1)
            .on("LOCAL"),
        Section::new("REMOTE_SETUP", Running::Once)
            .after("LOCAL_SETUP")
            .processors(4)
            .minutes(20),
        Section::new("INI", Running::Member)
            .after("REMOTE_SETUP")
            .minutes(8),
        Section::new("SIM", Running::Chunk)
            .after("INI")
            .after("SIM-1")
            .processors(384)
            .minutes(75),
        Section::new("POST", Running::Chunk)
            .after("SIM")
            .processors(16)
            .minutes(22),
        Section::new("CLEAN", Running::Member)
            .after("POST")
            .minutes(6),
        Section::new("TRANSFER", Running::Member)
            .after("CLEAN")
            .minutes(18),
    ]
}
