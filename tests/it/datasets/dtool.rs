//! dtool itself makes datasets, in a folder and in a bucket of a server that speaks S3, and the readers agree with it.
//!
//! They come from `tests/outside/python/dtool.txt`: `scripts/setup-test.sh` puts them beside what was built.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use labql::datasets::readers::{
    BaseUri, BucketSettings, DatasetUri, Part, ReadError, Reading, StorageSettings, Store,
};
use serde_json::Value;

use super::expected::check;
use super::fixture::{Fixture, list, read};

pub const BUCKET: &str = "lab";

/// A Python that has dtool, after saying so if there is none.
pub fn python() -> Option<OsString> {
    let python = std::env::var_os("LABQL_TEST_PYTHON").unwrap_or_else(|| {
        let built = Path::new(env!("CARGO_BIN_EXE_labql")).ancestors().nth(2);
        let built = built.expect("the target folder");
        built.join("venv-dtool/bin/python").into()
    });
    if Path::new(&python).exists() {
        return Some(python);
    }
    println!("skipped: no dtool at {}", python.display());
    None
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/python/dtool_datasets.py")
}

/// Makes datasets below a base URI, and tells what dtool reads of them.
pub fn make(python: &OsString, base_uri: &str, endpoint: Option<&str>, prefix: &str) -> Vec<Value> {
    let script = script();
    let arguments = [script.as_os_str(), base_uri.as_ref()];
    run(python, &arguments, endpoint, prefix)
}

/// Runs Python, which reaches the bucket; answers with the JSON that it prints.
pub fn run(
    python: &OsString,
    arguments: &[&OsStr],
    endpoint: Option<&str>,
    prefix: &str,
) -> Vec<Value> {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python);
    command.args(arguments).env("HOME", home.path());
    if let Some(endpoint) = endpoint {
        command
            .env(format!("DTOOL_S3_ENDPOINT_{BUCKET}"), endpoint)
            .env(format!("DTOOL_S3_ACCESS_KEY_ID_{BUCKET}"), "key")
            .env(format!("DTOOL_S3_SECRET_ACCESS_KEY_{BUCKET}"), "secret")
            .env(format!("DTOOL_S3_DATASET_PREFIX_{BUCKET}"), prefix)
            .env("AWS_DEFAULT_REGION", "us-east-1");
    }
    let done = command.output().expect("Python");
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{error}");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// The server of moto; ends with the test.
pub struct S3 {
    process: Child,
    pub endpoint: String,
}

impl S3 {
    pub fn start(python: &OsString) -> Self {
        let mut process = Command::new(python)
            .args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            // It tells of events, on this machine alone.
            .env("NO_PROXY", "*")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server");
        let said = BufReader::new(process.stderr.take().expect("what it says"));
        let mut lines = said.lines().map_while(Result::ok);
        let endpoint = lines
            .find_map(|line| {
                let address = line.split("Running on ").nth(1)?;
                Some(address.trim().to_owned())
            })
            .expect("an address");
        // The rest of what it says must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, endpoint }
    }

