//! The files `tmp/<job>_TOTAL_STATS`, in which Autosubmit notes each attempt at a job:
//! `<submit> <start> <finish> <STATUS>`, the times as `YYYYMMDDHHMMSS` in local time. What is not known yet is left out, or
//! (newer versions) its place is held by a word: `start`, `end`, `status`, or `None`. Up to 4.1.11 the time of
//! submission stood first on a line of its own, and then again on the whole line.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::io::{Read, Seek, SeekFrom};

use chrono::{DateTime, Utc};

use super::time::parse_local_digits;
use super::{Expid, Root, SourceError};
use crate::experiments::status::JobStatus;

/// What the names of these files end in.
const SUFFIX: &str = "_TOTAL_STATS";
/// How much of the end of a file is read, in bytes: a thousand attempts.
const END: u64 = 64 << 10;
/// The most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 1_000_000;

/// A line of a file, as far as it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatLine {
    /// When the job was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended; none: it has not.
    pub status: Option<JobStatus>,
    /// Whether there is nothing but the time of submission, not even words that hold the places.
    is_bare: bool,
}

impl StatLine {
    /// A line; none if it does not begin with a time.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().peekable();
        let submitted_at = parse_local_digits(words.next_if(|word| is_time(word))?);
        let is_bare = words.peek().is_none();
        let mut time = |held: &str| {
            let word = words.next_if(|word| is_time(word) || *word == held || *word == "None");
            word.and_then(parse_local_digits)
        };
        let started_at = time("start");
        let finished_at = time("end");
        Some(Self {
            submitted_at,
            started_at,
            finished_at,
            status: words.next().and_then(JobStatus::from_name),
            is_bare,
        })
    }
}

/// The attempts that a file tells of, the oldest first. Of a line that is but a submission and a whole one that follows
/// it, the latter counts. Where another submission follows, the first one was lost.
pub fn parse(text: &str) -> Vec<StatLine> {
    let mut lines: Vec<StatLine> = Vec::new();
    for line in text.lines().filter_map(StatLine::parse) {
        if !line.is_bare && lines.last().is_some_and(|last| last.is_bare) {
            lines.pop();
        }
        lines.push(line);
    }
    lines
}

/// The attempts at those of the jobs that have such a file, by name. The folder is gone through once, and of each file
/// the end is read. Files that cannot be read tell nothing.
///
/// # Errors
/// [`SourceError`] if the folder is there and cannot be read.
pub fn read_stats(
    root: &Root,
    expid: &Expid,
    jobs: &HashSet<String, impl BuildHasher>,
) -> Result<HashMap<String, Vec<StatLine>>, SourceError> {
    let mut found = HashMap::new();
    if jobs.is_empty() {
        return Ok(found);
    }
    let folder = format!("{expid}/tmp");
    let names = match root.names_in(&folder, MAX_ENTRIES) {
        Err(SourceError::Missing) => return Ok(found),
        other => other?,
    };
    for name in names {
        let Some(job) = name.strip_suffix(SUFFIX).filter(|job| jobs.contains(*job)) else {
            continue;
        };
        if let Ok(text) = read_end(root, &format!("{folder}/{name}")) {
            found.insert(job.to_owned(), parse(&text));
        }
    }
    Ok(found)
}

/// The end of a file. If that is not the whole, its first line may have lost its beginning and is left out.
fn read_end(root: &Root, path: &str) -> Result<String, SourceError> {
    let mut file = root.open(path)?;
    let start = file.metadata()?.len().saturating_sub(END);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let whole = match text.split_once('\n') {
        Some((_, rest)) if start > 0 => rest,
        _ => &text,
    };
    Ok(whole.to_owned())
}

fn is_time(word: &str) -> bool {
    word.len() == 14 && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_that_only_begins_gives_way_to_the_whole_one() {
        let lines = parse(
            "20220315093446 20220315094415 20220315094656 FAILED\n20220315144158\n\
             20220315144159 20220315144945 20220315145042 COMPLETED",
        );
        let statuses: Vec<_> = lines.iter().map(|line| line.status).collect();
        assert_eq!(
            statuses,
            [Some(JobStatus::Failed), Some(JobStatus::Completed)]
        );
        let run = |line: &StatLine| Some((line.finished_at? - line.started_at?).num_seconds());
        assert_eq!(lines.iter().filter_map(run).collect::<Vec<_>>(), [161, 57]);
    }

    #[test]
    fn the_last_attempt_may_be_open() {
        let lines = parse("20220315093446 20220315094415\n");
        assert_eq!(lines.len(), 1);
        assert!(lines[0].started_at.is_some() && lines[0].finished_at.is_none());
    }

    #[test]
    fn an_attempt_that_began_and_was_lost_is_kept() {
        let lines =
            parse("20220315093446 20220315094415\n20220315144159\n20220315144159 20220315144945");
        let started: Vec<_> = lines.iter().map(|line| line.started_at.is_some()).collect();
        assert_eq!(started, [true, true]);
    }

    #[test]
    fn words_hold_places() {
        let lines = parse(
            "20220315093446 start end status\n20220315144158 start 20220315144945 FAILED\n\
             20220316144158 20220316144200 end status",
        );
        let told = |line: &StatLine| {
            let (started, finished) = (line.started_at.is_some(), line.finished_at.is_some());
            (started, finished, line.status)
        };
        assert_eq!(
            lines.iter().map(told).collect::<Vec<_>>(),
            [
                (false, false, None),
                (false, true, Some(JobStatus::Failed)),
                (true, false, None)
            ]
        );
    }

    #[test]
    fn a_submission_that_another_one_follows_was_lost() {
        let lines = parse("20220315093446\n20220316093446\n20220316093446 20220316093500");
        assert_eq!(lines.len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([0-9]{0,15}|FAILED|COMPLETED|[ \n\t]|\\PC){0,60}") {
            for lines in parse(&text).windows(2) {
                prop_assert!(!lines[0].is_bare || lines[1].is_bare);
            }
        }
    }
}
