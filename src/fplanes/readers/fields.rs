//! The single values of rows and messages: ids, and numbers within what a focal plane can have.

/// The largest distance from the boresight, in arcsec, that a position may have along each axis. The outermost slots of
/// VIRUS are at 450, and files have room for three digits.
pub(in crate::fplanes) const MAX_POSITION: f64 = 999.999;

/// The largest rotation, in degrees.
pub(in crate::fplanes) const MAX_ROTATION: f64 = 360.0;

/// The largest plate scale, relative to that of the plane.
pub(in crate::fplanes) const MAX_PLATE_SCALE: f64 = 9.999;

/// The smallest plate scale: files have three decimals.
pub(in crate::fplanes) const MIN_PLATE_SCALE: f64 = 0.001;

/// The most digits of an id.
pub(in crate::fplanes) const MAX_DIGITS: usize = 9;

/// Ids from here on are those of special slots.
const FIRST_SPECIAL: u32 = 900;

/// An id in its one form, of three digits or more: `7`, `07` and `007` are `007`. None: no id.
pub(in crate::fplanes) fn id(text: &str) -> Option<String> {
    let is_number =
        (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    is_number.then(|| format!("{:0>3}", text.trim_start_matches('0')))
}

/// An id in a place where `000` and `00` say that there is none. The outer none: no id.
#[expect(clippy::option_option, reason = "to be empty is not to be wrong")]
pub(super) fn id_or_none(text: &str) -> Option<Option<String>> {
    id(text).map(|id| (id != "000").then_some(id))
}

/// Is it one of the ids that special slots have?
pub(in crate::fplanes) fn is_special_id(id: &str) -> bool {
    id.parse::<u32>()
        .is_ok_and(|number| (FIRST_SPECIAL..1_000).contains(&number))
}

/// A number as text; none: no number, or not a finite one.
pub(super) fn number(text: &str) -> Option<f64> {
    // Words such as `inf` and `nan` are numbers to Rust.
    let has_number_form = text
        .bytes()
        .all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E'));
    let number: f64 = has_number_form.then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// Can this be a coordinate in the plane, in arcsec?
pub(in crate::fplanes) fn is_position(number: f64) -> bool {
    number.abs() <= MAX_POSITION
}

/// Can this be a rotation, in degrees?
pub(in crate::fplanes) fn is_rotation(number: f64) -> bool {
    number.abs() <= MAX_ROTATION
}

/// Can this be a plate scale?
pub(in crate::fplanes) fn is_plate_scale(number: f64) -> bool {
    (MIN_PLATE_SCALE..=MAX_PLATE_SCALE).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form() {
        let forms = [
            ("7", "007"),
            ("07", "007"),
            ("0007", "007"),
            ("315", "315"),
            ("7001", "7001"),
            ("0", "000"),
        ];
        for (text, expected) in forms {
            assert_eq!(id(text).as_deref(), Some(expected));
        }
        for text in ["", "1234567890", "-1", "N01", "1.0", "１"] {
            assert_eq!(id(text), None, "{text}");
        }
        assert_eq!(id_or_none("00"), Some(None));
        assert_eq!(id_or_none("000"), Some(None));
        assert_eq!(id_or_none("x"), None);
        assert!(is_special_id("900") && is_special_id("999"));
        assert!(!is_special_id("899") && !is_special_id("7001"));
    }

    #[test]
    fn numbers_are_finite_and_plausible() {
        assert_eq!(number("-50.3109"), Some(-50.3109));
        assert_eq!(number("1e2"), Some(100.0));
        for text in [
            "", "nan", "inf", "-inf", "infinity", "1e999", "0x10", "1_0", "1,5", "--1",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
        assert!(is_position(-450.0) && !is_position(1_000.0));
        assert!(is_rotation(-359.9) && !is_rotation(361.0));
        assert!(
            is_plate_scale(1.0)
                && !is_plate_scale(0.0)
                && !is_plate_scale(-1.0)
                && !is_plate_scale(10.0)
        );
    }
}
