//! Runs that took so much longer or shorter than the others that they tell nothing of the model: a node that hung, a job
//! that found its work done.

use super::{as_f64, mean};

/// The largest modified z-score that is no outlier.
const LARGEST_SCORE: f64 = 7.0;
/// Of a normal distribution the standard deviation is so many times the median absolute deviation.
const MEDIAN_DEVIATIONS: f64 = 1.4826;
/// And so many times the mean absolute deviation.
const MEAN_DEVIATIONS: f64 = 1.2533;

/// Why a job does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is not known how long it ran.
    NoRunTime,
    /// It ran much longer or shorter than the others.
    Outlier,
}

/// Which of these times in seconds do not count, in the same order.
///
/// The modified z-score of Iglewicz and Hoaglin (1993): the distance from the median in units of the median absolute
/// deviation; if that is zero, of the mean absolute deviation about the mean. Where both are zero, or with a single time,
/// none stands out.
pub fn rejections(seconds: &[i64]) -> Vec<Option<Rejection>> {
    let known: Vec<f64> = seconds
        .iter()
        .filter(|seconds| **seconds > 0)
        .map(|seconds| as_f64(*seconds))
        .collect();
    let scale = Scale::of(&known);
    let reject = |seconds: &i64| match &scale {
        _ if *seconds <= 0 => Some(Rejection::NoRunTime),
        Some(scale) if scale.score(as_f64(*seconds)) > LARGEST_SCORE => Some(Rejection::Outlier),
        _ => None,
    };
    seconds.iter().map(reject).collect()
}

/// Where the times lie and how widely.
struct Scale {
    median: f64,
    deviation: f64,
}

impl Scale {
    fn of(times: &[f64]) -> Option<Self> {
        if times.len() < 2 {
            return None;
        }
        let centre = mean(times.iter().copied())?;
        let about_mean = mean(times.iter().map(|time| (time - centre).abs()))?;
        let median = middle(times.to_vec())?;
        let about_median = middle(times.iter().map(|time| (time - median).abs()).collect())?;
        let deviation = if about_median > 0.0 {
            MEDIAN_DEVIATIONS * about_median
        } else {
            MEAN_DEVIATIONS * about_mean
        };
        (deviation > 0.0).then_some(Self { median, deviation })
    }

    fn score(&self, time: f64) -> f64 {
        (time - self.median).abs() / self.deviation
    }
}

/// The median.
fn middle(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let half = numbers.len() / 2;
    let upper = *numbers.get(half)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *numbers.get(half.checked_sub(1)?)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OUT: Option<Rejection> = Some(Rejection::Outlier);

    #[test]
    fn what_is_far_off_is_out() {
        assert_eq!(
            rejections(&[100, 101, 99, 102, 98, 500, 0, -3]),
            [
                None,
                None,
                None,
                None,
                None,
                OUT,
                Some(Rejection::NoRunTime),
                Some(Rejection::NoRunTime)
            ]
        );
    }

    #[test]
    fn equal_times_are_all_in() {
        assert_eq!(rejections(&[7; 5]), [None; 5]);
        assert_eq!(rejections(&[7]), [None]);
        assert_eq!(rejections(&[]), []);
    }

    #[test]
    fn without_a_median_deviation_the_mean_one_counts() {
        let mut times = vec![10; 99];
        times.push(10_000);
        let out = rejections(&times);
        assert_eq!(out[99], OUT);
        assert!(out[..99].iter().all(Option::is_none));
    }

    proptest! {
        #[test]
        fn every_time_is_judged_and_the_median_stays(seconds in proptest::collection::vec(any::<i64>(), 0..40)) {
            let out = rejections(&seconds);
            prop_assert_eq!(out.len(), seconds.len());
            for (seconds, out) in seconds.iter().zip(&out) {
                prop_assert_eq!(*seconds <= 0, *out == Some(Rejection::NoRunTime));
            }
            let known = seconds.iter().filter(|seconds| **seconds > 0).count();
            let kept = out.iter().filter(|out| out.is_none()).count();
            // Half of all are not farther from the median than the median distance.
            prop_assert!(kept * 2 >= known);
        }

        #[test]
        fn the_order_does_not_matter(mut seconds in proptest::collection::vec(0_i64..1_000_000, 0..40)) {
            let judged = |seconds: &[i64]| {
                let mut judged: Vec<_> = seconds.iter().copied().zip(rejections(seconds)).map(|(seconds, out)| (seconds, out == OUT)).collect();
                judged.sort_unstable();
                judged
            };
            let before = judged(&seconds);
            seconds.reverse();
            prop_assert_eq!(judged(&seconds), before);
        }
    }
}
