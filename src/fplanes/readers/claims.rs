//! What a file says of the plane, as facts and as slots.

use super::file::FplaneFile;
use super::row::FileRow;
use crate::fplanes::grid;
use crate::fplanes::model::{Claims, Layer, Mapping, Position, Slot, Special, Track, Value};

/// Which positions a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilePositions {
    /// Those that are where the grid has them are by design, all others were measured.
    #[default]
    Auto,
    /// All are by design.
    Nominal,
    /// All were measured.
    Measured,
}

impl FplaneFile {
    /// The facts of the file. `unlisted_ends`: what it does not list is not in the plane.
    ///
    /// A file with no measured position says nothing of measured ones. One with some says of the others that there is
    /// none. It never tells of controllers.
    pub fn claims(&self, positions: FilePositions, unlisted_ends: bool) -> Claims {
        let rows = self.rows_by_ifuslot();
        let has_measured = rows
            .values()
            .any(|row| is_unit(row) && !grid::is_nominal(&row.ifuslot, row.position()));
        let mut claims = Claims {
            is_whole: unlisted_ends,
            ..Claims::default()
        };
        for row in rows.into_values() {
            if let Some(special) = special(row) {
                claim_special(&mut claims, &row.ifuslot, special);
                continue;
            }
            claim_mapping(&mut claims, &row.ifuslot, row.mapping());
            let (layer, value, cleared) = placed(row, positions, has_measured);
            claim(&mut claims, layer, &row.ifuslot, Some(value));
            if cleared {
                claim(&mut claims, Layer::Measured, &row.ifuslot, None);
            }
        }
        claims
    }

    /// The plane that the file shows, in the order of files, with the positions that stand there.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.rows_by_ifuslot().into_values().map(slot).collect();
        grid::sort(&mut slots);
        slots
    }
}

/// The layer and the fact of a row's position, and whether it says that there is no measured one.
fn placed(row: &FileRow, positions: FilePositions, has_measured: bool) -> (Layer, Value, bool) {
    let position = row.position();
    let design = grid::nominal(&row.ifuslot);
    let exact = design.filter(|_| grid::is_nominal(&row.ifuslot, position));
    let nominal = |position| (Layer::Nominal, Value::Nominal(position));
    let measured = (Layer::Measured, Value::Measured(position));
    let ((layer, value), cleared) = match (positions, exact) {
        // A slot without a place in the grid has no other place by design than this.
        _ if design.is_none() => (nominal(position), false),
        (FilePositions::Nominal, _) => (nominal(exact.unwrap_or(position)), false),
        (FilePositions::Auto, Some(exact)) => (nominal(exact), has_measured),
        (FilePositions::Auto, None) | (FilePositions::Measured, _) => (measured, false),
    };
    (layer, value, cleared)
}

/// Is it a row of a slot of the grid with something in it that is not special?
pub(super) fn is_unit(row: &FileRow) -> bool {
    grid::place(&row.ifuslot).is_some() && row.special_id().is_none()
}

fn special(row: &FileRow) -> Option<Special> {
    Some(Special {
        id: row.special_id()?.to_owned(),
        name: grid::special_name(&row.ifuslot).map(str::to_owned),
        position: row.position(),
        active: !row.is_commented,
        rotation: row.rotation,
        plate_scale: row.plate_scale,
    })
}

fn slot(row: &FileRow) -> Slot {
    let special = special(row);
    let is_special = special.is_some();
    Slot {
        ifuslot: row.ifuslot.clone(),
        kind: grid::kind(&row.ifuslot, is_special),
        name: special.and_then(|special| special.name),
        mapping: row.mapping(),
        position: row.position(),
        is_measured: is_unit(row) && !grid::is_nominal(&row.ifuslot, row.position()),
    }
}

/// Adds a fact.
pub(super) fn claim(claims: &mut Claims, layer: Layer, ifuslot: &str, value: Option<Value>) {
    let track = Track {
        layer,
        ifuslot: ifuslot.to_owned(),
    };
    claims.facts.insert(track, value);
}

/// Adds what is in a slot. It is not special then.
pub(super) fn claim_mapping(claims: &mut Claims, ifuslot: &str, mapping: Mapping) {
    claim(
        claims,
        Layer::Mapping,
        ifuslot,
        Some(Value::Mapping(mapping)),
    );
    if !grid::is_virus(ifuslot) {
        claim(claims, Layer::Special, ifuslot, None);
    }
}

