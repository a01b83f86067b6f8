use super::{
    section::{Running, Section, Synchronize},
    spec::{
        ChunkUnit, ExperimentSpec, HistorySchema, JobListForm, Progress, Wrappers, date, members,
    },
};

/// The experiments of the demo, between them every form of job list, schema and state that labql reads.
pub fn laboratory() -> Vec<ExperimentSpec> {
    vec![
        seasonal_hindcast(),
        ocean_reanalysis(),
        decadal_graph(),
        seasonal_forecast(),
        high_resolution(),
        regional_test(),
        operational_chain(),
        paleo_wrapped(),
        aerosol_preview(),
        large_ensemble(),
        broken_list(),
    ]
}

/// Autosubmit 3, all completed over three runs.
fn seasonal_hindcast() -> ExperimentSpec {
    ExperimentSpec {
        description: "Seasonal hindcasts 1993-1995, November starts, T255-ORCA1".to_owned(),
        owner: "ileroy".to_owned(),
        start_dates: vec![date(1993, 11, 1), date(1994, 11, 1), date(1995, 11, 1)],
        members: members(3),
        chunks: 2,
        chunk_size: 4,
        progress: Progress::completed(3),
        ..ExperimentSpec::new("a0sh", JobListForm::Text)
    }
}

/// Autosubmit 4.0, stopped by failures.
fn ocean_reanalysis() -> ExperimentSpec {
    ExperimentSpec {
        description: "Historical ocean run 1958-1997 forced by reanalysis, eORCA025".to_owned(),
        owner: "kjansen".to_owned(),
        start_dates: vec![date(1958, 1, 1)],
        members: members(4),
        chunks: 8,
        chunk_unit: ChunkUnit::Year,
        chunk_size: 5,
        progress: Progress {
            failed: 2,
            retried: 5,
            suspended: 3,
            runs: 2,
            ..Progress::stopped(55)
        },
        ..ExperimentSpec::new("a1or", JobListForm::Tuples)
    }
}

/// A networkx graph that is the only witness of its edges.
fn decadal_graph() -> ExperimentSpec {
    ExperimentSpec {
        description: "Decadal prediction, start date 2005, initialised from ocean analysis"
            .to_owned(),
        owner: "mrossi".to_owned(),
        start_dates: vec![date(2005, 11, 1)],
        members: members(5),
        chunks: 5,
        chunk_unit: ChunkUnit::Year,
        chunk_size: 2,
        structure: false,
        progress: Progress {
            suspended: 4,
            retried: 2,
            ..Progress::stopped(62)
        },
        ..ExperimentSpec::new("a2dg", JobListForm::Graph)
    }
}

/// At work: jobs run, queue and are submitted.
fn seasonal_forecast() -> ExperimentSpec {
    ExperimentSpec {
        description: "Seasonal forecast of this season, 10 members, T319-ORCA025".to_owned(),
        owner: "ileroy".to_owned(),
        start_dates: vec![date(2026, 5, 1), date(2026, 8, 1)],
        members: members(10),
        chunks: 7,
        chunk_size: 1,
        progress: Progress {
            retried: 6,
            failed: 1,
            ..Progress::running(48)
        },
        ..ExperimentSpec::new("a3sf", JobListForm::Dict)
    }
}

/// At work on Autosubmit 4.2, with splits, user metrics and failures.
fn high_resolution() -> ExperimentSpec {
    ExperimentSpec {
        description: "Storm-resolving coupled run at 5 km, three-day chunks".to_owned(),
        owner: "nokafor".to_owned(),
        hpc: "ZEPHYR".to_owned(),
        start_dates: vec![date(2020, 1, 20), date(2020, 8, 1)],
        members: members(2),
        chunks: 8,
        chunk_unit: ChunkUnit::Day,
        chunk_size: 3,
        sections: vec![
            Section::new("LOCAL_SETUP", Running::Once)
                .minutes(1)
                .on("LOCAL"),
            Section::new("REMOTE_SETUP", Running::Once)
                .after("LOCAL_SETUP")
                .processors(8)
                .minutes(25),
            Section::new("INI", Running::Date)
                .after("REMOTE_SETUP")
                .processors(48)
                .minutes(15),
            Section::new("SIM", Running::Chunk)
                .after("INI")
                .after("SIM-1")
                .processors(3072)
                .minutes(140)
                .with_metrics(),
            Section::new("REGRID", Running::Chunk)
                .after("SIM")
                .splits(4)
                .processors(96)
                .minutes(18),
            Section::new("CHECK", Running::Chunk)
                .synchronize(Synchronize::Member)
                .after("REGRID")
                .minutes(4),
            Section::new("TRANSFER", Running::Date)
                .after("CHECK")
                .minutes(40),
        ],
        progress: Progress {
            failed: 1,
            retried: 4,
            slots: 12,
            runs: 2,
            ..Progress::running(58)
        },
        ..ExperimentSpec::new("a4hr", JobListForm::Sqlite)
    }
}

