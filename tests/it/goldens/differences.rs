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

fn only_theirs(theirs: &Value, ours: &Value) -> bool {
    !theirs.is_null() && ours.is_null()
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

fn runs_no_longer(theirs: &Value, ours: &Value) -> bool {
    (theirs == "RUNNING" && ours == "NOT RUNNING") || (theirs == true && ours == false)
}

fn the_four_that_ran(theirs: &Value, ours: &Value) -> bool {
    (theirs == 4 && ours == 0)
        || (*theirs == json!(["a000", "c000", "d000", "o000"]) && *ours == json!([]))
}

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
        what: "detail.submittedAt",
        when: only_theirs,
        because: "The history has no attempt in the status of the list; the old API takes the time from the file TOTAL_STATS.",
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
];
