//! The real Autosubmit does what it is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use labql::engine::{self, End, Launch, Look};
use labql::experiments::actions::{
    Action, Create, FinalStatus, Profile, SetStatus, Verdict, launch, verdict, version, version_of,
};
use tempfile::TempDir;

use super::probe::set_status;
use crate::support::autosubmit::Autosubmit;

/// Calls it as labql does: kept.
struct Caller {
    profile: Profile,
    folder: TempDir,
}

impl Caller {
    fn new(autosubmit: &Autosubmit) -> Self {
        Self {
            profile: autosubmit.profile(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    async fn start(&self, launch: &Launch) -> PathBuf {
        let folder = (0..1000)
            .map(|number: u32| self.folder.path().join(number.to_string()))
            .find(|folder| !folder.exists())
            .expect("a name");
        let labql = Path::new(env!("CARGO_BIN_EXE_labql"));
        engine::start_with(labql, launch, &folder)
            .await
            .expect("a program");
        folder
    }

    /// How it ended, and what it printed.
    async fn end(folder: &Path) -> (End, String) {
        engine::ended(folder).await;
        let Look::Ended { end, .. } = engine::look(folder).expect("a look") else {
            panic!("{:?}", engine::look(folder));
        };
        (end, printed(folder))
    }

    async fn act(&self, action: &Action) -> Verdict {
        let launch = launch(&self.profile, action).expect("a program");
        let folder = self.start(&launch).await;
        self.judge(action, &folder).await
    }

    async fn judge(&self, action: &Action, folder: &Path) -> Verdict {
        let (end, output) = Self::end(folder).await;
        let verdict = verdict(&self.profile, action, &end, &output);
        println!("{action:?}: {end:?}, {verdict:?}");
        if let Verdict::Failed(_) = verdict {
            println!("{output}");
        }
        verdict
    }

    async fn create(&self, create: Create) -> String {
        match self.act(&Action::Create(create)).await {
            Verdict::Succeeded {
                created: Some(expid),
            } => expid,
            other => panic!("{other:?}"),
        }
    }
}

fn printed(folder: &Path) -> String {
    let bytes = engine::output(folder, 0, usize::MAX).expect("output");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn done() -> Verdict {
    Verdict::Succeeded { created: None }
}

#[tokio::test]
async fn descriptions_arrive_in_its_database_as_they_were() {
    let Some(autosubmit) = Autosubmit::install() else {
        return;
    };
    let caller = Caller::new(&autosubmit);
    let folder = caller.start(&version(&caller.profile)).await;
    let (end, output) = Caller::end(&folder).await;
    assert_eq!(end, End::Exited(0));
    let found = version_of(&output).expect("a version");
    assert!(found.starts_with("4."), "{found}");

    let pwned = autosubmit.root().join("pwned");
    let awkward = format!(
        "\"double\" 'single' `touch {0}` $(touch {0}); touch {0} | & > < \\ \\n %s {{}} [x] é😀\nsecond line\n",
        pwned.display()
    );
    let create = Create {
        description: awkward.clone(),
        ..Create::default()
    };
    let expid = caller.create(create).await;
    assert_eq!(autosubmit.description(&expid), awkward);
    for text in [
        "--update_version",
        "-v",
        "-- ",
        "",
        "Experiment b999 created",
    ] {
        let describe = Action::Describe {
            expid: expid.clone(),
            description: text.into(),
        };
        assert_eq!(caller.act(&describe).await, done());
        assert_eq!(autosubmit.description(&expid), text);
    }
    assert!(!pwned.exists());

    let nobody = Action::Describe {
        expid: "zzzz".into(),
        description: "text".into(),
    };
    assert_eq!(
        caller.act(&nobody).await,
        Verdict::Failed("Experiment does not exist [eCode=7012]".into())
    );
}

#[tokio::test]
async fn an_experiment_is_made_run_and_stopped() {
    let Some(autosubmit) = Autosubmit::install() else {
        return;
    };
    let caller = Caller::new(&autosubmit);
    let create = Create {
        description: "text".into(),
        testcase: true,
        ..Create::default()
    };
    let expid = caller.create(create).await;
    assert_eq!(expid, "t000");
    let stop = |force| Action::Stop {
        expid: expid.clone(),
        force,
    };
    assert_eq!(
        caller.act(&stop(false)).await,
        Verdict::Failed("the experiment was not running".into())
    );
    autosubmit.give_workflow(&expid, "true");
    let make = Action::CreateJobList {
        expid: expid.clone(),
        check_wrapper: false,
        update_version: false,
        force: false,
    };
    assert_eq!(caller.act(&make).await, done());

    let set = |jobs: &[&str], filter: Option<&str>, to| {
        Action::SetStatus(SetStatus {
            jobs: jobs.iter().map(|job| format!("{expid}_{job}")).collect(),
            filter_chunks: filter.map(str::to_owned),
            ..set_status(&expid, to)
        })
    };
    let completed = FinalStatus::Completed;
    assert_eq!(
        caller
            .act(&set(&["20000101_fc0_INI"], None, completed))
            .await,
        done()
    );
    let first = Some("[ 20000101 [ fc0 [1] ] ]");
    assert_eq!(
        caller.act(&set(&[], first, FinalStatus::Suspended)).await,
        done()
    );
    let unknown = caller.act(&set(&["nobody"], None, completed)).await;
    assert_eq!(
        unknown,
        Verdict::Failed("Error in the supplied input for -fl. [eCode=7011]".into())
    );

    // A run that would last, until it is stopped: not by its process, but as Autosubmit wants it.
    autosubmit.give_workflow(&expid, "sleep 600");
    assert_eq!(
        caller.act(&set(&[], first, FinalStatus::Waiting)).await,
        done()
    );
    let run = Action::Run {
        expid: expid.clone(),
    };
    let folder = caller
        .start(&launch(&caller.profile, &run).expect("a program"))
        .await;
    let submitted = tokio::time::timeout(Duration::from_mins(5), async {
        while !printed(&folder).contains(" submitted with job_id") {
            assert!(
                matches!(engine::look(&folder), Ok(Look::Running { .. })),
                "{}",
                printed(&folder)
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    submitted.await.expect("a job");
    assert_eq!(caller.act(&stop(false)).await, done());
    assert_eq!(caller.judge(&run, &folder).await, Verdict::Stopped);
}
