//! Where labql does not answer as Autosubmit API 4.2.0 did, and why.

use serde_json::{Value, json};

/// A difference that is meant.
pub struct Difference {
    /// Which field.
    pub what: &'static str,
    /// Theirs and ours, as they may differ.
    pub when: fn(&Value, &Value) -> bool,
    /// Why ours is right.
    pub because: &'static str,
}

/// Ours is what something else that the old API says comes to.
fn better(theirs: &Value, ours: &Value) -> bool {
    theirs["better"] == *ours
}

fn only_ours(theirs: &Value, ours: &Value) -> bool {
    theirs.is_null() && !ours.is_null()
}

/// A job whose log is compressed.
fn compressed(theirs: &Value, ours: &Value) -> bool {
    let ours = ours.as_str().unwrap_or_default();
    theirs.is_null() && [".gz", ".xz"].iter().any(|ending| ours.ends_with(ending))
}

fn minus_one(theirs: &Value, ours: &Value) -> bool {
    theirs == -1 && ours.is_null()
}

fn no_wrappers(theirs: &Value, ours: &Value) -> bool {
    theirs.is_null() && ours.is_array()
}

fn zero_for_none(theirs: &Value, ours: &Value) -> bool {
    theirs == 0 && ours.is_null()
}

fn number_for_none(theirs: &Value, ours: &Value) -> bool {
    theirs.is_number() && ours.is_null()
}

fn zero_for_all(theirs: &Value, ours: &Value) -> bool {
    *theirs == 0 && ours.as_i64().is_some_and(|jobs| jobs > 0)
}

/// Nothing of a root that was put away runs.
fn runs_no_longer(theirs: &Value, ours: &Value) -> bool {
    (theirs == "RUNNING" && ours == "NOT RUNNING") || (theirs == true && ours == false)
}

fn none_runs(theirs: &Value, ours: &Value) -> bool {
    let some = theirs.as_array().is_some_and(|list| !list.is_empty());
    (theirs.as_i64() > Some(0) && ours == 0) || (some && *ours == json!([]))
}

/// A number that is not known.
fn unknown(theirs: &Value, ours: &Value) -> bool {
    let zero = |text: &str| text.parse() == Ok(0.0);
    ours.is_null() && theirs.as_str().is_some_and(zero)
}

fn nameless(theirs: &Value, ours: &Value) -> bool {
    theirs == "" && ours.is_string()
}

fn the_text_none(theirs: &Value, _: &Value) -> bool {
    theirs == "None"
}

fn not_available(theirs: &Value, ours: &Value) -> bool {
    theirs == "NA" && ours.is_number()
}

/// Times to the moment of the call. What ours come to is compared as `summary.mean of the jobs`.
fn to_now(theirs: &Value, ours: &Value) -> bool {
    let is_number = |value: &Value| value.as_str().is_some_and(|it| it.parse::<f64>().is_ok());
    unknown(theirs, ours) || (is_number(theirs) && is_number(ours))
}

/// Times of which ours leave some out.
fn less(theirs: &Value, ours: &Value) -> bool {
    let number = |value: &Value| value.as_str()?.parse::<f64>().ok();
    number(ours).is_some() && number(ours) < number(theirs)
}

/// Why a metric is null.
const UNKNOWN: &str = "The old API says 0 where the data do not tell.";
/// Why jobs in a wrapper waited less.
const IN_A_ROW: &str = "The structure database is of an older workflow and names none of the jobs in the wrapper. The old \
    API then lets each job wait for those before it; here they count as run one after the other, as without a structure \
    database.";
/// Why an attempt has not failed.
const BEGUN: &str = "The old API takes the time of submission, which Autosubmit writes first on a line of its own, for a \
    failed attempt, and so an attempt that goes on.";
/// Why nothing of the root runs.
const ENDED: &str = "The table of states says RUNNING as long as nobody takes it back. The logs of these runs end with the \
    end, or have been silent since they were killed.";
