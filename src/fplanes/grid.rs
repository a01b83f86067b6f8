//! The grid of VIRUS: which slots there are, where they are by design, of which kind they are, and in which order files
//! list them.
//!
//! A slot of the grid is named by its column (1 to 10) and its row (0 to 9). Columns are 100 arcsec apart and so are rows; the
//! boresight is in the middle.

use super::model::{Position, Slot, SlotKind};

/// Arcsec between two columns, and between two rows.
const PITCH: f64 = 100.0;

/// Positions that differ by less, in arcsec, are the same in a file, which has three decimals.
const SAME: f64 = 0.000_5;

/// The boresight.
pub const BORESIGHT: &str = "000";

/// The two places of the grid at which LRS2 stands.
const LRS2: [&str; 2] = ["056", "066"];

/// The four places in the middle, which never hold an IFU.
const CENTRE: [&str; 4] = ["054", "055", "064", "065"];

/// Column and row of a slot of the grid; none: it has no place in the grid.
pub fn place(ifuslot: &str) -> Option<(u8, u8)> {
    let digits = ifuslot.as_bytes();
    if digits.len() != 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u16 = ifuslot.parse().ok()?;
    let column = u8::try_from(number / 10).ok()?;
    let row = u8::try_from(number % 10).ok()?;
    exists(column, row).then_some((column, row))
}

/// The plane is round: the outer columns are shorter.
fn exists(column: u8, row: u8) -> bool {
    match column {
        1 | 10 => (3..=6).contains(&row),
        2 | 9 => (1..=8).contains(&row),
        3..=8 => row <= 9,
        _ => false,
    }
}

/// The slot at this place of the grid; none: there is none.
pub fn slot_at(column: u8, row: u8) -> Option<String> {
    exists(column, row).then(|| format!("{column:02}{row}"))
}

/// All 84 slots of the grid, ascending; two of them are those of LRS2.
pub fn slots() -> impl Iterator<Item = String> {
    (1..=10).flat_map(|column| (0..=9).filter_map(move |row| slot_at(column, row)))
}

/// Where a slot of the grid is by design; none: it has no place in the grid.
pub fn nominal(ifuslot: &str) -> Option<Position> {
    let (column, row) = place(ifuslot)?;
    Some(Position {
        x: (f64::from(column) - 5.5) * PITCH,
        y: (4.5 - f64::from(row)) * PITCH,
    })
}

/// Is this where the slot is by design, as far as a file can tell?
pub fn is_nominal(ifuslot: &str, position: Position) -> bool {
    nominal(ifuslot).is_some_and(|design| {
        (design.x - position.x).abs() < SAME && (design.y - position.y).abs() < SAME
    })
}

/// Is it a place for a unit of VIRUS? All of the grid are, but those of LRS2.
pub fn is_virus(ifuslot: &str) -> bool {
    place(ifuslot).is_some() && !LRS2.contains(&ifuslot)
}

/// Is it one of the four in the middle, which never hold an IFU?
pub fn is_centre(ifuslot: &str) -> bool {
    CENTRE.contains(&ifuslot)
}

/// Of which kind a slot is. What somebody called special is no unit of VIRUS, wherever it stands.
pub fn kind(ifuslot: &str, is_special: bool) -> SlotKind {
    match ifuslot {
        BORESIGHT => SlotKind::Boresight,
        lrs2 if LRS2.contains(&lrs2) => SlotKind::Lrs2,
        slot if !is_special && is_virus(slot) => SlotKind::Virus,
        _ => SlotKind::Other,
    }
}

/// What a special slot is called where nobody said so, as far as public programs name it.
pub fn special_name(ifuslot: &str) -> Option<&'static str> {
    match ifuslot {
        "056" => Some("LRS2-B"),
        "066" => Some("LRS2-R"),
        "600" => Some("HPFACAM"),
        "603" => Some("HPFSCI"),
        _ => None,
    }
}

/// Where a special slot is by design: the boresight and LRS2 never moved. None: it was only ever measured.
pub fn special_position(ifuslot: &str) -> Option<Position> {
    match ifuslot {
        BORESIGHT => Some(Position { x: 0.0, y: 0.0 }),
        lrs2 if LRS2.contains(&lrs2) => nominal(lrs2),
        _ => None,
    }
}

