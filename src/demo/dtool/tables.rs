//! What items hold: numbers that look measured, and pictures of them.

use std::fmt::Write;

use super::dataset::Item;
use crate::demo::chance::{between, roll};

/// A file of a month: lines of day, temperature in degrees Celsius, and the height of waves in metres.
pub(super) fn month(folder: &str, seed: u64, month: u32) -> Item {
    let relpath = format!("{folder}/2025-{month:02}.csv");
    let mut content = "day,temperature,wave_height\n".to_owned();
    for day in 1..=28 {
        let at = format!("{folder}-{month}-{day}");
        let season = i64::from(6_u32.abs_diff(month)) * 20;
        let temperature = between(120, 180, roll(seed, 1, &at)) - season;
        let waves = between(20, 420, roll(seed, 2, &at));
        // Writing to a string cannot fail.
        let _ = writeln!(
            content,
            "2025-{month:02}-{day:02},{}.{},{}.{:02}",
            temperature / 10,
            temperature % 10,
            waves / 100,
            waves % 100
        );
    }
    Item { relpath, content }
}

/// A table of some rows with a number each.
pub(super) fn table(relpath: &str, head: &str, rows: &[&str], seed: u64) -> Item {
    let mut content = format!("{head}\n");
    for row in rows {
        let number = between(0, 1_000, roll(seed, 3, row));
        let _ = writeln!(content, "{row},0.{number:03}");
    }
    Item {
        relpath: relpath.to_owned(),
        content,
    }
}

/// A picture: bars of some heights.
pub(super) fn figure(relpath: &str, title: &str, bars: i64, seed: u64) -> Item {
    let mut content = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} 120\">\n<title>{title}</title>\n",
        bars * 12 + 8
    );
    for bar in 0..bars {
        let height = between(10, 100, roll(seed, 4, &bar.to_string()));
        let (x, y) = (bar * 12 + 6, 110 - height);
        let _ = writeln!(
            content,
            "<rect x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{height}\"/>"
        );
    }
    content.push_str("</svg>\n");
    Item {
        relpath: relpath.to_owned(),
        content,
    }
}
