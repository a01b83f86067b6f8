//! Where labql does not answer as Autosubmit API 4.2.0 did, and why.

use serde_json::{Value, json};

/// A difference that is meant.
pub struct Difference {
    /// Of which experiment; `*`: of any.
    pub expid: &'static str,
    /// Which field.
    pub what: &'static str,
    /// Theirs and ours, as they may differ.
    pub when: fn(&Value, &Value) -> bool,
    /// Why ours is right.
    #[allow(dead_code, reason = "it is for who reads the table")]
    pub because: &'static str,
}

fn any(_: &Value, _: &Value) -> bool {
    true
}

fn only_ours(theirs: &Value, ours: &Value) -> bool {
    theirs.is_null() && !ours.is_null()
}

fn minus_one(theirs: &Value, ours: &Value) -> bool {
    theirs == -1 && ours.is_null()
}

fn failed(theirs: &Value, ours: &Value) -> bool {
    theirs.is_null() && ours.as_array().is_some_and(Vec::is_empty)
}

fn zero_for_none(theirs: &Value, ours: &Value) -> bool {
    theirs == 0 && ours.is_null()
}

fn higher(theirs: &Value, ours: &Value) -> bool {
    theirs.as_i64() < ours.as_i64()
}

/// Those of the three fixed groups that have jobs are the same.
fn statuses_without_jobs(theirs: &Value, ours: &Value) -> bool {
    let (Some(theirs), Some(ours)) = (theirs.as_object(), ours.as_object()) else {
        return false;
    };
    theirs
        .iter()
        .all(|(name, color)| ours.get(name).is_none_or(|ours| ours == color))
}

fn number_for_none(theirs: &Value, ours: &Value) -> bool {
    theirs.is_number() && ours.is_null()
}

fn zero_for_all(theirs: &Value, ours: &Value) -> bool {
    *theirs == 0 && ours.as_i64().is_some_and(|jobs| jobs > 0)
}

fn runs_no_longer(theirs: &Value, ours: &Value) -> bool {
    (theirs == "RUNNING" && ours == "NOT RUNNING") || (theirs == true && ours == false)
}

fn the_four_that_ran(theirs: &Value, ours: &Value) -> bool {
    (theirs == 4 && ours == 0)
        || (*theirs == json!(["a000", "c000", "d000", "o000"]) && *ours == json!([]))
}

/// A number that is not known.
fn unknown(theirs: &Value, ours: &Value) -> bool {
    let zero = |text: &str| text.parse() == Ok(0.0);
    ours.is_null() && theirs.as_str().is_some_and(zero)
}

fn nameless(theirs: &Value, ours: &Value) -> bool {
    theirs == "" && ours.is_string()
}

/// As far apart as rounding to two decimals can bring them.
fn rounded(theirs: &Value, ours: &Value) -> bool {
    let number = |value: &Value| value.as_str()?.parse::<f64>().ok();
    match (number(theirs), number(ours)) {
        (Some(theirs), Some(ours)) => (theirs - ours).abs() <= 0.005,
        _ => false,
    }
}

fn fewer(theirs: &Value, ours: &Value) -> bool {
    theirs.as_i64() > ours.as_i64() && ours.is_i64()
}

fn more(theirs: &Value, ours: &Value) -> bool {
    ours.as_i64() > theirs.as_i64() && theirs.is_i64()
}

/// Why a metric is null.
const UNKNOWN: &str = "The old API says 0 where the data do not tell.";
/// Why jobs in a wrapper waited less.
const IN_A_ROW: &str = "The structure database is of an older workflow and names none of the jobs in the wrapper. The old API then \
    lets each job wait for those before it; here they count as run one after the other, as without a structure database.";
/// Why times differ from day to day.
const CLOCK: &str = "Jobs are on their way: their times go on to now.";
/// Why an attempt has not failed.
const BEGUN: &str = "The old API takes the time of submission, which Autosubmit writes first on a line of its own, for a failed \
    attempt.";
