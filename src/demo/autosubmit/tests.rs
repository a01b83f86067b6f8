use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;
use crate::demo::autosubmit::timeline::RETRIALS;

fn now() -> DateTime<Utc> {
    scene::moment(1_790_000_000)
}

/// Experiments of every shape, small enough to play often.
fn any_spec() -> impl Strategy<Value = ExperimentSpec> {
    let size = (1_usize..4, 1_usize..4, 1_u32..6, prop::option::of(1_u32..4));
    let progress = (
        0_u8..=100,
        any::<bool>(),
        0_usize..4,
        0_usize..6,
        0_usize..4,
        1_u32..4,
        1_usize..12,
    );
    (size, progress, any::<u64>()).prop_map(
        |((dates, members_count, chunks, splits), progress, seed)| {
            let (completed_percent, live, failed, retried, suspended, runs, slots) = progress;
            let mut sections = standard_sections();
            sections[4].splits = splits;
            sections.push(
                Section::new("CHECK", Running::Chunk)
                    .synchronize(Synchronize::Date)
                    .after("POST"),
            );
            // A section may wait for one that stands below it.
            sections[3] = sections[3].clone().after("CHECK-2");
            ExperimentSpec {
                start_dates: (0..dates)
                    .map(|year| date(2000 + i32::try_from(year).unwrap(), 1, 1))
                    .collect(),
                members: members(members_count),
                chunks,
                sections,
                progress: Progress {
                    completed_percent,
                    live,
                    failed,
                    retried,
                    suspended,
                    runs,
                    slots,
                },
                seed,
                ..ExperimentSpec::new("a000", JobListForm::Dict)
            }
        },
    )
}

proptest! {
    #[test]
    fn states_obey_dependencies(spec in any_spec()) {
        let workflow = Workflow::expand(&spec).unwrap();
        let timeline = Timeline::play(&spec, &workflow, now());
        let latest = timeline.latest();
        for (job, &status) in timeline.statuses.iter().enumerate() {
            let parents_done =
                workflow.parents[job].iter().all(|&parent| timeline.statuses[parent] == JobStatus::Completed);
            match status {
                JobStatus::Waiting | JobStatus::Suspended => prop_assert!(!parents_done),
                _ => prop_assert!(parents_done, "{status:?} before its parents"),
            }
            let last = latest.get(&job).copied();
            match status {
                JobStatus::Completed | JobStatus::Failed => prop_assert_eq!(last.unwrap().status, status),
                status if status.in_flight() => {
                    prop_assert!(spec.progress.live);
                    prop_assert_eq!(last.unwrap().status, status);
                }
                JobStatus::Waiting | JobStatus::Suspended => prop_assert!(last.is_none()),
                _ => prop_assert!(last.is_none_or(|last| last.status == JobStatus::Failed)),
            }
        }
    }

    #[test]
    fn attempts_are_in_order(spec in any_spec()) {
        let workflow = Workflow::expand(&spec).unwrap();
        let timeline = Timeline::play(&spec, &workflow, now());
        let mut counters = vec![0; workflow.jobs.len()];
        for attempt in &timeline.attempts {
            prop_assert_eq!(attempt.earlier, counters[attempt.job]);
            counters[attempt.job] += 1;
            prop_assert!(attempt.fail_count <= i64::try_from(RETRIALS).unwrap());
            prop_assert!(attempt.submit > 0 && attempt.submit <= timeline.changed);
            prop_assert!(attempt.start == 0 || attempt.start >= attempt.submit);
            prop_assert!(attempt.finish == 0 || attempt.finish > attempt.start && attempt.start > 0);
            prop_assert!(attempt.finish <= timeline.changed);
        }
        prop_assert!(timeline.runs.is_sorted_by_key(|run| (run.id, run.created)));
        prop_assert_eq!(timeline.runs.len(), spec.progress.runs as usize);
    }
}

#[test]
fn the_usual_chain_has_the_usual_edges() {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.sections[4].splits = Some(2);
    let workflow = Workflow::expand(&spec).unwrap();
    let job = |name: &str| {
        workflow
            .jobs
            .iter()
            .position(|job| job.name == name)
            .unwrap()
    };
    let parents = |name: &str| {
        let of = &workflow.parents[job(name)];
        of.iter()
            .map(|&parent| workflow.jobs[parent].name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(parents("a000_REMOTE_SETUP"), ["a000_LOCAL_SETUP"]);
    assert_eq!(
        parents("a000_20000101_fc00_1_SIM"),
        ["a000_20000101_fc00_INI"]
    );
    assert_eq!(
        parents("a000_20000101_fc00_2_SIM"),
        ["a000_20000101_fc00_1_SIM"]
    );
    assert_eq!(
        parents("a000_20000101_fc01_3_2_POST"),
        ["a000_20000101_fc01_3_SIM"]
    );
    assert_eq!(parents("a000_20000101_fc01_CLEAN").len(), 6);
}

#[test]
fn circles_and_unknown_sections_are_refused() {
    let mut spec = ExperimentSpec::new("a000", JobListForm::Dict);
    spec.sections[0] = spec.sections[0].clone().after("REMOTE_SETUP");
    assert!(matches!(
        Workflow::expand(&spec),
        Err(DemoError::BadSpec { .. })
    ));
    spec.sections[0] = Section::new("LOCAL_SETUP", Running::Once).after("NOWHERE");
    assert!(matches!(
        Workflow::expand(&spec),
        Err(DemoError::BadSpec { .. })
    ));
    spec.sections = vec![Section::new("SIM", Running::Chunk).after("SIM")];
    assert!(matches!(
        Workflow::expand(&spec),
        Err(DemoError::BadSpec { .. })
    ));
}

#[test]
fn wrapped_jobs_share_submission_and_code() {
    let spec = laboratory()
        .into_iter()
        .find(|spec| spec.expid == "a5lg")
        .unwrap();
    let workflow = Workflow::expand(&spec).unwrap();
    let mut timeline = Timeline::play(&spec, &workflow, now());
    let packages = wrappers::pack(&spec, &workflow, &mut timeline);
    assert!(packages.len() >= 4);
    for package in &packages {
        let attempts = timeline
            .attempts
            .iter()
            .filter(|attempt| package.jobs.contains(&attempt.job));
        let code = package.name.split('_').nth(3).unwrap();
        for attempt in attempts {
            assert_eq!(attempt.package.unwrap().to_string(), code);
            assert_eq!((attempt.submit, attempt.id), (package.made, package.id));
        }
    }
}
