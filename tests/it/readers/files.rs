//! Logs and configuration files.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::symlink,
};

use super::fixture::{Fixture, a000};
use labql::experiments::readers::{
    Expid, JobLogName, LogFolder, LogStream, SourceError, TailLimits,
    config::{ConfigForm, SectionSettings, processor_count, years_per_chunk},
    newest_log, open_log, read_config, tail, tail_within,
};
use proptest::prelude::*;

const LOGS: &str = "a000/tmp/LOG_a000";

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("compressed");
    encoder.finish().expect("compressed")
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(content).expect("compressed");
    encoder.finish().expect("compressed")
}

#[test]
fn the_newest_log_is_the_last_by_name() {
    let fixture = Fixture::new();
    for name in [
        "a000_SIM.20260101000000.out",
        "a000_SIM.20260102000000.out.gz",
        "a000_SIM.20260101000000.err.xz",
        "a000_SIM.20260103000000.out_attempt_1",
        "a000_SIM2.20270101000000.out",
        "a000_SIM.cmd.out",
        "a000_SIM.0.out",
    ] {
        fixture.write(&format!("{LOGS}/{name}"), b"text");
    }
    let newest = |job, stream| newest_log(&fixture.root(), &a000(), job, stream).expect("a folder");
    assert_eq!(
        newest("a000_SIM", LogStream::Out).expect("a log").name,
        "a000_SIM.20260102000000.out.gz"
    );
    assert_eq!(
        newest("a000_SIM", LogStream::Err).expect("a log").path,
        "a000/tmp/LOG_a000/a000_SIM.20260101000000.err.xz"
    );
    assert_eq!(newest("a000", LogStream::Err), None);
    assert_eq!(newest("../a000_SIM", LogStream::Out), None);
    let other = Expid::parse("b000").expect("an expid");
    assert_eq!(
        newest_log(&fixture.root(), &other, "b000_SIM", LogStream::Out).expect("no folder"),
        None
    );
}

#[test]
fn tails_are_the_same_in_any_compression() {
    let fixture = Fixture::new();
    let content: String = (0..5000).map(|line| format!("line {line} é\r\n")).collect();
    let two = content.as_bytes().split_at(1000);
    for (name, bytes) in [
        ("plain", content.clone().into_bytes()),
        ("gzip", gzip(content.as_bytes())),
        ("members", [gzip(two.0), gzip(two.1)].concat()),
        ("xz", xz(content.as_bytes())),
        ("streams", [xz(two.0), xz(two.1)].concat()),
    ] {
        fixture.write(&format!("{LOGS}/{name}"), &bytes);
        let end = tail(&fixture.root(), &a000(), LogFolder::Jobs, name, 3).expect("a tail");
        assert_eq!(
            end.lines,
            ["line 4997 é", "line 4998 é", "line 4999 é"],
            "{name}"
        );
        assert!(end.truncated);
        let all = tail(&fixture.root(), &a000(), LogFolder::Jobs, name, 9000).expect("a tail");
        assert_eq!((all.lines.len(), all.truncated), (5000, false), "{name}");
        let limits = TailLimits {
            max_window: 40,
            ..TailLimits::default()
        };
        let end = tail_within(
            &fixture.root(),
            &a000(),
            LogFolder::Jobs,
            name,
            9000,
            &limits,
        )
        .expect("a tail");
        assert!(
            end.truncated && end.lines.len() < 5,
            "{name}: {:?}",
            end.lines
        );
    }
    fixture.write(&format!("{LOGS}/empty"), b"");
    assert_eq!(
        tail(&fixture.root(), &a000(), LogFolder::Jobs, "empty", 3)
            .expect("a tail")
            .lines,
        [""; 0]
    );
    fixture.write(&format!("{LOGS}/odd"), b"\xff\xfe\n\nno end");
    let odd = tail(&fixture.root(), &a000(), LogFolder::Jobs, "odd", 3).expect("a tail");
    assert_eq!(odd.lines, ["\u{fffd}\u{fffd}", "", "no end"]);
}

