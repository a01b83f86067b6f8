//! The job list of Autosubmit before 4.2.0: `pkl/job_list_<expid>.pkl`, or a row of `job_pkl` on a server; a pickle of one
//! of four shapes.

use std::io::Read;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{
    Edge, Expid, JobList, JobListForm, JobRecord, Root, RowProblems, SourceError, SourceFile,
    job_list::{keep_first, positive},
    pickle::{Item, Pickle, PickleError, PickleErrorKind, Value, Walk},
    postgres::Picture,
    root::FileStamp,
    time::parse_date,
};
use crate::experiments::status::JobStatus;

/// The largest job list that is read, in bytes: some hundred thousand jobs.
const MAX_PICKLE: u64 = 256 << 20;

/// Reads the pickle.
///
/// # Errors
/// [`SourceError`].
pub(super) fn read(root: &Root, expid: &Expid) -> Result<JobList, SourceError> {
    let name = root.name_of(SourceFile::JobListPickle, expid);
    let (bytes, modified_at) = match root.pictured(expid)? {
        Some(picture) => read_row(&picture)?,
        None => read_file(root, &name)?,
    };
    if bytes.is_empty() {
        return Err(SourceError::Corrupt("it is empty".into()));
    }
    let mut problems = RowProblems::new(name);
    let (jobs, edges, form) = parse(&bytes, &mut problems)?;
    Ok(JobList {
        jobs,
        edges,
        wrappers: None,
        modified_at,
        form,
        problems: problems.finish(),
    })
}

/// A pickle, and when it was stored.
type Bytes = (Vec<u8>, Option<DateTime<Utc>>);