/// Why splits differ.
const NO_SPLIT: &str =
    "The old API gives -1 where there is no split in the SQLite form, null in all others.";
/// Why splits differ.
const SPLITS_OF_GRAPHS: &str =
    "The old API finds no split in a networkx graph; the graph has them.";
/// Why there are neighbours.
const EDGES_OF_GRAPHS: &str =
    "Without a structure database the old API fails, though the graph itself holds the edges.";
/// Why there is no length.
const NO_LENGTH: &str = "What has not begun or ended has no length; the old API says 0.";
/// Why there is a log.
const LOGS: &str = "The old API shows logs of ended jobs only; a job that was submitted again has those of its newest attempt.";
/// Why there is a queue.
const QUEUES: &str = "The old API knows only the queue of a section, and the text None where there is none; here the queue \
    of the platform is used, or that of the newest attempt.";
/// Why there is a wallclock.
const WALLCLOCKS: &str = "A section without a wallclock: the newest attempt recorded one.";
/// Why there is a platform.
const MAIN_PLATFORM: &str =
    "A section without a platform runs on the main platform of the experiment.";

const fn differs(
    what: &'static str,
    when: fn(&Value, &Value) -> bool,
    because: &'static str,
) -> Difference {
    Difference {
        what,
        when,
        because,
    }
}

