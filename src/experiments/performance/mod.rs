//! How fast experiments simulate, and what that costs: the formulas, without databases and files.
//!
//! The metrics are those of Balaji et al., "CPMIP: measurements of real computational performance of Earth system models
//! in CMIP6", Geosci. Model Dev. 10, 19–34, 2017 (<https://doi.org/10.5194/gmd-10-19-2017>), as Autosubmit API 4.2.0
//! reckons them from what Autosubmit records of jobs. Times are seconds, energies joules.

pub mod eta;
pub mod experiment;
pub mod outliers;
pub mod run;
pub mod statistics;
pub mod times;
pub mod wrapped;

/// Seconds in a day.
pub const SECONDS_PER_DAY: f64 = 86_400.0;
/// Seconds in an hour.
pub const SECONDS_PER_HOUR: f64 = 3_600.0;
/// The section whose jobs simulate.
pub const SIM: &str = "SIM";
/// The section whose jobs process what was simulated.
pub const POST: &str = "POST";
/// The section whose jobs carry away what was processed.
pub const TRANSFER: &str = "TRANSFER";
/// The section whose jobs clean up behind it.
pub const CLEAN: &str = "CLEAN";

/// A quotient; none if it is no number that says something: nothing is divided by zero or less.
pub fn ratio(of: f64, by: f64) -> Option<f64> {
    let quotient = of / by;
    (by > 0.0 && quotient.is_finite()).then_some(quotient)
}

/// The sum. (That of the standard library is -0 of nothing.)
pub fn sum(numbers: impl IntoIterator<Item = f64>) -> f64 {
    numbers.into_iter().fold(0.0, |sum, number| sum + number)
}

/// The mean; none of nothing.
pub fn mean(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for number in numbers {
        sum += number;
        count += 1.0;
    }
    ratio(sum, count)
}

/// Numbers of seconds, joules and jobs stay far below 2^53.
#[allow(clippy::cast_precision_loss)]
pub const fn as_f64(number: i64) -> f64 {
    number as f64
}

/// A number to so many decimals, as Autosubmit API rounds some of them on the way.
pub fn rounded(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}
