//! What stands beside the plane: what colours and marks mean, the special slots larger, directions and scale.

use std::collections::HashMap;

use super::super::difference::SlotChange;
use super::super::model::{Position, Slot, SlotKind};
use super::super::sky::Rotation;
use super::look::{self, KINDS, State};
use super::words::describe;
use super::{GAP, HEAD, MARGIN, Picture, SIDE, way};
use crate::text::{escape_xml, shorten};

/// Special slots farther than this from their middle, in arcsec, are not shown larger.
const CLUSTER: f64 = 60.0;
/// The most that special slots are magnified.
const LARGEST: f64 = 12.0;
const ROW: f64 = 24.0;

/// A part of the plane where special slots stand so close that their names have no room.
pub(super) struct Zoom<'a> {
    slots: Vec<&'a Slot>,
    middle: Position,
    /// Half of its side in arcsec.
    half: f64,
}

impl<'a> Zoom<'a> {
    pub(super) fn of(shown: &[&'a Slot]) -> Option<Self> {
        let others = || shown.iter().filter(|slot| slot.kind == SlotKind::Other);
        let around = Position {
            x: median(others().map(|slot| slot.position.x).collect())?,
            y: median(others().map(|slot| slot.position.y).collect())?,
        };
        let is_close = |position: Position| {
            (position.x - around.x).abs() <= CLUSTER && (position.y - around.y).abs() <= CLUSTER
        };
        let slots: Vec<&Slot> = others()
            .copied()
            .filter(|slot| is_close(slot.position))
            .collect();
        let (x, half_x) = span(slots.iter().map(|slot| slot.position.x))?;
        let (y, half_y) = span(slots.iter().map(|slot| slot.position.y))?;
        Some(Self {
            slots,
            middle: Position { x, y },
            half: half_x.max(half_y) + 6.0,
        })
    }

    pub(super) fn top_left(&self) -> Position {
        Position {
            x: self.middle.x - self.half,
            y: self.middle.y + self.half,
        }
    }

    /// Its side in arcsec.
    pub(super) fn size(&self) -> f64 {
        2.0 * self.half
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

/// The middle of numbers, and how far they reach from it.
fn span(numbers: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let (low, high) = (numbers.clone().reduce(f64::min)?, numbers.reduce(f64::max)?);
    Some((f64::midpoint(low, high), (high - low) / 2.0))
}

/// The column beside the plane, written from the top.
pub(super) struct Side<'p> {
    picture: &'p mut Picture,
    left: f64,
    y: f64,
}

impl<'p> Side<'p> {
    pub(super) fn beside(picture: &'p mut Picture) -> Self {
        let left = MARGIN + 2.0 * picture.reach + GAP;
        Self {
            picture,
            left,
            y: HEAD,
        }
    }

    fn heading(&mut self, text: &str) {
        let (left, y) = (self.left, self.y + 10.0);
        self.picture.write(format_args!(
            "<text class=\"t\" x=\"{left}\" y=\"{y}\">{text}</text>"
        ));
        self.y += 24.0;
    }

    /// What is written in a square.
    pub(super) fn key(&mut self) {
        self.heading("A SLOT");
        let (x, y) = (self.left + 25.0, self.y + 25.0);
        let label = x + 62.0;
        self.picture.write(format_args!(
            "<g class=\"on\" transform=\"translate({x},{y})\"><rect class=\"sh\" x=\"-24.2\" y=\"-24.2\" \
             width=\"48.4\" height=\"48.4\" rx=\"5\"/><circle class=\"me\" cx=\"-18.5\" cy=\"-18.5\" r=\"2.2\"/>\
             <text class=\"id\" y=\"-7\">021</text><text class=\"sp\" y=\"6.5\">315</text>\
             <text class=\"if\" y=\"18.5\">073</text><path class=\"ld\" d=\"M16-12 56-18M14 2.5H56M14 14.5 56 22\"/></g>\
             <text class=\"l\" x=\"{label}\" y=\"{}\">slot: column and row</text>\
             <text class=\"l\" x=\"{label}\" y=\"{}\">spectrograph</text>\
             <text class=\"l\" x=\"{label}\" y=\"{}\">IFU</text>\
             <circle class=\"me\" cx=\"{x}\" cy=\"{}\" r=\"2.2\"/>\
             <text class=\"l\" x=\"{label}\" y=\"{}\">dot: position was measured</text>",
            y - 13.5,
            y + 6.5,
            y + 26.5,
            y + 43.0,
            y + 47.0,
        ));
        self.y += 94.0;
    }

    fn row(&mut self, words: &str, count: usize) {
        let (label, end, y) = (self.left + 34.0, self.left + SIDE, self.y + ROW / 2.0 + 4.5);
        self.picture.write(format_args!(
            "<text class=\"l\" x=\"{label}\" y=\"{y}\">{words}</text>\
             <text class=\"l n\" x=\"{end}\" y=\"{y}\">{count}</text>"
        ));
        self.y += ROW;
    }

    /// What colours mean.
    pub(super) fn states(&mut self, shown: &[&Slot]) {
        if shown.is_empty() {
            return;
        }
        self.heading("STATES");
        for state in State::ALL {
            let count = shown.iter().filter(|slot| State::of(slot) == state).count();
            if count == 0 {
                continue;
            }
            let (x, y) = (self.left + 11.0, self.y + ROW / 2.0);
            let shape = match state {
                State::Boresight => look::BORESIGHT,
                State::Other => "<circle class=\"sh\" r=\"4\"/>",
                State::Lrs2 => {
                    "<rect class=\"of\" x=\"-9\" y=\"-9\" width=\"18\" height=\"18\" rx=\"3\"/>\
                     <rect class=\"sh\" x=\"-5\" y=\"-2.5\" width=\"10\" height=\"5\"/>"
                }
                _ => "<rect class=\"sh\" x=\"-9\" y=\"-9\" width=\"18\" height=\"18\" rx=\"3\"/>",
            };
            let class = state.class();
            self.picture.write(format_args!(
                "<g class=\"{class}\" transform=\"translate({x},{y})\">{shape}</g>"
            ));
            self.row(state.words(), count);
        }
        self.y += 18.0;
    }

    /// What marks mean.
    pub(super) fn changes(&mut self, changes: &[SlotChange], stretch: Option<f64>) {
        self.heading("CHANGES");
        if changes.is_empty() {
            self.row("none", 0);
        }
        for kind in KINDS {
            let count = changes.iter().filter(|change| change.kind == kind).count();
            if count == 0 {
                continue;
            }
            let (x, y) = (self.left + 11.0, self.y + ROW / 2.0);
            let (class, sign) = look::badge(kind);
            self.picture.write(format_args!(
                "<g class=\"{class}\" transform=\"translate({x},{y})\"><circle class=\"ba\" r=\"8.5\"/>\
                 <path class=\"gl\" d=\"{sign}\"/></g>"
            ));
            self.row(look::words(kind), count);
        }
        if let Some(stretch) = stretch {
            let (x, y) = (self.left, self.y + ROW / 2.0);
            let words = if stretch > 1.0 {
                format!("below a slot: way it moved, {stretch}×")
            } else {
                "below a slot: way it moved".to_owned()
            };
            self.picture.write(format_args!(
                "<path class=\"way\" d=\"M{x} {y}h22\" marker-end=\"url(#fp-arrow)\"/>\
                 <text class=\"l\" x=\"{}\" y=\"{}\">{words}</text>",
                x + 34.0,
                y + 4.5
            ));
            self.y += ROW;
        }
        self.y += 18.0;
    }

    /// The special slots, larger, and what they are called.
    pub(super) fn zoom(&mut self, zoom: &Zoom<'_>, changed: &HashMap<&str, &SlotChange>) {
        let scale = (SIDE / zoom.size()).min(LARGEST);
        self.heading(&format!("IN THE FRAME, {scale:.1}×"));
        let (left, top) = (self.left, self.y);
        self.picture.write(format_args!(
            "<rect class=\"pl\" x=\"{left}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\" rx=\"8\"/>"
        ));
        for slot in &zoom.slots {
            let x = left + SIDE / 2.0 + (slot.position.x - zoom.middle.x) * scale;
            let y = top + SIDE / 2.0 - (slot.position.y - zoom.middle.y) * scale;
            let change = changed.get(slot.ifuslot.as_str()).copied();
            let title = escape_xml(&describe(slot, change));
            let ifuslot = escape_xml(&shorten(&slot.ifuslot, 6));
            let idle = if slot.mapping.active { "" } else { " idle" };
            self.picture.write(format_args!(
                "<g class=\"spot{idle}\" transform=\"translate({x:.1},{y:.1})\"><title>{title}</title>"
            ));
            if let Some(change) = change {
                let (class, _) = look::badge(change.kind);
                self.picture
                    .write(format_args!("<circle class=\"{class} ol\" r=\"8\"/>"));
            }
            self.picture.write(format_args!(
                "<circle class=\"sh\" r=\"4\"/><text class=\"if\" y=\"-10\">{ifuslot}</text></g>"
            ));
            if let Some((from, to)) = change.and_then(way) {
                let (dx, dy) = ((to.x - from.x) * scale, (from.y - to.y) * scale);
                self.picture.write(format_args!(
                    "<path class=\"way\" d=\"M{:.1} {:.1}l{dx:.1} {dy:.1}\" marker-end=\"url(#fp-arrow)\"/>",
                    x - dx,
                    y - dy
                ));
            }
        }
        self.y += SIDE + 10.0;
        let named = |slot: &&&Slot| slot.name.is_some();
        for slot in zoom.slots.iter().filter(named).take(8) {
            let name = slot.name.as_deref().unwrap_or_default();
            let line = format!("{}  {}", shorten(&slot.ifuslot, 6), shorten(name, 30));
            let (x, y, line) = (self.left, self.y + 10.0, escape_xml(&line));
            self.picture.write(format_args!(
                "<text class=\"l\" x=\"{x}\" y=\"{y}\">{line}</text>"
            ));
            self.y += 17.0;
        }
        self.y += 18.0;
    }

    /// The directions of the plane's axes, of north and east if they are known, and a hundred arcsec.
    /// Answers with where it ends.
    pub(super) fn compass(&mut self, rotation: Option<&Rotation>) -> f64 {
        self.heading("DIRECTIONS AND SCALE");
        let (x, y) = (self.left + 70.0, self.y + 72.0);
        self.arrow((x, y), Position { x: 1.0, y: 0.0 }, "X", false);
        self.arrow((x, y), Position { x: 0.0, y: 1.0 }, "Y", false);
        if let Some(rotation) = rotation {
            let (north, east) = rotation.compass();
            self.arrow((x, y), north, "N", true);
            self.arrow((x, y), east, "E", true);
        }
        let (from, line) = (self.left + SIDE - 104.0, y);
        self.picture.write(format_args!(
            "<path class=\"cx\" d=\"M{from} {line}h100m0-5v10m-100 0v-10\"/>\
             <text class=\"c1\" x=\"{}\" y=\"{}\">100″</text>",
            from + 50.0,
            line - 9.0
        ));
        self.y + 140.0
    }

    fn arrow(&mut self, (x, y): (f64, f64), direction: Position, name: &str, is_sky: bool) {
        let (class, label, head, long) = if is_sky {
            ("cn", "c2", "fp-north", 38.0)
        } else {
            ("cx", "c1", "fp-axis", 50.0)
        };
        let (dx, dy) = (direction.x * long, -direction.y * long);
        let (label_x, label_y) = (
            x + direction.x * (long + 11.0),
            y - direction.y * (long + 11.0) + 4.5,
        );
        self.picture.write(format_args!(
            "<path class=\"{class}\" d=\"M{x:.1} {y:.1}l{dx:.1} {dy:.1}\" marker-end=\"url(#{head})\"/>\
             <text class=\"{label}\" x=\"{label_x:.1}\" y=\"{label_y:.1}\">{name}</text>"
        ));
    }
}