#[test]
fn decompression_bombs_and_damage_are_errors() {
    let fixture = Fixture::new();
    let limits = TailLimits {
        max_decompressed: 1 << 20,
        ..TailLimits::default()
    };
    for (name, bytes) in [
        ("gzip", gzip(&vec![0; 8 << 20])),
        ("xz", xz(&vec![0; 8 << 20])),
    ] {
        fixture.write(&format!("{LOGS}/{name}"), &bytes);
        let error = tail_within(&fixture.root(), &a000(), LogFolder::Jobs, name, 10, &limits)
            .expect_err("too large");
        assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
        fixture.write(&format!("{LOGS}/{name}"), &bytes[..bytes.len() / 2]);
        let error = tail(&fixture.root(), &a000(), LogFolder::Jobs, name, 10).expect_err("damaged");
        assert!(matches!(error, SourceError::Corrupt(_)), "{error}");
    }
}

#[test]
fn only_files_of_the_log_folder_are_read() {
    let fixture = Fixture::new();
    fixture.write("a000/secret", b"secret");
    symlink(
        fixture.path("a000/secret"),
        fixture.path(&format!("{LOGS}/link")),
    )
    .expect("a link");
    fs::create_dir(fixture.path(&format!("{LOGS}/folder"))).expect("a folder");
    for name in [
        "../secret",
        "/etc/passwd",
        "..",
        ".",
        "",
        "link",
        "a/../../secret",
        "x\0y",
    ] {
        let error = tail(&fixture.root(), &a000(), LogFolder::Jobs, name, 10).expect_err("refused");
        assert!(matches!(error, SourceError::Hostile(_)), "{name}: {error}");
    }
    assert!(matches!(
        tail(&fixture.root(), &a000(), LogFolder::Jobs, "folder", 10),
        Err(SourceError::Foreign(_))
    ));
    assert!(matches!(
        tail(&fixture.root(), &a000(), LogFolder::Jobs, "none", 10),
        Err(SourceError::Missing)
    ));
    let pipe = fixture.path(&format!("{LOGS}/pipe"));
    if std::process::Command::new("mkfifo")
        .arg(pipe)
        .status()
        .is_ok_and(|status| status.success())
    {
        assert!(matches!(
            tail(&fixture.root(), &a000(), LogFolder::Jobs, "pipe", 10),
            Err(SourceError::Foreign(_))
        ));
    }
}