/// Created and never run.
fn regional_test() -> ExperimentSpec {
    ExperimentSpec {
        description: "Test of regional downscaling over the Alps, 3 km".to_owned(),
        owner: "nokafor".to_owned(),
        start_dates: vec![date(2018, 10, 27)],
        members: members(1),
        chunks: 4,
        chunk_unit: ChunkUnit::Hour,
        chunk_size: 12,
        details: false,
        progress: Progress::never_run(),
        ..ExperimentSpec::new("t001", JobListForm::Dict)
    }
}

/// An operational chain that knows the commit of its sources; splits without start dates.
fn operational_chain() -> ExperimentSpec {
    ExperimentSpec {
        description: "Operational monthly outlook: ingest, 1-month forecast, products".to_owned(),
        owner: "oper".to_owned(),
        version: "4.1.14".to_owned(),
        history: HistorySchema::V19,
        start_dates: vec![date(2026, 9, 1)],
        members: members(6),
        chunks: 1,
        chunk_size: 1,
        sections: vec![
            Section::new("INGEST", Running::Once).splits(3).minutes(9),
            Section::new("INI", Running::Member)
                .after("INGEST")
                .minutes(7),
            Section::new("SIM", Running::Chunk)
                .after("INI")
                .after("SIM-1")
                .processors(576)
                .minutes(55),
            Section::new("POST", Running::Chunk)
                .after("SIM")
                .processors(32)
                .minutes(14),
            Section::new("PRODUCTS", Running::Date)
                .after("POST")
                .processors(16)
                .minutes(12),
        ],
        progress: Progress {
            retried: 1,
            ..Progress::completed(4)
        },
        ..ExperimentSpec::new("o002", JobListForm::Dict)
    }
}

/// Simulations submitted four at a time.
fn paleo_wrapped() -> ExperimentSpec {
    ExperimentSpec {
        description: "Last glacial maximum, 400 years, vertical wrappers".to_owned(),
        owner: "kjansen".to_owned(),
        start_dates: vec![date(1850, 1, 1)],
        members: members(2),
        chunks: 16,
        chunk_unit: ChunkUnit::Year,
        chunk_size: 25,
        wrappers: Wrappers::Real {
            section: "SIM".to_owned(),
        },
        progress: Progress::stopped(70),
        ..ExperimentSpec::new("a5lg", JobListForm::Dict)
    }
}

/// Packages of an old version, so far only looked at.
fn aerosol_preview() -> ExperimentSpec {
    ExperimentSpec {
        description: "Aerosol sensitivity, doubled dust emissions".to_owned(),
        owner: "mrossi".to_owned(),
        version: "4.0.101".to_owned(),
        start_dates: vec![date(2010, 1, 1)],
        members: members(2),
        chunks: 6,
        chunk_size: 2,
        wrappers: Wrappers::Preview {
            section: "SIM".to_owned(),
        },
        progress: Progress::never_run(),
        ..ExperimentSpec::new("a6ae", JobListForm::Tuples)
    }
}

/// About a thousand jobs, at work.
fn large_ensemble() -> ExperimentSpec {
    ExperimentSpec {
        description: "Large ensemble of scenario SSP2-4.5, 2015-2034".to_owned(),
        owner: "ileroy".to_owned(),
        start_dates: vec![date(2015, 1, 1)],
        progress: Progress {
            failed: 2,
            retried: 20,
            slots: 24,
            ..Progress::running(66)
        },
        ..ExperimentSpec::sized("a7le", JobListForm::Dict, 10, 20)
    }
}

/// A job list that a full disk has cut short.
fn broken_list() -> ExperimentSpec {
    ExperimentSpec {
        description: "Sea-ice parameter study (disk was full while the job list was saved)"
            .to_owned(),
        owner: "nokafor".to_owned(),
        truncated: true,
        ..ExperimentSpec::new("a8br", JobListForm::Dict)
    }
}
