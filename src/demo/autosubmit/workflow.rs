//! Expands sections into jobs and the edges between them.

use std::{collections::HashMap, ops::Range};

use chrono::NaiveDateTime;

use super::{
    section::{Running, Section, Synchronize},
    spec::ExperimentSpec,
};
use crate::demo::DemoError;

/// A job of the workflow.
#[derive(Debug, Clone)]
pub struct Job {
    /// Name, unique in the experiment.
    pub name: String,
    /// Index of its section.
    pub section: usize,
    /// Start date.
    pub date: Option<NaiveDateTime>,
    /// Member.
    pub member: Option<String>,
    /// Chunk, from 1.
    pub chunk: Option<u32>,
    /// Part, from 1, of a job that is split.
    pub split: Option<u32>,
}

/// The jobs of an experiment and how they depend on each other. Jobs are known by their index.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Jobs, section by section.
    pub jobs: Vec<Job>,
    /// What each job waits for.
    pub parents: Vec<Vec<usize>>,
    /// What waits for each job.
    pub children: Vec<Vec<usize>>,
    /// Length of the longest chain of parents above each job.
    pub level: Vec<usize>,
}

/// Where the jobs of a section stand: indices of date and member, and the chunk.
type Place = (Option<usize>, Option<usize>, Option<u32>);

impl Workflow {
    /// The workflow of an experiment. Sections that depend on each other in a circle or on nothing known are an error.
    pub fn expand(spec: &ExperimentSpec) -> Result<Self, DemoError> {
        let mut jobs = Vec::new();
        let mut places: HashMap<(usize, Place), Range<usize>> = HashMap::new();
        let mut place_of = Vec::new();
        for (index, section) in spec.sections.iter().enumerate() {
            for place in section_places(spec, section) {
                let start = jobs.len();
                let splits = section
                    .splits
                    .map_or(vec![None], |splits| (1..=splits).map(Some).collect());
                for split in splits {
                    jobs.push(job(spec, index, section, place, split));
                    place_of.push(place);
                }
                places.insert((index, place), start..jobs.len());
            }
        }

        let mut parents = vec![Vec::new(); jobs.len()];
        let mut children = vec![Vec::new(); jobs.len()];
        for child in 0..jobs.len() {
            for parent in parents_of(spec, &places, &jobs, child, place_of[child])? {
                if parent == child {
                    return Err(spec.bad(format!("{} waits for itself", jobs[child].name)));
                }
                if !parents[child].contains(&parent) {
                    parents[child].push(parent);
                    children[parent].push(child);
                }
            }
        }
        let Some(level) = levels(&parents, &children) else {
            return Err(spec.bad("its sections wait for each other in a circle"));
        };
        Ok(Self {
            jobs,
            parents,
            children,
            level,
        })
    }

    /// All edges, parent first.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let of = |(parent, children): (usize, &Vec<usize>)| {
            children
                .iter()
                .map(move |&child| (parent, child))
                .collect::<Vec<_>>()
        };
        self.children.iter().enumerate().flat_map(of)
    }
}

fn section_places(spec: &ExperimentSpec, section: &Section) -> Vec<Place> {
    let dates = (0..spec.start_dates.len()).map(Some).collect::<Vec<_>>();
    let members = (0..spec.members.len()).map(Some).collect::<Vec<_>>();
    let chunks = (1..=spec.chunks).map(Some).collect::<Vec<_>>();
    let (dates, members, chunks) = match (section.running, section.synchronize) {
        (Running::Once, _) => (vec![None], vec![None], vec![None]),
        (Running::Date, _) => (dates, vec![None], vec![None]),
        (Running::Member, _) => (dates, members, vec![None]),
        (Running::Chunk, None) => (dates, members, chunks),
        (Running::Chunk, Some(Synchronize::Member)) => (dates, vec![None], chunks),
        (Running::Chunk, Some(Synchronize::Date)) => (vec![None], vec![None], chunks),
    };
    let mut places = Vec::with_capacity(dates.len() * members.len() * chunks.len());
    for &date in &dates {
        for &member in &members {
            places.extend(chunks.iter().map(|&chunk| (date, member, chunk)));
        }
    }
    places
}