#[test]
fn names_of_logs_tell_job_and_stream() {
    for (name, job, stream, whole) in [
        (
            "a000_SIM.20260101000000.out",
            "a000_SIM",
            LogStream::Out,
            true,
        ),
        (
            "a000_S.I.M.20260101000000.err.xz",
            "a000_S.I.M",
            LogStream::Err,
            true,
        ),
        (
            "a000_SIM.20260101000000.out_attempt_12.gz",
            "a000_SIM",
            LogStream::Out,
            false,
        ),
        ("a000_SIM.cmd.err", "a000_SIM", LogStream::Err, false),
        ("a000_SIM.cmd.out.0", "a000_SIM", LogStream::Out, false),
    ] {
        let (of, log) = JobLogName::parse(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(
            (of, log.stream, log.is_whole()),
            (job, stream, whole),
            "{name}"
        );
        assert_eq!(log.name, name);
    }
    for name in [
        "a000_SIM.out",
        ".20260101000000.out",
        "a000_SIM.cmd",
        "a000_SIM.2026x.out",
        "a000_SIM.1.out.0",
        "a000_SIM_STAT_0",
        "a000_SIM.20260101000000.out.bak",
        "",
        ".",
        "..",
        ".cmd.out",
    ] {
        assert_eq!(JobLogName::parse(name), None, "{name}");
    }
}

/// Parts that names of files are made of, good and bad.
fn parts() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "..",
            ".",
            "/",
            "\0",
            "\\",
            "%2e%2e",
            "~",
            "secret",
            "inside",
            "good.out",
            "near",
            "far",
            "loop",
            "20260101_000000_run.log",
            "20260102_000000_run.log",
            "20260103_000000_run.log",
            "_run.log",
            "LOG_a000",
            "ASLOGS",
            "tmp",
            "conf",
            "a000",
            ".xz",
            "-",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever a name is made of, a log is opened or nothing is.
    #[test]
    fn no_name_leads_out_of_the_log_folders(
        names in prop::collection::vec(prop::collection::vec(parts(), 1..5), 64)
    ) {
        let fixture = Fixture::new();
        let own = "a000/tmp/ASLOGS";
        for folder in [own, "a000/tmp/LOG_a000/inside", "b000/tmp/LOG_b000"] {
            fs::create_dir_all(fixture.path(folder)).expect("a folder");
        }
        for (name, content) in [
            ("a000/tmp/LOG_a000/good.out", "log"),
            ("a000/tmp/ASLOGS/good.out", "log"),
            ("a000/tmp/ASLOGS/20260101_000000_run.log", "log"),
            ("a000/tmp/20260102_000000_run.log", "log"),
            ("a000/tmp/LOG_a000/inside/secret", "secret"),
            ("a000/tmp/secret", "secret"),
            ("a000/tmp/good.out", "secret"),
            ("a000/secret", "secret"),
            ("a000/conf/secret", "secret"),
            ("secret", "secret"),
            ("b000/tmp/LOG_b000/secret", "secret"),
        ] {
            fixture.write(name, content.as_bytes());
        }
        for folder in [own, "a000/tmp/LOG_a000"] {
            for (name, target) in [("near", "good.out"), ("far", "../secret"), ("loop", "loop"), ("-", "/etc/passwd")] {
                symlink(target, fixture.path(&format!("{folder}/{name}"))).expect("a link");
            }
        }
        symlink("secret", fixture.path("a000/tmp/20260103_000000_run.log")).expect("a link");
        let mut opened = 0;
        let fixed = ["good.out", "near", "20260102_000000_run.log"].map(str::to_owned);
        for name in names.iter().map(|parts| parts.concat()).chain(fixed) {
            for folder in [LogFolder::Jobs, LogFolder::Autosubmit] {
                if let Ok(mut log) = open_log(&fixture.root(), &a000(), folder, &name) {
                    let mut content = String::new();
                    log.file.read_to_string(&mut content).expect("text");
                    prop_assert_eq!(content, "log", "{}", name);
                    opened += 1;
                }
            }
        }
        prop_assert!(opened >= 5, "{}", opened);
    }

    #[test]
    fn any_name_is_that_of_a_log_or_not(name in "(a000_[A-Z.]{0,4})?(\\.[0-9]{0,15}|\\.cmd)?(\\.(out|err))?(_attempt_[0-9]{0,2}|\\.[0-9])?(\\.(gz|xz))?|\\PC{0,12}") {
        if let Some((job, log)) = JobLogName::parse(&name) {
            prop_assert!(!job.is_empty() && name.starts_with(job));
            prop_assert_eq!(&log.name, &name);
        }
    }
}

