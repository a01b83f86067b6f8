use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tokio::sync::Semaphore;

use super::*;
use crate::failure::RejectionCode;

/// Doubles numbers, a batch for each permit; refuses 13, fails with 500, panics with 666.
struct Double {
    gate: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Commit for Double {
    type Command = u32;
    type Done = u32;
    const NAME: &'static str = "doublings";

    async fn commit(&self, commands: Vec<u32>) -> Result<Vec<Result<u32, Failure>>, Failure> {
        self.gate.acquire().await.unwrap().forget();
        self.batches.lock().unwrap().push(commands.clone());
        assert!(!commands.contains(&666), "the number of the beast");
        if commands.contains(&500) {
            return Err(Failure::Unwritable("the disk is full".to_owned()));
        }
        let double = |number| match number {
            13 => Err(Failure::rejected(RejectionCode::NotFound, None, "no luck")),
            number => Ok(number * 2),
        };
        Ok(commands.into_iter().map(double).collect())
    }
}

struct Counter {
    doublings: GroupCommit<Double>,
    gate: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<u32>>>>,
}

impl Counter {
    fn start() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let batches = Arc::default();
        let doublings = GroupCommit::start(Double {
            gate: Arc::clone(&gate),
            batches: Arc::clone(&batches),
        });
        Self {
            doublings,
            gate,
            batches,
        }
    }

    /// Puts numbers into the queue, in this order; the first of all begins a batch of its own.
    async fn ask(&self, numbers: &[u32]) -> Vec<BoxedAnswer> {
        let mut answers = Vec::new();
        for &number in numbers {
            let doublings = self.doublings.clone();
            let mut answer: BoxedAnswer = Box::pin(async move { doublings.run(number).await });
            // One look is enough to be in the queue.
            let waits = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending()));
            assert!(waits.await);
            answers.push(answer);
            tokio::task::yield_now().await;
        }
        answers
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }
}

type BoxedAnswer = std::pin::Pin<Box<dyn Future<Output = Result<u32, Failure>> + Send>>;

async fn all(answers: Vec<BoxedAnswer>) -> Vec<Result<u32, Failure>> {
    futures_util::future::join_all(answers).await
}

#[tokio::test]
async fn what_comes_meanwhile_goes_together_and_each_is_told_its_own() {
    let counter = Counter::start();
    let answers = counter.ask(&[1, 2, 13, 4]).await;
    counter.gate.add_permits(2);
    let told = all(answers).await;
    assert_eq!(counter.batches(), [vec![1], vec![2, 13, 4]]);
    assert_eq!((&told[0], &told[1], &told[3]), (&Ok(2), &Ok(4), &Ok(8)));
    assert!(matches!(&told[2], Err(Failure::Rejected(_))), "{told:?}");
}

#[tokio::test]
async fn who_gives_up_takes_nothing_from_others() {
    let counter = Counter::start();
    let mut answers = counter.ask(&[1, 2, 3, 4]).await;
    drop(answers.remove(2));
    drop(answers.remove(0));
    counter.gate.add_permits(2);
    assert_eq!(all(answers).await, [Ok(4), Ok(8)]);
    assert_eq!(counter.batches(), [vec![1], vec![2, 3, 4]]);
}

#[tokio::test]
async fn a_failed_transaction_fails_all_in_it_and_nobody_else() {
    let counter = Counter::start();
    let failing = counter.ask(&[1, 2, 500]).await;
    counter.gate.add_permits(2);
    let failure = Failure::Unwritable("the disk is full".to_owned());
    assert_eq!(
        all(failing).await,
        [Ok(2), Err(failure.clone()), Err(failure)]
    );
    let panicking = counter.ask(&[666]).await;
    counter.gate.add_permits(1);
    let told = all(panicking).await;
    assert!(matches!(&told[0], Err(Failure::Internal(_))), "{told:?}");
    let further = counter.ask(&[7]).await;
    counter.gate.add_permits(1);
    assert_eq!(all(further).await, [Ok(14)]);
}

#[tokio::test]
async fn a_transaction_takes_no_more_than_its_share() {
    let counter = Counter::start();
    let numbers: Vec<u32> = (1000..1400).collect();
    let answers = counter.ask(&numbers).await;
    counter.gate.add_permits(3);
    assert!(all(answers).await.iter().all(Result::is_ok));
    let sizes: Vec<usize> = counter.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, MOST_TOGETHER, 143]);
}