fn read_file(root: &Root, path: &str) -> Result<Bytes, SourceError> {
    let mut file = root.open(path)?;
    let before = file.metadata()?;
    let size = before.len();
    if size > MAX_PICKLE {
        return Err(SourceError::TooLarge {
            size,
            limit: MAX_PICKLE,
        });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.by_ref().take(MAX_PICKLE).read_to_end(&mut bytes)?;
    // Autosubmit puts a new file in the old one's place; whoever writes into the same file is seen here.
    if FileStamp::of(&before) != FileStamp::of(&file.metadata()?) {
        return Err(SourceError::Changing);
    }
    Ok((bytes, Some(before.modified()?.into())))
}

fn read_row(picture: &Picture) -> Result<Bytes, SourceError> {
    let row = picture.pickle_row()?.ok_or(SourceError::Missing)?;
    if row.size > MAX_PICKLE {
        return Err(SourceError::TooLarge {
            size: row.size,
            limit: MAX_PICKLE,
        });
    }
    let bytes = picture.pickle(MAX_PICKLE)?.unwrap_or_default();
    Ok((bytes, row.modified_at))
}

type Parsed = (Vec<JobRecord>, Option<Vec<Edge>>, JobListForm);

fn parse(bytes: &[u8], problems: &mut RowProblems) -> Result<Parsed, SourceError> {
    let pickle = Pickle::parse(bytes)?;
    let walk = Walk::new(&pickle);
    let top = walk.root();
    let parsed = match top.value() {
        Value::List(_) => list(top, problems),
        Value::Dict(_) => (dict(top, problems), None, JobListForm::Dict),
        Value::Object(_)
            if top
                .class()
                .is_some_and(|(_, name)| name.ends_with("DiGraph")) =>
        {
            graph(top, problems)?
        }
        _ => return Err(SourceError::Foreign("the pickle is not a job list".into())),
    };
    if walk.exhausted() {
        return Err(SourceError::Corrupt(
            "the pickle stands for far more than its size".into(),
        ));
    }
    let (mut jobs, edges, form) = parsed;
    keep_first(
        &mut jobs,
        |job| job.name.clone(),
        |job| problems.add(format_args!("{} comes twice", job.name)),
    );
    Ok((jobs, edges, form))
}

impl From<PickleError> for SourceError {
    fn from(error: PickleError) -> Self {
        match error.kind {
            PickleErrorKind::UnknownOpcode if error.offset < 2 => {
                Self::Foreign("not a pickle".into())
            }
            _ => Self::Corrupt(error.to_string()),
        }
    }
}

/// The positions in the tuples of the list forms: name, id, status, priority, section, date, member, chunk, local
/// out, local err, remote out, remote err, and from 3.14 on the wrapper type.
fn list(top: Item<'_, '_, '_>, problems: &mut RowProblems) -> Parsed {
    let rows = top.elements().unwrap_or_default();
    let mut jobs = Vec::with_capacity(rows.len());
    let mut form = JobListForm::Tuples13;
    for (index, row) in rows.into_iter().enumerate() {
        let Some(fields) = row.elements().filter(|fields| fields.len() >= 12) else {
            problems.add(format_args!(
                "job {index} is not a tuple of at least 12 fields"
            ));
            continue;
        };
        if fields.len() == 12 {
            form = JobListForm::Tuples12;
        }
        let names = [
            "name", "id", "status", "priority", "section", "date", "member", "chunk",
        ];
        let mut draft = Draft::default();
        for (name, field) in names.into_iter().zip(&fields) {
            draft.set(name, *field);
        }
        if let [out, err] = fields[8..10] {
            draft.local = (draft.text("out", out), draft.text("err", err));
        }
        jobs.extend(draft.finish(&format!("job {index}"), problems));
    }
    (jobs, None, form)
}

/// Job name to attributes.
fn dict(top: Item<'_, '_, '_>, problems: &mut RowProblems) -> Vec<JobRecord> {
    let mut jobs = Vec::new();
    for (index, (key, attributes)) in top.entries().unwrap_or_default().into_iter().enumerate() {
        let label = key.text().unwrap_or_else(|| format!("job {index}"));
        match attributes.entries() {
            Some(entries) => jobs.extend(attributes_of(entries, key).finish(&label, problems)),
            None => problems.add(format_args!("{label} has no attributes")),
        }
    }
    jobs
}

/// A networkx `DiGraph`: `_node` is name to `{"job": Job}`, `_adj` (also `_succ`) is name to children.
fn graph(top: Item<'_, '_, '_>, problems: &mut RowProblems) -> Result<Parsed, SourceError> {
    let state = top
        .state()
        .ok_or_else(|| SourceError::Corrupt("the graph has no state".into()))?;
    let nodes = state.entry("_node").and_then(|nodes| nodes.entries());
    let nodes = nodes.ok_or_else(|| SourceError::Corrupt("the graph has no nodes".into()))?;
    let mut jobs = Vec::with_capacity(nodes.len());
    for (index, (key, node)) in nodes.into_iter().enumerate() {
        let label = key.text().unwrap_or_else(|| format!("job {index}"));
        let attributes = node
            .entry("job")
            .and_then(|job| job.state())
            .and_then(|state| state.entries());
        match attributes {
            Some(entries) => jobs.extend(attributes_of(entries, key).finish(&label, problems)),
            None => problems.add(format_args!("{label} has no job")),
        }
    }
    let adjacency = state
        .entry("_adj")
        .or_else(|| state.entry("_succ"))
        .and_then(|adjacency| adjacency.entries());
    let mut edges = Vec::new();
    for (parent, children) in adjacency.unwrap_or_default() {
        for (child, _) in children.entries().unwrap_or_default() {
            let end = |item: Item<'_, '_, '_>| super::name(&item.text()?).ok();
            if let (Some(from), Some(to)) = (end(parent), end(child)) {
                edges.push(Edge::new(from, to));
            }
        }
    }
    keep_first(
        &mut edges,
        |edge| (edge.from.clone(), edge.to.clone()),
        |_| (),
    );
    Ok((jobs, Some(edges), JobListForm::Graph))
}

fn attributes_of(
    entries: Vec<(Item<'_, '_, '_>, Item<'_, '_, '_>)>,
    key: Item<'_, '_, '_>,
) -> Draft {
    let mut draft = Draft::default();
    for (name, value) in entries {
        // Which attributes are private differs from version to version.
        if let Some(name) = name.str() {
            draft.set(name.strip_prefix('_').unwrap_or(name), value);
        }
    }
    // The key is the name that edges use.
    draft.set("name", key);
    draft
}

/// A job that is being read: what is wrong with it is said once its name is known.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    status: Option<JobStatus>,
    priority: Option<i64>,
    section: Option<String>,
    date: Option<NaiveDateTime>,
    member: Option<String>,
    chunk: Option<i64>,
    split: Option<i64>,
    splits: Option<i64>,
    remote_id: Option<i64>,
    platform: Option<String>,
    wallclock: Option<String>,
    local: (Option<String>, Option<String>),
    workflow_commit: Option<String>,
    wrong: Vec<String>,
}