#[test]
fn autosubmit_4_merges_its_files() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.path("a000/proj/model/conf")).expect("a folder");
    fixture.write(
        "a000/conf/minimal.yml",
        b"default: {EXPID: zzzz, HPCARCH: mn5, CUSTOM_CONFIG: {PRE: '%PROJDIR%/conf', POST: ['%ROOTDIR%/last.yml', /etc/passwd]}}
project: {project_type: Git, PROJECT_DESTINATION: model}
GIT: {PROJECT_ORIGIN: 'https://example.org/%DEFAULT.EXPID%.git', PROJECT_BRANCH: main}
jobs:
  sim: &sim {PROCESSORS: 96, wallclock: '02:00:00', QUEUE: '%HPCQUEUE%'}
  post: {<<: *sim, platform: local, PROCESSORS: 1}
  plan: !rrule {PROCESSORS: !int '3', DEPENDENCIES: !list [a, b]}
",
    );
    fixture.write(
        "a000/conf/as_misc.yml",
        b"AS_MISC: true\nJOBS: {MISC: {PROCESSORS: 1}}\n",
    );
    fixture.write(
        "a000/conf/version.yml",
        b"CONFIG: {AUTOSUBMIT_VERSION: 4.1.17}\nHPCARCH: dropped\n",
    );
    fixture.write(
        "a000/proj/model/conf/a.yml",
        b"PLATFORMS: {Mn5: {QUEUE: gp, SERIAL_QUEUE: one, MAX_WALLCLOCK: 48:00, PROCESSORS_PER_NODE: 48, CF: '357'}}\n",
    );
    fixture.write(
        "a000/proj/model/conf/b.yml",
        b"JOBS: {SIM: {PROCESSORS: 1, TASKS: 24}}\n",
    );
    fixture.write(
        "a000/last.yml",
        b"EXPERIMENT: {CHUNKSIZEUNIT: Month, CHUNKSIZE: 4}\nJOBS: {SIM: {TASKS: 12}}\n",
    );
    fs::create_dir(fixture.path("a000/conf/metadata")).expect("a folder");
    fixture.write(
        "a000/conf/metadata/experiment_data.yml",
        b"AUTOSUBMIT: {WORKFLOW_COMMIT: abc}\nJOBS: {SIM: {TASKS: 7, NODES: 3}, LOOP_A: {PROCESSORS: 5}}\n",
    );
    let config = read_config(&fixture.root(), &a000()).expect("a configuration");
    assert_eq!(config.form, ConfigForm::As4);
    assert_eq!(config.version.as_deref(), Some("4.1.17"));
    assert_eq!(config.hpc.as_deref(), Some("MN5"));
    assert_eq!(
        (config.chunk_unit.as_deref(), config.chunk_size),
        (Some("month"), 4)
    );
    assert_eq!(
        config.model.as_deref(),
        Some("https://example.org/zzzz.git")
    );
    assert_eq!(config.workflow_commit.as_deref(), Some("abc"));
    assert_eq!(
        config.sections.keys().collect::<Vec<_>>(),
        ["LOOP_A", "PLAN", "POST", "SIM"]
    );
    assert_eq!(config.problems.len(), 1, "{:?}", config.problems);
    assert!(config.problems[0].message.contains("/etc/passwd"));
    assert_eq!(config.files.len(), 7, "{:?}", config.files);

    let sim = config.resolve("SIM").expect("a section");
    assert_eq!(
        (
            sim.processors.as_str(),
            sim.tasks.as_deref(),
            sim.nodes.as_deref()
        ),
        ("1", Some("12"), Some("3"))
    );
    assert_eq!(
        (sim.queue.as_deref(), sim.wallclock.as_deref()),
        (Some("gp"), Some("02:00"))
    );
    assert_eq!(
        (sim.platform.as_deref(), sim.processing_elements()),
        (Some("MN5"), 144)
    );
    let plan = config.resolve("plan").expect("a section");
    assert_eq!(
        (plan.processors.as_str(), plan.wallclock.as_deref()),
        ("3", Some("48:00"))
    );
    let post = config.resolve("POST").expect("a section");
    assert_eq!(
        (post.platform.as_deref(), post.wallclock.as_deref()),
        (Some("LOCAL"), Some("02:00"))
    );
    assert_eq!(config.resolve("LOOP_B"), None);
}

#[test]
fn a_broken_file_is_a_problem_and_the_saved_configuration_helps() {
    let fixture = Fixture::new();
    fixture.write("a000/conf/jobs.yml", b"JOBS: {SIM: [\n");
    fixture.write("a000/conf/large.yml", &vec![b'#'; 5 << 20]);
    fs::create_dir(fixture.path("a000/conf/metadata")).expect("a folder");
    fixture.write(
        "a000/conf/metadata/experiment_data.yml",
        b"JOBS: {POST: {PROCESSORS: 2}}\n",
    );
    let config = read_config(&fixture.root(), &a000()).expect("a configuration");
    assert_eq!(config.sections.len(), 2);
    let sources: Vec<_> = config
        .problems
        .iter()
        .map(|problem| problem.source.as_str())
        .collect();
    assert_eq!(sources, ["a000/conf/jobs.yml", "a000/conf/large.yml"]);
    assert!(config.problems[1].message.contains("too large"));
    assert_eq!(fixture.read().problems, config.problems);
}

#[test]
fn yaml_bombs_are_refused() {
    let fixture = Fixture::new();
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let line = format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 9].join(", ")
        );
        laughs.push_str(&line);
    }
    let deep = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(50_000),
        vec!["*a"; 5000].join(", ")
    );
    let blocks = format!("a: {}x", "- ".repeat(100_000));
    let keys = format!("{}x", "? ".repeat(100_000));
    for bomb in [laughs, deep, long, blocks, keys] {
        fixture.write("a000/conf/minimal.yml", bomb.as_bytes());
        let record = fixture.read();
        assert!(record.config.present().is_none());
        assert_eq!(record.problems.len(), 1);
        assert_eq!(record.problems[0].source, "a000/conf/minimal.yml");
    }
}