/// Why jobs are counted by the list.
const LISTED: &str = "The old API counts a job as suspicious, and no longer by its status, when its stat file says another \
    status than the job list.";

/// Why nothing of the root runs.
const ENDED: &str = "The table of states says RUNNING as long as nobody takes it back. The logs of three of these runs end \
    with the end, that of the fourth has been silent since it was killed.";

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        expid: "*",
        what: "experiment.status",
        when: runs_no_longer,
        because: ENDED,
    },
    Difference {
        expid: "*",
        what: "detail.status",
        when: runs_no_longer,
        because: ENDED,
    },
    Difference {
        expid: "*",
        what: "experiments",
        when: the_four_that_ran,
        because: ENDED,
    },
    Difference {
        expid: "*",
        what: "experiments.totalCount",
        when: the_four_that_ran,
        because: ENDED,
    },
    Difference {
        expid: "d000",
        what: "job.split",
        when: minus_one,
        because: "The old API gives -1 where there is no split in the SQLite form, null in all others.",
    },
    Difference {
        expid: "d000",
        what: "job.splits",
        when: minus_one,
        because: "The old API gives -1 where there is no split in the SQLite form, null in all others.",
    },
    Difference {
        expid: "a1ve",
        what: "job.split",
        when: only_ours,
        because: "The old API finds no split in a networkx graph; the graph has them.",
    },
    Difference {
        expid: "a1ve",
        what: "job.splits",
        when: only_ours,
        because: "The old API finds no split in a networkx graph; the graph has them.",
    },
    Difference {
        expid: "c000",
        what: "job.split",
        when: only_ours,
        because: "The old API finds no split in a networkx graph; the graph has them.",
    },
    Difference {
        expid: "c000",
        what: "job.splits",
        when: only_ours,
        because: "The old API finds no split in a networkx graph; the graph has them.",
    },
    Difference {
        expid: "a1ve",
        what: "detail.split",
        when: only_ours,
        because: "The old API finds no split in a networkx graph; the graph has them.",
    },
    Difference {
        expid: "d000",
        what: "detail.split",
        when: minus_one,
        because: "The old API gives -1 where there is no split in the SQLite form, null in all others.",
    },
    Difference {
        expid: "a1ve",
        what: "detail.splits",
        when: only_ours,
        because: "The old API finds no split in a networkx graph; the graph has them.",
    },
    Difference {
        expid: "d000",
        what: "detail.splits",
        when: minus_one,
        because: "The old API gives -1 where there is no split in the SQLite form, null in all others.",
    },
    Difference {
        expid: "a1ve",
        what: "parents",
        when: only_ours,
        because: "Without a structure database the old API fails, though the graph itself holds the edges.",
    },
    Difference {
        expid: "a1ve",
        what: "children",
        when: only_ours,
        because: "Without a structure database the old API fails, though the graph itself holds the edges.",
    },
    Difference {
        expid: "d000",
        what: "wrappers",
        when: failed,
        because: "The old API fails where a 4.2.0 list has no tables of previews.",
    },
    Difference {
        expid: "*",
        what: "attempt.queueSeconds",
        when: zero_for_none,
        because: "What has not begun or ended has no length; the old API says 0:00:00.",
    },
    Difference {
        expid: "*",
        what: "attempt.runSeconds",
        when: zero_for_none,
        because: "What has not begun or ended has no length; the old API says 0:00:00.",
    },
    Difference {
        expid: "*",
        what: "detail.queue",
        when: only_ours,
        because: "The old API knows only the queue of a section here, and None in its tree; where a section names none, the queue of the platform is used.",
    },
    Difference {
        expid: "a3tb",
        what: "detail.platform",
        when: only_ours,
        because: "A section without a platform runs on the main platform of the experiment.",
    },
    Difference {
        expid: "a1ve",
        what: "detail.wallclock",
        when: only_ours,
        because: "A section without a wallclock: the newest attempt recorded one.",
    },
    Difference {
        expid: "c000",
        what: "detail.outLog",
        when: only_ours,
        because: "The old API shows logs of ended jobs only; a job that was submitted again has those of its newest attempt.",
    },
    Difference {
        expid: "c000",
        what: "detail.errLog",
        when: only_ours,
        because: "The old API shows logs of ended jobs only; a job that was submitted again has those of its newest attempt.",
    },
    Difference {
        expid: "*",
        what: "detail.hpc",
        when: any,
        because: "The old detail reads the configuration, the old list the central database; here both are of the central database.",
    },
    Difference {
        expid: "*",
        what: "detail.branch",
        when: only_ours,
        because: "As with the platform: the central database names one, the configuration has no sources of a model.",
    },
    Difference {
        expid: "*",
        what: "graph.level",
        when: higher,
        because: "The old API takes the level on the way on which a walk came by first, and the order of its walk is that of \
            a set: another one in each process. Here it is the longest way, so that every edge leads to a higher level.",
    },
    Difference {
        expid: "*",
        what: "graph.statuses",
        when: statuses_without_jobs,
        because: "The old API always names WAITING, COMPLETED and SUSPENDED and no other; here it is the statuses that \
            jobs have.",
    },
    Difference {
        expid: "a1ve",
        what: "tree.total",
        when: zero_for_all,
        because: "Without a structure database the old API fails, though the job list says all that a tree needs.",
    },
    Difference {
        expid: "*",
        what: "runJob.queueSeconds",
        when: number_for_none,
        because: "What has been submitted and not started has no length yet; the old API reckons to its own now.",
    },
    Difference {
        expid: "*",
        what: "runJob.runSeconds",
        when: zero_for_none,
        because: "What has not begun or ended has no length; the old API says 0.",
    },
    Difference {
        expid: "*",
        what: "performance.sypd",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "performance.asypd",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "performance.rsypd",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "performance.chsy",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "performance.jpsy",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "performance.totalFootprint",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "platform.carbonFactor",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "platform.pue",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "considered.jpsy",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "considered.footprint",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "run.chsy",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "summary.mean",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "statistics.cpuPercentage",
        when: unknown,
        because: UNKNOWN,
    },
    Difference {
        expid: "*",
        what: "performance.chsy",
        when: rounded,
        because: "The old API takes the mean of numbers that it has rounded to two decimals.",
    },
    Difference {
        expid: "a3tb",
        what: "platform.name",
        when: nameless,
        because: "A section without a platform runs on the main platform of the experiment.",
    },
    Difference {
        expid: "aa6f",
        what: "performance.asypd",
        when: any,
        because: IN_A_ROW,
    },
    Difference {
        expid: "aa6f",
        what: "considered.asypd",
        when: any,
        because: IN_A_ROW,
    },
    Difference {
        expid: "aa6f",
        what: "considered.queueSeconds",
        when: any,
        because: IN_A_ROW,
    },
    Difference {
        expid: "aa6f",
        what: "job.asypd",
        when: any,
        because: IN_A_ROW,
    },
    Difference {
        expid: "aa6f",
        what: "summary.mean",
        when: any,
        because: IN_A_ROW,
    },
    Difference {
        expid: "a3tb",
        what: "summary.mean",
        when: any,
        because: CLOCK,
    },
    Difference {
        expid: "a3tb",
        what: "statistics.failedCount",
        when: fewer,
        because: BEGUN,
    },
    Difference {
        expid: "a3tb",
        what: "summary.count",
        when: more,
        because: LISTED,
    },
    Difference {
        expid: "c000",
        what: "summary.mean",
        when: any,
        because: CLOCK,
    },
    Difference {
        expid: "c000",
        what: "statistics.failedCount",
        when: fewer,
        because: BEGUN,
    },
    Difference {
        expid: "c000",
        what: "summary.count",
        when: more,
        because: LISTED,
    },
    Difference {
        expid: "c000",
        what: "statistics.submittedCount",
        when: fewer,
        because: BEGUN,
    },
];
