//! The datasets of the demo. From two buoys and a forecast to the figures about both there are five generations.

use serde_json::{Value, json};

use super::dataset::{Dataset, Item};
use super::tables::{figure, month, table};

/// A calibration of which only the UUID is known: it is registered nowhere.
const CALIBRATION: &str = "thermistor-calibration-2024";

/// The datasets of the demo.
pub(super) fn datasets() -> Vec<Dataset> {
    vec![
        buoy("buoy-north-2025-raw", 1, 290),
        buoy("buoy-south-2025-raw", 2, 288),
        checked(),
        daily(),
        forecast(),
        monthly_forecast(),
        skill(),
        skill_figures(),
        buoy_figures(),
        cores(),
        ages(),
        handbook(),
        growing(),
    ]
}

/// What most have in common.
fn base() -> Dataset {
    Dataset {
        name: "",
        creator: "kjansen",
        days_ago: 0,
        is_frozen: true,
        description: "",
        project: "Coastal observatory",
        more: "",
        plain_readme: None,
        parents: &[],
        tags: &[],
        annotations: Vec::new(),
        items: Vec::new(),
        overlays: Vec::new(),
    }
}

/// What a file is, by its name.
fn mime_type(item: &Item) -> Value {
    let kind = match item.relpath.rsplit_once('.') {
        Some((_, "csv")) => "text/csv",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/plain",
    };
    json!(kind)
}

/// How well a month was measured: ice stops the buoys in winter.
fn quality(item: &Item) -> Value {
    let is_winter = ["-01.", "-02.", "-12."]
        .iter()
        .any(|month| item.relpath.contains(month));
    json!(if is_winter { "suspect" } else { "good" })
}

fn buoy(name: &'static str, seed: u64, days_ago: i64) -> Dataset {
    let is_north = seed == 1;
    let (folder, station) = if is_north {
        ("north", "N1")
    } else {
        ("south", "S1")
    };
    Dataset {
        name,
        days_ago,
        description: if is_north {
            "Water temperature and wave height at the northern buoy in 2025, as they came in"
        } else {
            "Water temperature and wave height at the southern buoy in 2025, as they came in"
        },
        more: "funders:\n  - organization: National Sea Fund\n    code: NSF-77\ninstrument: wave rider with thermistor\n",
        parents: &[CALIBRATION],
        tags: &["raw", "buoy"],
        annotations: vec![
            ("station", json!(station)),
            ("depth_metres", json!(if is_north { 41.5 } else { 18.0 })),
            ("is_public", json!(true)),
        ],
        items: (1..=12).map(|number| month(folder, seed, number)).collect(),
        overlays: vec![("mime_type", mime_type), ("quality", quality)],
        ..base()
    }
}

fn checked() -> Dataset {
    let months = (3..=11).flat_map(|number| [month("north", 1, number), month("south", 2, number)]);
    Dataset {
        name: "buoys-2025-checked",
        creator: "mrossi",
        days_ago: 200,
        description: "Both buoys in 2025 without the months of ice",
        more: "method: months with the quality suspect were left out\n",
        parents: &["buoy-north-2025-raw", "buoy-south-2025-raw"],
        tags: &["processed", "buoy"],
        annotations: vec![("removed_months", json!([1, 2, 12]))],
        items: months.collect(),
        overlays: vec![("mime_type", mime_type), ("quality", quality)],
        ..base()
    }
}

fn daily() -> Dataset {
    Dataset {
        name: "buoys-2025-daily",
        creator: "mrossi",
        days_ago: 180,
        description: "Daily means of water temperature and wave height over both buoys",
        parents: &["buoys-2025-checked"],
        tags: &["processed", "buoy", "published"],
        annotations: vec![
            ("doi", json!("10.5555/lab.2025.17")),
            (
                "license",
                json!({ "name": "CC-BY-4.0", "attribution": true }),
            ),
        ],
        items: vec![table(
            "daily.csv",
            "day,temperature_anomaly",
            &["2025-03-01", "2025-06-01", "2025-09-01", "2025-11-01"],
            7,
        )],
        ..base()
    }
}

fn forecast() -> Dataset {
    let fields = ["sst", "swh", "wind"].into_iter().flat_map(|field| {
        (0..5).map(move |member| {
            table(
                &format!("{field}/fc{member:02}.csv"),
                "month,anomaly",
                &["2025-05", "2025-06", "2025-07", "2025-08"],
                member,
            )
        })
    });
    Dataset {
        name: "seasonal-forecast-2025-raw",
        creator: "ileroy",
        days_ago: 150,
        project: "Seasonal forecasts",
        description: "Fields of the seasonal forecast that began in May 2025, five members",
        more: "funders:\n  - organization: Climate Service\n    program: seasons\n",
        tags: &["raw", "model"],
        annotations: vec![
            ("experiment", json!("a3sf")),
            ("members", json!(["fc00", "fc01", "fc02", "fc03", "fc04"])),
        ],
        items: fields.collect(),
        overlays: vec![("mime_type", mime_type)],
        ..base()
    }
}