/// Adds a special slot. Nothing else is in it then.
pub(super) fn claim_special(claims: &mut Claims, ifuslot: &str, special: Special) {
    claim(
        claims,
        Layer::Special,
        ifuslot,
        Some(Value::Special(special)),
    );
    claim(claims, Layer::Mapping, ifuslot, None);
}

/// Adds where a slot was measured to be, or, of one without a place in the grid, where it is.
pub(super) fn claim_position(claims: &mut Claims, ifuslot: &str, position: Position) {
    let (layer, value) = match grid::place(ifuslot) {
        Some(_) => (Layer::Measured, Value::Measured(position)),
        None => (Layer::Nominal, Value::Nominal(position)),
    };
    claim(claims, layer, ifuslot, Some(value));
}

#[cfg(test)]
mod tests {
    use super::super::read_file;
    use super::*;

    const TEXT: &str = "\
000 0.000 0.000 900 900 900 0.000 1.000
013 -450.000 150.000 401 241 043 0.000 1.000
#014 -450.000 50.000 000 221 077 0.000 1.000
056 -50.000 -150.000 998 998 998 0.000 1.000
600 -35.800 12.300 902 902 902 0.000 1.000
";

    fn claims(text: &str, positions: FilePositions) -> Claims {
        read_file(text).unwrap().claims(positions, false)
    }

    fn fact<'a>(claims: &'a Claims, layer: Layer, slot: &str) -> Option<&'a Option<Value>> {
        let ifuslot = slot.to_owned();
        claims.facts.get(&Track { layer, ifuslot })
    }

    #[test]
    fn a_slot_is_special_or_a_unit() {
        let found = claims(TEXT, FilePositions::Auto);
        let Some(Some(Value::Special(special))) = fact(&found, Layer::Special, "600") else {
            panic!("{found:?}");
        };
        assert_eq!(
            (special.id.as_str(), special.name.as_deref()),
            ("902", Some("HPFACAM"))
        );
        assert_eq!(fact(&found, Layer::Mapping, "600"), Some(&None));
        assert_eq!(fact(&found, Layer::Special, "013"), None);
        let Some(Some(Value::Mapping(mapping))) = fact(&found, Layer::Mapping, "014") else {
            panic!("{found:?}");
        };
        assert!(!mapping.active && mapping.specid.is_none());
        let lrs2 = TEXT.replace("998 998 998", "503 056 7001");
        let found = claims(&lrs2, FilePositions::Auto);
        assert_eq!(fact(&found, Layer::Special, "056"), Some(&None));
        assert!(matches!(fact(&found, Layer::Mapping, "056"), Some(Some(_))));
    }

    #[test]
    fn positions_go_where_they_belong() {
        let nominal = |x, y| Some(Value::Nominal(Position { x, y }));
        let measured = |x, y| Some(Value::Measured(Position { x, y }));
        let found = claims(TEXT, FilePositions::Auto);
        assert_eq!(
            fact(&found, Layer::Nominal, "013"),
            Some(&nominal(-450.0, 150.0))
        );
        assert_eq!(fact(&found, Layer::Measured, "013"), None);
        let mixed = TEXT.replace("-450.000 150.000", "-449.939 150.004");
        let found = claims(&mixed, FilePositions::Auto);
        assert_eq!(
            fact(&found, Layer::Measured, "013"),
            Some(&measured(-449.939, 150.004))
        );
        assert_eq!(fact(&found, Layer::Nominal, "013"), None);
        assert_eq!(
            fact(&found, Layer::Nominal, "014"),
            Some(&nominal(-450.0, 50.0))
        );
        assert_eq!(fact(&found, Layer::Measured, "014"), Some(&None));
        let found = claims(&mixed, FilePositions::Nominal);
        assert_eq!(
            fact(&found, Layer::Nominal, "013"),
            Some(&nominal(-449.939, 150.004))
        );
        let found = claims(&mixed, FilePositions::Measured);
        assert_eq!(
            fact(&found, Layer::Measured, "014"),
            Some(&measured(-450.0, 50.0))
        );
        let odd = format!("{TEXT}107 450 -250 401 241 043 0 1\n");
        let found = claims(&odd, FilePositions::Measured);
        assert_eq!(
            fact(&found, Layer::Nominal, "107"),
            Some(&nominal(450.0, -250.0))
        );
    }
}