pub const DIFFERENCES: &[Difference] = &[
    differs("experiment.status", runs_no_longer, ENDED),
    differs("detail.status", runs_no_longer, ENDED),
    differs("info.running", runs_no_longer, ENDED),
    differs("experiments", none_runs, ENDED),
    differs("experiments.totalCount", none_runs, ENDED),
    differs("job.split", minus_one, NO_SPLIT),
    differs("job.splits", minus_one, NO_SPLIT),
    differs("detail.split", minus_one, NO_SPLIT),
    differs("detail.splits", minus_one, NO_SPLIT),
    differs("node.split", minus_one, NO_SPLIT),
    differs("node.splits", minus_one, NO_SPLIT),
    differs("job.split", only_ours, SPLITS_OF_GRAPHS),
    differs("job.splits", only_ours, SPLITS_OF_GRAPHS),
    differs("detail.split", only_ours, SPLITS_OF_GRAPHS),
    differs("detail.splits", only_ours, SPLITS_OF_GRAPHS),
    differs("node.split", only_ours, SPLITS_OF_GRAPHS),
    differs("node.splits", only_ours, SPLITS_OF_GRAPHS),
    differs("parents", only_ours, EDGES_OF_GRAPHS),
    differs("children", only_ours, EDGES_OF_GRAPHS),
    differs(
        "tree.total",
        zero_for_all,
        "Without a structure database the old API fails, though the job list says all that a tree needs.",
    ),
    differs(
        "wrappers",
        no_wrappers,
        "The old API fails where a 4.2.0 list has no tables of previews.",
    ),
    differs("attempt.queueSeconds", zero_for_none, NO_LENGTH),
    differs("attempt.runSeconds", zero_for_none, NO_LENGTH),
    differs("runJob.runSeconds", zero_for_none, NO_LENGTH),
    differs(
        "runJob.queueSeconds",
        number_for_none,
        "What has been submitted and not started has no length yet; the old API reckons to its own now.",
    ),
    differs("detail.queue", only_ours, QUEUES),
    differs("node.queue", only_ours, QUEUES),
    differs("node.queue", the_text_none, QUEUES),
    differs("detail.platform", only_ours, MAIN_PLATFORM),
    differs("platform.name", nameless, MAIN_PLATFORM),
    differs("detail.wallclock", only_ours, WALLCLOCKS),
    differs("node.wallclock", only_ours, WALLCLOCKS),
    differs("detail.outLog", only_ours, LOGS),
    differs("detail.errLog", only_ours, LOGS),
    differs("node.log of a job that has not ended", only_ours, LOGS),
    differs(
        "node.log",
        compressed,
        "The old tree does not see compressed logs, the old detail of a job does.",
    ),
    differs(
        "node.remoteId",
        better,
        "The old tree has the id of the job list, its detail of a job that of the newest attempt in the history, as here.",
    ),
    differs(
        "node.remoteId",
        only_ours,
        "A job list that was made anew has no id; the newest attempt in the history has.",
    ),
    differs(
        "node.hidden",
        only_ours,
        "The old tree shows no times of jobs in this status, the old detail of a job does.",
    ),
    differs(
        "detail.branch",
        only_ours,
        "The old detail reads the configuration, the old list the central database; here both are of the central \
            database, and it names one.",
    ),
    differs(
        "search.completed",
        not_available,
        "The old search says NA where the list of experiments has numbers.",
    ),
    differs(
        "search.total",
        not_available,
        "The old search says NA where the list of experiments has numbers.",
    ),
    differs(
        "graph.level",
        better,
        "The old API takes the level on the way on which a walk came by first, and the order of its walk is that of \
            a set: another one in each process. Here it is the longest way, so that every edge leads to a higher level.",
    ),
    differs(
        "graph.statuses",
        better,
        "The old API always names WAITING, COMPLETED and SUSPENDED and no other; here it is the statuses that jobs have.",
    ),
    differs(
        "graph.x",
        better,
        "An eigenvalue that is not simple: any combination of its vectors is one as good.",
    ),
    differs(
        "graph.y",
        better,
        "An eigenvalue that is not simple: any combination of its vectors is one as good.",
    ),
    differs("performance.sypd", unknown, UNKNOWN),
    differs("performance.asypd", unknown, UNKNOWN),
    differs("performance.rsypd", unknown, UNKNOWN),
    differs("performance.chsy", unknown, UNKNOWN),
    differs("performance.jpsy", unknown, UNKNOWN),
    differs("performance.totalFootprint", unknown, UNKNOWN),
    differs("platform.carbonFactor", unknown, UNKNOWN),
    differs("platform.pue", unknown, UNKNOWN),
    differs("considered.jpsy", unknown, UNKNOWN),
    differs("considered.footprint", unknown, UNKNOWN),
    differs("run.chsy", unknown, UNKNOWN),
    differs("summary.mean", unknown, UNKNOWN),
    differs("statistics.cpuPercentage", unknown, UNKNOWN),
    differs("performance.asypd", better, IN_A_ROW),
    differs("considered.asypd", better, IN_A_ROW),
    differs("considered.queueSeconds", better, IN_A_ROW),
    differs("node.ownQueueSeconds", better, IN_A_ROW),
    differs("job.asypd", better, IN_A_ROW),
    differs("summary.mean in a row", less, IN_A_ROW),
    differs(
        "summary.mean to now",
        to_now,
        "Jobs are on their way: their times go on to now. The mean over the jobs, of which each is compared, is ours.",
    ),
    differs(
        "summary.count",
        better,
        "The old API counts a job as suspicious, and no longer by its status, when its stat file says another status \
            than the job list.",
    ),
    differs("statistics.failedCount", better, BEGUN),
    differs("statistics.submittedCount", better, BEGUN),
];

/// Answers that nothing is compared with, and why. A name of a call is of all experiments.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("_all__home", "the server itself"),
    ("_all__v4_routes", "the server itself"),
    ("_all__openapi", "the server itself"),
    ("_all__v3_filestatus", "a stub that says that it is one"),
    (
        "_all__v3_tokentest",
        "credentials: how one signs in differs",
    ),
    (
        "_all__v4_verify-token",
        "credentials: how one signs in differs",
    ),
    (
        "_all__v4_preferred-username",
        "a setting of the old interface",
    ),
    ("_all__v4_profiles", "settings of that server's runners"),
    ("_all__v4_endpoints", "settings of that server's runners"),
    (
        "_all__v4_ssh-public-keys",
        "settings of that server's runners",
    ),
    (
        "_all__v3_joblog_traversal",
        "no operation takes the name of a file",
    ),
];