impl Draft {
    fn set(&mut self, name: &str, value: Item<'_, '_, '_>) {
        if value.is_none() {
            return;
        }
        match name {
            "name" => self.name = self.job_name(value),
            "status" => self.status = self.job_status(value),
            "priority" => self.priority = self.int("priority", value),
            "section" => self.section = self.text("section", value),
            "date" => self.date = self.moment(value),
            "member" => self.member = self.text("member", value),
            "chunk" => self.chunk = positive(self.int("chunk", value)),
            "split" => self.split = positive(self.int("split", value)),
            "splits" => self.splits = positive(self.int("splits", value)),
            // A scheduler may use other names than numbers.
            "id" => self.remote_id = positive(value.int()),
            "platform_name" => self.platform = self.text("platform", value),
            "wallclock" => self.wallclock = self.text("wallclock", value),
            "local_logs" => self.local = self.pair("local logs", value),
            "workflow_commit" => self.workflow_commit = self.text("workflow commit", value),
            _ => {}
        }
    }

    fn job_name(&mut self, value: Item<'_, '_, '_>) -> Option<String> {
        match super::name(&self.text("name", value)?) {
            Ok(name) => Some(name),
            Err(wrong) => {
                self.wrong.push(format!("name {wrong}"));
                None
            }
        }
    }

    /// Text; a number is taken as its digits (members are often numbers).
    fn text(&mut self, field: &str, value: Item<'_, '_, '_>) -> Option<String> {
        let text = match value.value() {
            Value::None => return None,
            Value::Int(number) => Some(number.to_string()),
            _ => value.text(),
        };
        if text.is_none() {
            self.wrong.push(format!("{field} is not text"));
        }
        text.filter(|text| !text.is_empty())
    }

    fn int(&mut self, field: &str, value: Item<'_, '_, '_>) -> Option<i64> {
        let empty = value.str().is_some_and(|text| text.trim().is_empty());
        let number = value.int();
        if number.is_none() && !empty {
            self.wrong.push(format!("{field} is not a whole number"));
        }
        number
    }

    fn moment(&mut self, value: Item<'_, '_, '_>) -> Option<NaiveDateTime> {
        let empty = value.str().is_some_and(str::is_empty);
        let date = value
            .datetime()
            .or_else(|| value.str().and_then(parse_date));
        if date.is_none() && !empty {
            self.wrong.push("date is not a date".into());
        }
        date
    }

    fn job_status(&mut self, value: Item<'_, '_, '_>) -> Option<JobStatus> {
        let status = match value.str() {
            Some(name) => JobStatus::from_name(name).or_else(|| JobStatus::from_code(value.int()?)),
            None => value.int().and_then(JobStatus::from_code),
        };
        if status.is_none() {
            self.wrong.push(match value.int() {
                Some(code) => format!("unknown status {code}"),
                None => "status is not a known one".into(),
            });
        }
        status
    }

    fn pair(&mut self, field: &str, value: Item<'_, '_, '_>) -> (Option<String>, Option<String>) {
        if let Some([out, err, ..]) = value.elements().as_deref() {
            (self.text(field, *out), self.text(field, *err))
        } else {
            self.wrong.push(format!("{field} are not a pair"));
            (None, None)
        }
    }

    fn finish(self, label: &str, problems: &mut RowProblems) -> Option<JobRecord> {
        let label = self.name.as_deref().unwrap_or(label);
        if !self.wrong.is_empty() {
            problems.add(format_args!("{label}: {}", self.wrong.join(", ")));
        }
        let status = self.status;
        let Some((name, status)) = self.name.clone().zip(status) else {
            if self.wrong.is_empty() {
                problems.add(format_args!("{label} has no name or no status"));
            }
            return None;
        };
        Some(JobRecord {
            name,
            status,
            priority: self.priority,
            section: self.section,
            date: self.date,
            member: self.member,
            chunk: self.chunk,
            split: self.split,
            splits: self.splits,
            remote_id: self.remote_id,
            platform: self.platform,
            wallclock: self.wallclock,
            out_local: self.local.0,
            err_local: self.local.1,
            workflow_commit: self.workflow_commit,
        })
    }
}