fn monthly_forecast() -> Dataset {
    Dataset {
        name: "seasonal-forecast-2025-monthly",
        creator: "ileroy",
        days_ago: 140,
        project: "Seasonal forecasts",
        description: "Monthly ensemble means of the seasonal forecast of May 2025",
        parents: &["seasonal-forecast-2025-raw"],
        tags: &["processed", "model"],
        annotations: vec![("experiment", json!("a3sf")), ("member_count", json!(5))],
        items: ["sst", "swh", "wind"]
            .map(|field| {
                table(
                    &format!("{field}.csv"),
                    "month,anomaly",
                    &["2025-05", "2025-06", "2025-07", "2025-08"],
                    9,
                )
            })
            .into(),
        ..base()
    }
}

fn skill() -> Dataset {
    Dataset {
        name: "forecast-skill-2025",
        creator: "nokafor",
        days_ago: 90,
        project: "Seasonal forecasts",
        description: "Skill of the forecast of May 2025 against the buoys, as correlation and mean error",
        parents: &["seasonal-forecast-2025-monthly", "buoys-2025-daily"],
        tags: &["processed", "model", "buoy"],
        annotations: vec![
            ("experiment", json!("a3sf")),
            ("mean_correlation", json!(0.71)),
        ],
        items: vec![table(
            "skill.csv",
            "field,correlation",
            &["sst", "swh", "wind"],
            13,
        )],
        ..base()
    }
}

fn skill_figures() -> Dataset {
    Dataset {
        name: "forecast-skill-2025-figures",
        creator: "nokafor",
        days_ago: 60,
        project: "Seasonal forecasts",
        description: "Figures of the paper on the skill of the forecast of May 2025",
        parents: &["forecast-skill-2025"],
        tags: &["figures", "published"],
        annotations: vec![
            ("doi", json!("10.5555/lab.2026.3")),
            ("experiment", json!("a3sf")),
        ],
        items: vec![
            figure("figure-1.svg", "Correlation by field", 3, 1),
            figure("figure-2.svg", "Mean error by month", 4, 2),
        ],
        overlays: vec![("mime_type", mime_type)],
        ..base()
    }
}

fn buoy_figures() -> Dataset {
    Dataset {
        name: "buoys-2025-figures",
        creator: "mrossi",
        days_ago: 170,
        description: "Figures of the year at the buoys",
        parents: &["buoys-2025-daily"],
        tags: &["figures", "buoy"],
        items: vec![figure("year.svg", "Wave height by month", 12, 3)],
        overlays: vec![("mime_type", mime_type)],
        ..base()
    }
}

fn cores() -> Dataset {
    Dataset {
        name: "sediment-cores-raw",
        days_ago: 400,
        project: "Holocene shelf",
        description: "Photographs and susceptibility of three sediment cores from the shelf",
        more: "sites:\n  - {core: K1, latitude: 54.21, longitude: 7.9}\n  - {core: K2, latitude: 54.3, longitude: 7.6}\n",
        tags: &["raw", "cores"],
        annotations: vec![("vessel", json!("RV Petrel"))],
        items: ["K1", "K2", "K3"]
            .map(|core| {
                table(
                    &format!("{core}/susceptibility.csv"),
                    "depth,susceptibility",
                    &["10", "20", "30", "40", "50"],
                    17,
                )
            })
            .into(),
        ..base()
    }
}

fn ages() -> Dataset {
    Dataset {
        name: "sediment-cores-ages",
        creator: "nokafor",
        days_ago: 320,
        project: "Holocene shelf",
        description: "Age models of the three cores by radiocarbon",
        parents: &["sediment-cores-raw", "radiocarbon-curve-2020"],
        tags: &["processed", "cores"],
        annotations: vec![("reservoir_years", json!(380))],
        items: vec![table(
            "ages.csv",
            "core,uncertainty",
            &["K1", "K2", "K3"],
            19,
        )],
        ..base()
    }
}

/// Its README is no YAML, and says so.
fn handbook() -> Dataset {
    Dataset {
        name: "buoy-handbook",
        days_ago: 500,
        plain_readme: Some(
            "Handbook of the buoys: how they are moored, read and cleaned.\nContact: the workshop: room 12\n",
        ),
        tags: &["documents"],
        items: vec![Item {
            relpath: "handbook.txt".to_owned(),
            content:
                "1. Never lift a buoy by its antenna.\n2. Rinse the thermistor with fresh water.\n"
                    .to_owned(),
        }],
        ..base()
    }
}

/// Not frozen: nobody finds it yet.
fn growing() -> Dataset {
    Dataset {
        name: "buoy-north-2026-raw",
        is_frozen: false,
        description: "Water temperature and wave height at the northern buoy in 2026, so far",
        tags: &["raw", "buoy"],
        items: (1..=3).map(|number| month("north", 3, number)).collect(),
        ..base()
    }
}
