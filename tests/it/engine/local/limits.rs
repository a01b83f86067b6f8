//! Bounds of steps.

use std::time::Duration;

use labql::engine::{Breach, Finish, Job, Stream};

use super::local;
use crate::engine::steps::{Steps, log, run};

const MIB: u64 = 1 << 20;

/// Runs texts with bounds, one after the other, and looks how they end.
async fn check(bound: impl Fn(&mut Job), cases: &[(&str, Finish)]) {
    let (local, steps) = (local(), Steps::new());
    for (number, (text, end)) in cases.iter().enumerate() {
        let mut job = steps.job(&number.to_string(), text);
        bound(&mut job);
        let outcome = run(&local, &job).await;
        let errors = log(&local, &job, Stream::Errors).await;
        assert_eq!(&outcome.end, end, "{text}: {errors} {:?}", outcome.usage);
        steps.check_nothing_is_left(text);
    }
}

#[tokio::test]
async fn time() {
    check(
        |job| job.time_limit = Some(Duration::from_millis(300)),
        &[
            ("sleep 1000", Finish::TimedOut),
            (
                "trap '' TERM; (setsid sleep 1000 &); while :; do sleep 1; done",
                Finish::TimedOut,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn memory() {
    let slowly = "exec python3 -c 'import time\na=[]\nwhile True: a.append(bytearray(1<<20)); time.sleep(0.002)'";
    let fast = "exec python3 -c 'a=[]\nwhile True: a.append(bytearray(b\"x\")*(1<<22))'";
    let together = "for i in 1 2 3 4; do \
         python3 -c 'import time\na=bytearray(b\"x\")*(60<<20); time.sleep(1000)' & done; wait";
    // Pages that are shared count once.
    let shared = "python3 -c 'import os,sys\na=bytearray(b\"x\")*(60<<20)\nr,w=os.pipe()\n\
         for i in range(6):\n  if os.fork()==0: os.close(w); os.read(r,1); os._exit(0)\n\
         os.close(w)\nfor i in range(6): os.wait()'";
    check(
        |job| job.bounds.memory = Some(150 * MIB),
        &[
            (slowly, Finish::Exceeded(Breach::Memory)),
            (fast, Finish::Exceeded(Breach::Memory)),
            (together, Finish::Exceeded(Breach::Memory)),
            (shared, Finish::Exited(0)),
        ],
    )
    .await;
}

#[tokio::test]
async fn processor_time() {
    let short_lived = "while :; do sh -c 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done'; done";
    check(
        |job| job.bounds.cpu = Some(Duration::from_millis(500)),
        &[
            ("while :; do :; done", Finish::Exceeded(Breach::Cpu)),
            (
                "for i in 1 2 3; do (while :; do :; done) & done; wait",
                Finish::Exceeded(Breach::Cpu),
            ),
            (short_lived, Finish::Exceeded(Breach::Cpu)),
        ],
    )
    .await;
}

#[tokio::test]
async fn files() {
    let written = Finish::Exceeded(Breach::FileSize);
    let caught = "exec python3 -c 'open(\"x\",\"wb\").write(b\"x\"*(2<<20))'";
    check(
        |job| job.bounds.file_size = Some(MIB),
        &[
            ("dd if=/dev/zero of=big bs=64k count=100", written.clone()),
            (
                "exec dd if=/dev/zero of=big bs=64k count=100",
                written.clone(),
            ),
            (caught, written),
        ],
    )
    .await;
}

#[tokio::test]
async fn disk() {
    let many = "i=0; while :; do i=$((i+1)); head -c 300000 /dev/urandom > f$i; done";
    check(
        |job| job.bounds.disk = Some(4 * MIB),
        &[
            (many, Finish::Exceeded(Breach::Disk)),
            (
                "head -c 30000000 /dev/zero > f; exit 1",
                Finish::Exceeded(Breach::Disk),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_step_within_all_its_bounds() {
    let text = "head -c 3000000 /dev/zero > f; python3 -c 'x=b\"x\"*1000000'";
    check(
        |job| {
            job.time_limit = Some(Duration::from_mins(1));
            job.bounds.memory = Some(150 * MIB);
            job.bounds.disk = Some(4 * MIB);
            job.bounds.cpu = Some(Duration::from_secs(20));
        },
        &[
            (text, Finish::Exited(0)),
            // And no core of one that crashes.
            ("kill -SEGV $$", Finish::Signaled(11)),
        ],
    )
    .await;
}

/// A core may be large, and holds secrets. Who has no bound has this one, too.
#[tokio::test]
async fn nobody_leaves_a_core() {
    let text = "test \"$(ulimit -Hc) $(ulimit -Sc)\" = '0 0'";
    check(|_| (), &[(text, Finish::Exited(0))]).await;
    let of_memory = |job: &mut Job| job.bounds.memory = Some(150 * MIB);
    check(of_memory, &[(text, Finish::Exited(0))]).await;
}
