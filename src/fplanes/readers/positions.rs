//! Lists of measured positions: slot, x and y.

use std::collections::BTreeMap;

use super::claims::claim_position;
use super::fields;
use super::lines::{Line, check_rows, check_size, lines};
use super::problem::{Problem, ProblemCode, settle};
use super::row::{number, wrong_slot};
use super::traps::large_offset;
use crate::fplanes::grid;
use crate::fplanes::model::{Claims, Position};

/// Reads a list with a slot, x and y (both in arcsec) in each line. It is never the whole plane; of lines of the same slot
/// the last counts.
pub fn read_positions(text: &str) -> (Claims, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut claims = Claims::default();
    match read_rows(text, &mut problems) {
        Ok(rows) => {
            for (ifuslot, (_, position)) in rows {
                claim_position(&mut claims, &ifuslot, position);
            }
        }
        Err(problem) => problems.push(problem),
    }
    (claims, settle(problems))
}

type Rows = BTreeMap<String, (u32, Position)>;

fn read_rows(text: &str, problems: &mut Vec<Problem>) -> Result<Rows, Problem> {
    check_size(text)?;
    let mut unread = Vec::new();
    let mut rows = Rows::new();
    let found = lines(text, &mut unread).filter(|line| !line.text.starts_with('#'));
    for (index, line) in found.enumerate() {
        check_rows(index + 1)?;
        let (ifuslot, position) = match row(line) {
            Ok(row) => row,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if let Some(message) = large_offset(&ifuslot, position) {
            problems.push(Problem::new(line.number, ProblemCode::LargeOffset, message));
        }
        let message = format!("a later line of slot {ifuslot} counts");
        if let Some((earlier, _)) = rows.insert(ifuslot, (line.number, position)) {
            let code = ProblemCode::DuplicateIfuslot;
            problems.push(Problem::new(earlier, code, message));
        }
    }
    problems.append(&mut unread);
    if rows.is_empty() {
        problems.push(Problem::new(0, ProblemCode::NoRows, "no line can be read"));
    }
    Ok(rows)
}

fn row(line: Line<'_>) -> Result<(String, Position), Problem> {
    let tokens: Vec<&str> = line.text.split_ascii_whitespace().collect();
    let &[slot, x, y] = tokens.as_slice() else {
        let message = format!("{} columns instead of 3", tokens.len());
        let code = ProblemCode::WrongColumnCount;
        return Err(Problem::new(line.number, code, message));
    };
    let ifuslot = grid::parse_ifuslot(slot).ok_or_else(|| wrong_slot(line, slot))?;
    if grid::place(&ifuslot).is_none() {
        let message = format!("slot {ifuslot} is not of the grid");
        let code = ProblemCode::UnknownIfuslot;
        return Err(Problem::new(line.number, code, message));
    }
    let x = number(line, "x", x, fields::is_position)?;
    let y = number(line, "y", y, fields::is_position)?;
    Ok((ifuslot, Position { x, y }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fplanes::model::{Layer, Track, Value};

    fn told(text: &str) -> Vec<(u32, &'static str)> {
        let (_, problems) = read_positions(text);
        problems
            .iter()
            .map(|it| (it.line, it.code.as_str()))
            .collect()
    }

    #[test]
    fn each_line_is_a_measured_position() {
        let (claims, problems) =
            read_positions("# slot x y\n013 -449.939 150.004\n14\t-450.272\t49.723\n");
        assert_eq!(problems, []);
        let at = |slot: &str| {
            let track = Track {
                layer: Layer::Measured,
                ifuslot: slot.into(),
            };
            claims.facts.get(&track).cloned().flatten()
        };
        let measured = |x, y| Some(Value::Measured(Position { x, y }));
        assert_eq!(at("013"), measured(-449.939, 150.004));
        assert_eq!(at("014"), measured(-450.272, 49.723));
        assert!(!claims.is_whole && claims.facts.len() == 2);
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        let good = "014 -450.272 49.723\n";
        let lines = [
            ("013 -449.939", "WRONG_COLUMN_COUNT"),
            ("013 -449.939 150.004 1", "WRONG_COLUMN_COUNT"),
            ("slot -449.939 150.004", "WRONG_IFUSLOT"),
            ("600 -39.1 9.8", "UNKNOWN_IFUSLOT"),
            ("013 nan 150.004", "WRONG_NUMBER"),
            ("013 -449.939 1e4", "WRONG_NUMBER"),
            ("013 -449.939 155", "LARGE_OFFSET"),
        ];
        for (line, code) in lines {
            assert_eq!(told(&format!("{good}{line}\n")), [(2, code)], "{line}");
        }
        assert_eq!(told(&format!("{good}{good}")), [(1, "DUPLICATE_IFUSLOT")]);
        assert_eq!(told("# nothing\n"), [(0, "NO_ROWS")]);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[0-9 .x#\\-\n\t]{0,200}") {
            let _ = read_positions(&text);
        }
    }
}
