//! Files of the focal plane, of every form that there has been since 2015.

use std::collections::BTreeMap;

use super::lines::{Line, check_rows, check_size, lines};
use super::problem::{Problem, ProblemCode, settle};
use super::row::{FileRow, holds_row, uncommented};
use super::traps;

/// How many columns a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// IFU, position, column and row in the grid, spectrograph: as in 2015.
    SixColumns,
    /// Slot, position, spectrograph, its place, IFU, rotation, plate scale.
    EightColumns,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct FplaneFile {
    /// How many columns it has.
    pub form: FileForm,
    /// The rows that can be read, as they stand in the file.
    pub rows: Vec<FileRow>,
    /// What is wrong or odd, in the order of lines.
    pub problems: Vec<Problem>,
}

/// The columns of today's files, in capitals.
const COLUMNS: [&str; 8] = [
    "IFUSLOT", "X_FP", "Y_FP", "SPECID", "SPECSLOT", "IFUID", "IFUROT", "PLATESC",
];

/// Reads a file. Rows that cannot be read are left out, each with a problem; a text without any other is refused.
pub fn read_file(text: &str) -> Result<FplaneFile, Problem> {
    check_size(text)?;
    let mut problems = Vec::new();
    let mut named = None;
    let mut found: Vec<(Line<'_>, Vec<&str>)> = Vec::new();
    for line in lines(text, &mut problems) {
        let (bare, is_commented) = uncommented(line.text);
        let tokens: Vec<&str> = bare.split_ascii_whitespace().collect();
        if let Some(form) = header(line, &tokens)? {
            named = named.or(Some((form, line.number)));
        } else if !is_commented || holds_row(&tokens) {
            found.push((line, tokens));
            check_rows(found.len())?;
        }
    }
    let (form, since) = named.unwrap_or_else(|| guess(&found));
    let mut rows = Vec::with_capacity(found.len());
    for (line, tokens) in found {
        let row = match form {
            FileForm::SixColumns => FileRow::of_six(line, &tokens),
            FileForm::EightColumns => FileRow::of_eight(line, &tokens),
        };
        match row {
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(problem),
        }
    }
    if rows.is_empty() {
        return Err(no_rows(&settle(problems)));
    }
    if form == FileForm::SixColumns {
        let message = "six columns: slots follow from the places in the grid";
        problems.push(Problem::new(since, ProblemCode::SixColumns, message));
    }
    let mut file = FplaneFile {
        form,
        rows,
        problems: Vec::new(),
    };
    problems.extend(traps::of(&file));
    file.problems = settle(problems);
    Ok(file)
}

/// The form of the file, if this is the line that names the columns.
fn header(line: Line<'_>, tokens: &[&str]) -> Result<Option<FileForm>, Problem> {
    let [first, second, ..] = tokens else {
        return Ok(None);
    };
    let is_second_x = second.starts_with(['x', 'X']);
    if first.eq_ignore_ascii_case("IFUID") && is_second_x {
        return Ok(Some(FileForm::SixColumns));
    }
    if !first.eq_ignore_ascii_case("IFUSLOT") || !is_second_x {
        return Ok(None);
    }
    let same = |(token, column): (&&str, &&str)| token.eq_ignore_ascii_case(column);
    if tokens.len() == COLUMNS.len() && tokens.iter().zip(&COLUMNS).all(same) {
        return Ok(Some(FileForm::EightColumns));
    }
    let message = format!("other columns than {}", COLUMNS.join(" "));
    Err(Problem::new(line.number, ProblemCode::WrongHeader, message))
}

/// The form of a file without a line that names the columns, and the line that tells it.
fn guess(found: &[(Line<'_>, Vec<&str>)]) -> (FileForm, u32) {
    match found.first() {
        Some((line, tokens)) if tokens.len() == 6 => (FileForm::SixColumns, line.number),
        Some((line, _)) => (FileForm::EightColumns, line.number),
        None => (FileForm::EightColumns, 0),
    }
}

/// A file of which nothing can be read.
fn no_rows(problems: &[Problem]) -> Problem {
    let message = problems.first().map_or_else(
        || "no rows".to_owned(),
        |first| format!("no row can be read; the first: {first}"),
    );
    Problem::new(0, ProblemCode::NoRows, message)
}

impl FplaneFile {
    /// The rows that count, by slot: of rows of the same slot one in use before one that is commented out, and of several
    /// of these the last, as programs of the observatory take them.
    pub fn rows_by_ifuslot(&self) -> BTreeMap<&str, &FileRow> {
        let mut counting: BTreeMap<&str, &FileRow> = BTreeMap::new();
        for row in &self.rows {
            let other = counting.entry(&row.ifuslot).or_insert(row);
            if other.is_commented || !row.is_commented {
                *other = row;
            }
        }
        counting
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::{MAX_BYTES, MAX_LINE, MAX_ROWS};
    use super::*;

    fn told(file: &FplaneFile) -> Vec<(u32, &'static str)> {
        let told = file.problems.iter().map(|it| (it.line, it.code.as_str()));
        told.collect()
    }

    fn read(text: &str) -> FplaneFile {
        read_file(text).unwrap_or_else(|problem| panic!("{problem}"))
    }

    const BORESIGHT: &str = "000 0 0 900 900 900 0 1\n";

    #[test]
    fn comments_are_no_rows_and_rows_in_comments_are() {
        let text = format!(
            "\u{feff}# 2018: slots were moved\n# 013 was taken out\n## IFUSLOT of old\n#\n\n{BORESIGHT}\
             #013 -450 150 000 241 043 0 1\n# 014 -450.0 50.0 00 000 000 0.0 1.0\r\n15\t-450\t-50\t7\t224\t38\t0\t1"
        );
        let file = read(&text);
        assert_eq!(file.form, FileForm::EightColumns);
        let rows: Vec<(u32, &str, bool)> = file
            .rows
            .iter()
            .map(|row| (row.line, row.ifuslot.as_str(), row.is_commented))
            .collect();
        let expected = [
            (6, "000", false),
            (7, "013", true),
            (8, "014", true),
            (9, "015", false),
        ];
        assert_eq!(rows, expected);
        assert_eq!(file.rows[3].specid.as_deref(), Some("007"));
        assert_eq!(file.rows[3].ifuid.as_deref(), Some("038"));
        assert_eq!(file.rows[2].specid, None);
        assert_eq!(
            told(&file),
            [
                (8, "MIXED_DECIMALS"),
                (8, "OLD_EMPTY_CODE"),
                (9, "ODD_SPACING")
            ]
        );
    }

    #[test]
    fn six_columns_are_known_by_their_header_or_their_number() {
        let rows = "001 -450.0  150.0 1 3 001\n#200 -550.0   50.0 0 4 200\n002 -450.0 50.0 1 4 0\n";
        for (header, offset) in [("##IFUID x[\"]   y[\"] xpos ypos specid\n", 1), ("", 0)] {
            let file = read(&format!("{header}{rows}"));
            assert_eq!(file.form, FileForm::SixColumns);
            let slots: Vec<&str> = file.rows.iter().map(|row| row.ifuslot.as_str()).collect();
            assert_eq!(slots, ["013", "014"]);
            assert_eq!(file.rows[1].ifuid.as_deref(), Some("002"));
            let expected = [
                (0, "NO_BORESIGHT"),
                (1, "SIX_COLUMNS"),
                (2 + offset, "PLACE_OUTSIDE_GRID"),
                (3 + offset, "ACTIVE_WITHOUT_SPECTROGRAPH"),
            ];
            assert_eq!(told(&file), expected);
        }
    }

    #[test]
    fn rows_that_cannot_be_read_are_left_out_and_told() {
        let rows = [
            ("013 -450 150 401 241 043 0", "WRONG_COLUMN_COUNT"),
            ("013 -450 150 401 241 043 0 1 x", "WRONG_COLUMN_COUNT"),
            ("slot -450 150 401 241 043 0 1", "WRONG_IFUSLOT"),
            ("0013 -450 150 401 241 043 0 1", "WRONG_IFUSLOT"),
            ("013 x 150 401 241 043 0 1", "WRONG_NUMBER"),
            ("013 nan 150 401 241 043 0 1", "WRONG_NUMBER"),
            ("013 -450 inf 401 241 043 0 1", "WRONG_NUMBER"),
            ("013 -450 1e999 401 241 043 0 1", "WRONG_NUMBER"),
            ("013 -4500 150 401 241 043 0 1", "WRONG_NUMBER"),
            ("013 -450 150 401 241 043 361 1", "WRONG_NUMBER"),
            ("013 -450 150 401 241 043 0 0", "WRONG_NUMBER"),
            ("013 -450 150 401 241 043 0 -1", "WRONG_NUMBER"),
            ("013 -450 150 N01 241 043 0 1", "WRONG_ID"),
            ("013 -450 150 401 -1 043 0 1", "WRONG_ID"),
            ("013 -450 150 401 241 1234567890 0 1", "WRONG_ID"),
        ];
        for (row, code) in rows {
            let file = read(&format!("{BORESIGHT}{row}\n"));
            assert_eq!(told(&file), [(2, code)], "{row}");
            assert_eq!(file.rows.len(), 1);
        }
        let long = format!(
            "{BORESIGHT}013 {}-450 150 401 241 043 0 1\n",
            " ".repeat(MAX_LINE)
        );
        assert_eq!(told(&read(&long)), [(2, "LINE_TOO_LONG")]);
    }

    #[test]
    fn odd_slots_are_taken_and_told() {
        let rows = [
            ("013 -450 150 901 241 938 0 1", "PLACEHOLDER_ID"),
            ("107 450 -250 401 241 043 0 1", "UNKNOWN_IFUSLOT"),
            ("600 10 10 902 902 903 0 1", "UNKNOWN_IFUSLOT"),
            ("054 -50 50 401 241 043 0 1", "IFU_IN_CENTRE"),
            ("013 -450 152 401 241 043 0 1", "LARGE_OFFSET"),
            (
                "013 -450 150 000 241 043 0 1",
                "ACTIVE_WITHOUT_SPECTROGRAPH",
            ),
            ("000 0 0 900 900 900 0 1", "DUPLICATE_IFUSLOT"),
        ];
        for (row, code) in rows {
            let file = read(&format!("{BORESIGHT}{row}\n"));
            let line = if code == "DUPLICATE_IFUSLOT" { 1 } else { 2 };
            assert_eq!(told(&file), [(line, code)], "{row}");
            assert_eq!(file.rows.len(), 2);
        }
        for row in ["056 -50 -150 998 998 998 0 1", "620 1 2 914 914 914 0 1"] {
            assert_eq!(told(&read(&format!("{BORESIGHT}{row}\n"))), [], "{row}");
        }
    }

    #[test]
    fn of_rows_of_a_slot_the_last_in_use_counts() {
        let row = |mark: &str, specid: &str| format!("{mark}013 -450 150 {specid} 241 043 0 1\n");
        let text = [row("", "401"), row("", "402"), row("#", "403")].concat();
        let file = read(&(BORESIGHT.to_owned() + &text));
        let counting = file.rows_by_ifuslot();
        assert_eq!(counting["013"].specid.as_deref(), Some("402"));
        assert_eq!(
            told(&file),
            [(2, "DUPLICATE_IFUSLOT"), (4, "DUPLICATE_IFUSLOT")]
        );
        let commented = [row("#", "401"), row("#", "402"), row("", "403")].concat();
        let file = read(&(BORESIGHT.to_owned() + &commented));
        assert_eq!(file.rows_by_ifuslot()["013"].specid.as_deref(), Some("403"));
    }

    #[test]
    fn what_is_no_file_is_refused_with_the_first_reason() {
        let code = |text: &str| read_file(text).map_err(|problem| problem.code.as_str());
        let refused = [
            ("", "NO_ROWS"),
            ("# nothing but words\n", "NO_ROWS"),
            ("<html>\n<body>\n", "NO_ROWS"),
            (
                "# IFUSLOT X_FP Y_FP IFUID SPECID SPECSLOT IFUROT PLATESC\n",
                "WRONG_HEADER",
            ),
            ("# IFUSLOT X_FP Y_FP\n", "WRONG_HEADER"),
        ];
        for (text, expected) in refused {
            assert_eq!(code(text), Err(expected), "{text}");
        }
        let message = read_file("\n<html>\n").unwrap_err().message;
        assert!(message.contains("line 2: WRONG_COLUMN_COUNT"), "{message}");
        assert_eq!(code(&" ".repeat(MAX_BYTES + 1)), Err("TOO_LARGE"));
        let many = "013 0 0 0 0 0 0 1\n".repeat(MAX_ROWS + 1);
        assert_eq!(code(&many), Err("TOO_MANY_ROWS"));
        let file = read(&"013 0 0 0 0 0 0 1\n".repeat(MAX_ROWS));
        assert_eq!(file.problems.len(), 1_001);
    }
}