/// What files are sorted by: the boresight, the units of VIRUS ascending, all others ascending.
pub fn file_order(slot: &Slot) -> impl Ord + '_ {
    let group = match slot.kind {
        SlotKind::Boresight => 0,
        SlotKind::Virus => 1,
        SlotKind::Lrs2 | SlotKind::Other => 2,
    };
    (group, slot.ifuslot.as_str())
}

/// Puts slots in the order of files.
pub fn sort(slots: &mut [Slot]) {
    slots.sort_by(|a, b| file_order(a).cmp(&file_order(b)));
}

/// The name of a slot in its one form, of three digits: `13` and ` 013 ` are `013`. None: no name of a slot.
pub fn parse_ifuslot(text: &str) -> Option<String> {
    let text = text.trim();
    let is_number = (1..=3).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    is_number.then(|| format!("{text:0>3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_84_slots_where_the_formula_says() {
        let all: Vec<String> = slots().collect();
        assert_eq!(all.len(), 84);
        assert!(all.is_sorted());
        assert_eq!(all.iter().filter(|slot| is_virus(slot)).count(), 82);
        let units = |slot: &&String| is_virus(slot) && !is_centre(slot);
        assert_eq!(all.iter().filter(units).count(), 78);
        for slot in &all {
            let (column, row) = place(slot).unwrap();
            assert_eq!(slot_at(column, row).as_ref(), Some(slot));
            let (x, y) = (i32::from(column) * 100 - 550, 450 - i32::from(row) * 100);
            let position = nominal(slot).unwrap();
            assert_eq!((position.x, position.y), (f64::from(x), f64::from(y)));
            assert!(is_nominal(slot, position));
        }
    }

    #[test]
    fn places_outside_of_the_round_plane_are_no_slots() {
        for slot in [
            "000", "012", "017", "020", "029", "090", "107", "113", "555", "1", "0013", "01x", "",
            "é1",
        ] {
            assert_eq!(nominal(slot), None, "{slot}");
            assert!(!is_virus(slot));
        }
        assert_eq!(slot_at(11, 4), None);
        assert_eq!(slot_at(0, 4), None);
        assert_eq!(slot_at(3, 10), None);
    }

    #[test]
    fn three_decimals_tell_design_from_measurement() {
        let at = |x, y| is_nominal("013", Position { x, y });
        assert!(at(-450.000_4, 150.000_4));
        assert!(!at(-450.000_6, 150.0));
        assert!(!at(-450.0, 149.999));
        assert!(!at(f64::NAN, 150.0));
    }

    #[test]
    fn kinds() {
        assert_eq!(kind("000", true), SlotKind::Boresight);
        assert_eq!(kind("056", true), SlotKind::Lrs2);
        assert_eq!(kind("066", false), SlotKind::Lrs2);
        assert_eq!(kind("013", false), SlotKind::Virus);
        assert_eq!(kind("013", true), SlotKind::Other);
        assert_eq!(kind("555", true), SlotKind::Other);
        assert_eq!(kind("107", false), SlotKind::Other);
    }

    #[test]
    fn special_slots_that_never_moved() {
        let at = |slot| special_position(slot).map(|it| (it.x, it.y));
        assert_eq!(at("000"), Some((0.0, 0.0)));
        assert_eq!(at("056"), Some((-50.0, -150.0)));
        assert_eq!(at("066"), Some((50.0, -150.0)));
        assert_eq!(at("600"), None);
        assert_eq!(at("013"), None);
    }

    #[test]
    fn names_of_slots_have_one_form() {
        let forms = [
            ("13", Some("013")),
            ("013", Some("013")),
            (" 600 ", Some("600")),
            ("0", Some("000")),
        ];
        for (text, slot) in forms {
            assert_eq!(parse_ifuslot(text).as_deref(), slot);
        }
        for text in ["", "0013", "1e2", "-13", "+13", "１３", "0x1"] {
            assert_eq!(parse_ifuslot(text), None, "{text}");
        }
    }
}