fn job(
    spec: &ExperimentSpec,
    index: usize,
    section: &Section,
    place: Place,
    split: Option<u32>,
) -> Job {
    let date = place.0.and_then(|date| spec.start_dates.get(date).copied());
    let member = place.1.and_then(|member| spec.members.get(member).cloned());
    let parts = [
        Some(spec.expid.clone()),
        date.map(|date| spec.date_text(date)),
        member.clone(),
        place.2.map(|chunk| chunk.to_string()),
        split.map(|split| split.to_string()),
        Some(section.name.clone()),
    ];
    Job {
        name: parts.into_iter().flatten().collect::<Vec<_>>().join("_"),
        section: index,
        date,
        member,
        chunk: place.2,
        split,
    }
}

/// The jobs that one waits for. Edges that follow from others are left out, as Autosubmit does: of a chain of chunks
/// only the first waits for what has no chunk, and what has no chunk waits for the last.
fn parents_of(
    spec: &ExperimentSpec,
    places: &HashMap<(usize, Place), Range<usize>>,
    jobs: &[Job],
    child: usize,
    place: Place,
) -> Result<Vec<usize>, DemoError> {
    let section = &spec.sections[jobs[child].section];
    let chain = |section: &Section| {
        section
            .dependencies
            .iter()
            .filter(|dependency| dependency.section == section.name)
            .map(|own| own.back)
            .max()
    };
    let mut found = Vec::new();
    for dependency in &section.dependencies {
        let Some(index) = spec
            .sections
            .iter()
            .position(|other| other.name == dependency.section)
        else {
            return Err(spec.bad(format!(
                "{} waits for {}, which it lacks",
                section.name, dependency.section
            )));
        };
        let parent = &spec.sections[index];
        let has_chunk = parent.running == Running::Chunk;
        let has_member = matches!(parent.running, Running::Member | Running::Chunk)
            && parent.synchronize.is_none();
        let has_date =
            parent.running != Running::Once && parent.synchronize != Some(Synchronize::Date);
        let chunks = match (place.2, has_chunk) {
            (Some(chunk), true) => match chunk.checked_sub(dependency.back) {
                Some(chunk) if chunk > 0 => vec![Some(chunk)],
                _ => continue,
            },
            (None, true) if chain(parent).is_some() => vec![Some(spec.chunks)],
            (None, true) => (1..=spec.chunks).map(Some).collect(),
            (Some(chunk), false) if chain(section).is_some_and(|back| back > 0 && chunk > back) => {
                continue;
            }
            (_, false) => vec![None],
        };
        let choices = |own: Option<usize>, has: bool, count: usize| match (own, has) {
            (_, false) => vec![None],
            (Some(own), true) => vec![Some(own)],
            (None, true) => (0..count).map(Some).collect(),
        };
        for date in choices(place.0, has_date, spec.start_dates.len()) {
            for member in choices(place.1, has_member, spec.members.len()) {
                for &chunk in &chunks {
                    let range = places
                        .get(&(index, (date, member, chunk)))
                        .cloned()
                        .unwrap_or_default();
                    let same_split = parent.splits == section.splits;
                    found.extend(
                        range.filter(|&parent| {
                            !same_split || jobs[parent].split == jobs[child].split
                        }),
                    );
                }
            }
        }
    }
    Ok(found)
}

/// How long the chain above each job is, by Kahn's algorithm; none if jobs wait for each other in a circle.
fn levels(parents: &[Vec<usize>], children: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut missing = parents.iter().map(Vec::len).collect::<Vec<_>>();
    let mut level = vec![0; parents.len()];
    let mut free = (0..parents.len())
        .filter(|&job| missing[job] == 0)
        .collect::<Vec<_>>();
    let mut sorted = 0;
    while let Some(job) = free.pop() {
        sorted += 1;
        for &child in &children[job] {
            level[child] = level[child].max(level[job] + 1);
            missing[child] -= 1;
            if missing[child] == 0 {
                free.push(child);
            }
        }
    }
    (sorted == parents.len()).then_some(level)
}