    fn store(&self, keys: bool) -> Store {
        let mut settings = StorageSettings::default();
        let bucket = BucketSettings {
            endpoint: Some(self.endpoint.clone()),
            access_key_id: keys.then(|| "key".into()),
            secret_access_key: keys.then(|| "secret".to_owned().into()),
            anonymous: !keys,
            ..BucketSettings::default()
        };
        settings.buckets.insert("*".into(), bucket);
        let base = BaseUri::parse(&format!("s3://{BUCKET}")).expect("a base URI");
        Store::open(&base, &settings).expect("a store")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Lists, reads and compares; what dtool tells of the host of a folder is not compared.
async fn agree(store: &Store, told: &[Value]) -> Vec<Reading> {
    let (names, problems) = list(store).await;
    assert_eq!(problems, []);
    assert_eq!(names.len(), told.len());
    let mut readings = Vec::new();
    for told in told {
        let uri = told["uri"].as_str().expect("a URI");
        let (_, name) = uri.rsplit_once('/').expect("a name");
        let reading = read(store, name).await.expect("a dataset");
        assert_eq!(reading.problems, []);
        let mut told = told.clone();
        told["uri"] = reading.document.uri.clone().into();
        told["base_uri"] = store.base().as_str().into();
        check(&reading.document, &told);
        readings.push(reading);
    }
    readings
}

/// The items of a dataset, as anybody gets them: as files, or by signed URLs.
async fn content(store: &Store, reading: &Reading) -> Vec<(String, Vec<u8>)> {
    let name = reading.document.uri.rsplit('/').next().expect("a name");
    let uri = store.dataset(name).expect("a URI");
    let manifest = reading.document.manifest.as_ref().expect("a manifest");
    let mut content = Vec::new();
    for item in &manifest.items {
        let bytes = match store.item_file(&uri, &item.relpath).await.expect("an item") {
            Some(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).expect("its bytes");
                bytes
            }
            None => fetched(store, &uri, &item.identifier).await,
        };
        content.push((item.relpath.clone(), bytes));
    }
    content
}

async fn fetched(store: &Store, uri: &DatasetUri, identifier: &str) -> Vec<u8> {
    let parts = [Part::Item(identifier)];
    let signed = store.signed_urls(uri, &parts, Duration::from_mins(1)).await;
    let [signed] = &signed.expect("signed").expect("URLs")[..] else {
        panic!("not one");
    };
    assert!(signed.contains("X-Amz-Signature="), "{signed}");
    let answer = crate::support::client::http().get(signed).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.bytes().await.expect("its bytes").to_vec()
}

fn named<'r>(readings: &'r [Reading], name: &str) -> &'r Reading {
    let found = readings
        .iter()
        .find(|reading| reading.document.name == name);
    found.expect("a dataset of this name")
}

#[tokio::test]
async fn folders_of_dtool_are_read_as_dtool_reads_them() {
    let Some(python) = python() else { return };
    let fixture = Fixture::new();
    let told = make(&python, &fixture.uri(), None, "");
    assert_eq!(told.len(), 4);
    let store = fixture.store();
    let readings = agree(&store, &told).await;
    for (relpath, bytes) in content(&store, named(&readings, "from-the-library")).await {
        assert_eq!(bytes, relpath.as_bytes());
    }
    // Nothing has changed since.
    for reading in readings {
        let uri = store.dataset(&reading.document.name).expect("a URI");
        let survey = store.survey(&uri).await.expect("a dataset");
        assert_eq!(survey.fingerprint(), reading.fingerprint);
    }
}

#[tokio::test]
async fn buckets_of_dtool_are_read_as_dtool_reads_them() {
    let Some(python) = python() else { return };
    let server = S3::start(&python);
    let uri = format!("s3://{BUCKET}");
    let mut told = make(&python, &uri, Some(&server.endpoint), "");
    let seen: Vec<String> = told.iter().map(|told| told["uri"].to_string()).collect();
    // The second time with a prefix in front of keys; the first datasets are told of again.
    let again = make(&python, &uri, Some(&server.endpoint), "u/ada/");
    told.extend(
        again
            .into_iter()
            .filter(|told| !seen.contains(&told["uri"].to_string())),
    );
    assert_eq!(told.len(), 6);
    let store = server.store(true);
    let readings = agree(&store, &told).await;
    let reading = named(&readings, "from-the-library");
    for (relpath, bytes) in content(&store, reading).await {
        assert_eq!(bytes, relpath.as_bytes());
    }
    let name = reading.document.uri.rsplit('/').next().expect("a UUID");
    let uri = store.dataset(name).expect("a URI");
    let survey = store.survey(&uri).await.expect("a dataset");
    assert_eq!(survey.fingerprint(), reading.fingerprint);
    let missing = store
        .dataset("00000000-0000-4000-8000-000000000000")
        .expect("a URI");
    let problem = store.survey(&missing).await.expect_err("no dataset");
    assert_eq!(problem.message, "there is no dataset");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_a_problem() {
    let Some(python) = python() else { return };
    let server = S3::start(&python);
    let (names, problems) = list(&server.store(false)).await;
    assert!(names.is_empty());
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].source, "s3://lab");
    drop(server);
    assert!(ReadError::Unavailable(String::new()).is_transient());
}
