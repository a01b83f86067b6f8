//! Jobs in groups, each with a place of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Point, float};
use crate::entity::job;
use crate::experiments::status::JobStatus;
use crate::time::from_millis;

/// What jobs have in common in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// There are no groups.
    None,
    /// The status.
    Status,
    /// Start date and member; jobs without either are in no group.
    DateMember,
}

/// Jobs that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The status, or the beginning of the jobs' names: `<expid>_<date>_<member>_`.
    pub name: String,
    /// The status that says most of the group.
    pub status: JobStatus,
    /// The mean place of the jobs, moved away from that of other groups.
    pub place: Point,
    /// The jobs by status; statuses without jobs are left out.
    pub counts: BTreeMap<JobStatus, i64>,
}

/// Groups by date and member whose places differ by less than this both ways are moved apart, as in Autosubmit API.
const APART: i32 = 250;
/// More groups than that stay where they are: each is compared with each.
const MOST_MOVED: usize = 2_000;

/// The groups of these jobs, which stand at these places: statuses in their logical order, others by name.
pub fn groups(by: Grouping, expid: &str, jobs: &[Arc<job::Model>], places: &[Point]) -> Vec<Group> {
    match by {
        Grouping::None => Vec::new(),
        Grouping::Status => {
            let mut found: BTreeMap<JobStatus, Members> = BTreeMap::new();
            for (job, place) in jobs.iter().zip(places) {
                found.entry(status(job)).or_default().add(job, *place);
            }
            let group = |(status, members): (JobStatus, Members)| {
                members.group(status.as_str().to_owned(), status)
            };
            found.into_iter().map(group).collect()
        }
        Grouping::DateMember => {
            let mut found: BTreeMap<(i64, &str), Members> = BTreeMap::new();
            for (job, place) in jobs.iter().zip(places) {
                if let (Some(date), Some(member)) = (job.date, job.member.as_deref()) {
                    let members = found.entry((date, member)).or_default();
                    members.add(job, *place);
                }
            }
            let group = |((date, member), members): ((i64, &str), Members)| {
                let name = prefix(expid, date, member, &members.first);
                let status = worst(&members.counts);
                members.group(name, status)
            };
            let mut groups: Vec<Group> = found.into_iter().map(group).collect();
            move_apart(&mut groups);
            groups
        }
    }
}

/// The status of a job.
pub fn status(job: &job::Model) -> JobStatus {
    JobStatus::from_code(job.status.into()).unwrap_or(JobStatus::Unknown)
}

/// What is known of a group while it is found.
#[derive(Default)]
struct Members {
    /// The name of the first job.
    first: String,
    counts: BTreeMap<JobStatus, i64>,
    sum: [i64; 2],
    jobs: usize,
}

impl Members {
    fn add(&mut self, job: &job::Model, place: Point) {
        if self.jobs == 0 {
            self.first.clone_from(&job.name);
        }
        *self.counts.entry(status(job)).or_default() += 1;
        for (sum, at) in self.sum.iter_mut().zip(place) {
            *sum = sum.saturating_add(at.into());
        }
        self.jobs += 1;
    }

    fn group(self, name: String, status: JobStatus) -> Group {
        // Cut off, as in Autosubmit API.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let mean = |sum: i64| (sum as f64 / float(self.jobs.max(1))).trunc() as i32;
        Group {
            name,
            status,
            place: self.sum.map(mean),
            counts: self.counts,
        }
    }
}

/// The status that a group shows, as in Autosubmit API: the first of these that a job has.
fn worst(counts: &BTreeMap<JobStatus, i64>) -> JobStatus {
    [
        JobStatus::Failed,
        JobStatus::Running,
        JobStatus::Suspended,
        JobStatus::Submitted,
        JobStatus::Queuing,
        JobStatus::Completed,
    ]
    .into_iter()
    .find(|status| counts.contains_key(status))
    .unwrap_or(JobStatus::Waiting)
}

/// How the names of jobs of this date and member begin. Autosubmit writes the hour and the minute of a date only where some
/// date of the experiment has one; which form it took is seen in the name of a job.
fn prefix(expid: &str, date: i64, member: &str, job: &str) -> String {
    let forms = ["%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M"].map(|form| {
        let date = from_millis(date).map(|date| date.format(form).to_string());
        format!("{expid}_{}_{member}_", date.unwrap_or_default())
    });
    let known = forms.iter().find(|form| job.starts_with(form.as_str()));
    known.unwrap_or(&forms[0]).clone()
}

/// Moves groups up or down that would cover each other, the lowest first, as in Autosubmit API.
fn move_apart(groups: &mut [Group]) {
    if groups.len() > MOST_MOVED {
        return;
    }
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&group| std::cmp::Reverse(groups[group].place[1]));
    let original: Vec<Point> = groups.iter().map(|group| group.place).collect();
    for (number, &group) in order.iter().enumerate() {
        let [x, mut y] = original[group];
        for &other in &order[number + 1..] {
            let [other_x, other_y] = original[other];
            let close = |left: i32, right: i32| left.abs_diff(right) <= APART.unsigned_abs();
            if close(x, other_x) && close(y, other_y) {
                let missing = APART.saturating_sub(y.saturating_sub(other_y).saturating_abs());
                y = if y > other_y {
                    y.saturating_add(missing)
                } else {
                    y.saturating_sub(missing)
                };
            }
        }
        groups[group].place = [x, y];
    }
}