#[test]
fn autosubmit_3_reads_its_ini_files() {
    let fixture = Fixture::new();
    fixture.write(
        "a000/conf/expdef_a000.conf",
        b"[DEFAULT]\nEXPID = a000\nHPCARCH = marenostrum4\n[experiment]\n# comment\nCHUNKSIZEUNIT = Month\nCHUNKSIZE = 3\n\
          [project]\nPROJECT_TYPE = git\n[git]\nPROJECT_ORIGIN = https://example.org/model.git\nPROJECT_BRANCH =\n",
    );
    fixture.write(
        "a000/conf/jobs_a000.conf",
        b"[SIM]\nWALLCLOCK = 1:30\nPROCESSORS = 37:10\nDEPENDENCIES = INI\n  SIM-1\n[POST]\nPLATFORM: local\nQUEUE =\n",
    );
    fixture.write(
        "a000/conf/platforms_a000.conf",
        b"[marenostrum4]\nQUEUE = bsc_es\nMAX_WALLCLOCK = 48:00\n[local]\nSERIAL_QUEUE = s\nQUEUE = q\n",
    );
    let config = read_config(&fixture.root(), &a000()).expect("a configuration");
    assert_eq!(config.form, ConfigForm::As3);
    assert_eq!(config.hpc.as_deref(), Some("marenostrum4"));
    assert_eq!(
        (config.chunk_unit.as_deref(), config.chunk_size),
        (Some("month"), 3)
    );
    assert_eq!(config.branch.as_deref(), Some("master"));
    let sim = config.resolve("SIM").expect("a section");
    assert_eq!(
        (sim.processor_count(), sim.queue.as_deref()),
        (72 + 36, Some("bsc_es"))
    );
    let post = config.resolve("POST").expect("a section");
    assert_eq!(
        (post.processors.as_str(), post.queue.as_deref()),
        ("1", Some("s"))
    );
    // autosubmit_a000.conf is missing.
    assert_eq!(config.problems.len(), 1);
}

#[test]
fn derived_numbers() {
    assert_eq!(
        ["16", " 8 ", "", "x", "-1", "36:1", "1:x", ":"].map(processor_count),
        [16, 8, 0, 0, 0, 72, 0, 0]
    );
    assert_eq!(processor_count("99999999999999999999999"), 0);
    assert_eq!(processor_count("18446744073709551615:1"), u64::MAX);
    assert!((years_per_chunk("month", 6) - 0.5).abs() < 1e-12);
    assert!((years_per_chunk("day", 365) - 1.0).abs() < 1e-12);
    assert!(years_per_chunk("fortnight", 1).abs() < 1e-12);
    let settings = |processors: &str, tasks, nodes, processors_per_node, exclusive| {
        let text = |number: u32| (number > 0).then(|| number.to_string());
        SectionSettings {
            platform: None,
            queue: None,
            wallclock: None,
            processors: processors.into(),
            tasks: text(tasks),
            nodes: text(nodes),
            processors_per_node: text(processors_per_node),
            exclusive,
        }
    };
    for (settings, elements) in [
        (settings("16", 0, 0, 0, false), 16),
        (settings("16", 4, 0, 48, false), 192),
        (settings("16", 0, 0, 48, false), 16),
        (settings("16", 0, 0, 48, true), 48),
        (settings("100", 0, 0, 48, false), 144),
        (settings("16", 0, 2, 48, false), 96),
        (settings("16", 0, 2, 0, false), 16),
    ] {
        assert_eq!(settings.processing_elements(), elements, "{settings:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_configuration_is_read_or_refused(yaml in "\\PC{0,80}", ini in "[\\[\\]=: a-cA-C%\\n]{0,80}") {
        let fixture = Fixture::new();
        fixture.write("a000/conf/minimal.yml", yaml.as_bytes());
        let _ = read_config(&fixture.root(), &a000());
        fixture.write("a000/conf/minimal.yml", format!("DEFAULT: {{HPCARCH: '%HPCARCH%'}}\nJOBS: {{A: {{QUEUE: '{}'}}}}", ini.replace('\n', " ")).as_bytes());
        let _ = read_config(&fixture.root(), &a000());
        fixture.write("a000/conf/expdef_a000.conf", ini.as_bytes());
        let _ = read_config(&fixture.root(), &a000());
    }

    #[test]
    fn only_identifiers_are_identifiers(text in "[a-z0-9./A-Z]{0,6}") {
        let valid = text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        prop_assert_eq!(Expid::parse(&text).is_ok(), valid);
    }
}
