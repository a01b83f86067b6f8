//! Logs as files: whole, in ranges, unpacked, and never anything else.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use labql::demo::autosubmit::{ExperimentSpec, JobListForm};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    Address, Lab, Server,
    client::{PATIENCE, code, get, header, json_of},
    root,
};

on_both_databases!(a_log_is_downloaded_from_its_url, tokens_are_asked_for);

/// A laboratory with one experiment, and the folder of its jobs' logs.
fn laboratory() -> (Lab, PathBuf) {
    let lab = Lab::sqlite();
    let logs = furnish(&lab);
    (lab, logs)
}

fn furnish(lab: &Lab) -> PathBuf {
    let spec = ExperimentSpec::new("a000", JobListForm::Dict);
    root::with(&lab.root(), &[spec]);
    lab.import();
    lab.root().join("a000/tmp/LOG_a000")
}

async fn fetch(server: &Server, path: &str, headers: &[(&str, &str)]) -> Response {
    let token = format!("Bearer {}", server.token());
    let headers = [&[("authorization", token.as_str())], headers].concat();
    get(server, path, &headers).await
}

fn log(name: &str) -> String {
    format!("/files/experiments/a000/logs/{name}")
}

async fn bytes(response: Response) -> Vec<u8> {
    let body = timeout(PATIENCE, response.bytes()).await.expect("in time");
    body.expect("a whole body").to_vec()
}

/// The answer to a path that is sent as it is: clients for HTTP resolve dots.
async fn raw(server: &Server, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a server");
    let token = server.token();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: labql\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    timeout(PATIENCE, read)
        .await
        .expect("in time")
        .expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), answer)
}

async fn a_log_is_downloaded_from_its_url(lab: Lab) {
    let logs = furnish(&lab);
    let server = lab.serve_signed_in().await;
    let query = "{ experiment(expid: \"a000\") { jobs(first: 100) { nodes {
        outLog { name url sizeBytes } errLog { name url sizeBytes }
    } } } }";
    let data = server.data(query, json!({})).await;
    let mut found = 0;
    for job in data["experiment"]["jobs"]["nodes"]
        .as_array()
        .expect("jobs")
    {
        for file in [&job["outLog"], &job["errLog"]] {
            let (Some(name), Some(url)) = (file["name"].as_str(), file["url"].as_str()) else {
                continue;
            };
            let response = fetch(&server, url, &[]).await;
            assert_eq!(response.status(), 200, "{url}");
            let headers = response.headers().clone();
            let stored = fs::read(logs.join(name)).expect("a log");
            assert_eq!(header(&headers, "content-length"), stored.len().to_string());
            let told = file["sizeBytes"].as_f64().map(|bytes| bytes.to_string());
            assert_eq!(told, Some(stored.len().to_string()));
            assert_eq!(header(&headers, "accept-ranges"), "bytes");
            let media = match name.rsplit('.').next() {
                Some("gz") => "application/gzip",
                Some("xz") => "application/x-xz",
                _ => "text/plain; charset=utf-8",
            };
            assert_eq!(header(&headers, "content-type"), media);
            assert_eq!(bytes(response).await, stored);

            let plain = fetch(&server, &format!("{url}?decompress"), &[]).await;
            assert_eq!(plain.status(), 200);
            let text = String::from_utf8(bytes(plain).await).expect("text");
            assert!(
                text.starts_with("[INFO]") || text.starts_with("+ cd"),
                "{text}"
            );
            found += 1;
        }
    }
    assert!(found >= 20, "{found}");

    let own = lab.root().join("a000/tmp/ASLOGS");
    let run_log = root::run_log(&lab.root(), "a000");
    let name = run_log
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let path = format!("/files/experiments/a000/aslogs/{name}");
    let response = fetch(&server, &path, &[]).await;
    assert_eq!(
        bytes(response).await,
        fs::read(own.join(name)).expect("a log")
    );
    // Each route has its own folder.
    assert_eq!(fetch(&server, &log(name), &[]).await.status(), 404);
}

async fn tokens_are_asked_for(mut lab: Lab) {
    let logs = furnish(&lab);
    fs::write(logs.join("x.out"), "abc").expect("a log");
    lab.user("ada", &[]);
    let token = lab.token("ada");
    let server = lab.serve().await;
    let bearer = format!("Bearer {token}");
    let paths = [
        log("x.out"),
        log("none.out"),
        "/files/nothing".into(),
        log("%2e%2e"),
    ];
    for path in &paths {
        for headers in [
            &[][..],
            &[("authorization", "Bearer no")],
            &[("x-api-key", "no")],
            &[("authorization", &bearer), ("x-api-key", "no")],
        ] {
            let response = get(&server, path, headers).await;
            assert_eq!(response.status(), 401, "{path} {headers:?}");
            assert_eq!(header(response.headers(), "www-authenticate"), "Bearer");
            assert_eq!(code(&json_of(response).await), "UNAUTHENTICATED");
        }
    }
    let response = get(&server, &paths[0], &[("authorization", &bearer)]).await;
    assert_eq!(bytes(response).await, b"abc");
    let server = server.signed_in(&token);
    let create = "mutation { createApiKey(input: { label: \"x\" }) { secret } }";
    let key = server.data(create, json!({})).await;
    let key = key["createApiKey"]["secret"].as_str().expect("a key");
    let response = get(&server, &paths[0], &[("x-api-key", key)]).await;
    assert_eq!(bytes(response).await, b"abc");
    drop(server);

    lab.set("LABQL_AUTH__PROTECTION_LEVEL", "WRITEONLY");
    let open = lab.serve().await;
    let response = get(&open, &paths[0], &[]).await;
    assert_eq!(bytes(response).await, b"abc");
    let response = get(&open, &paths[0], &[("x-api-key", "no")]).await;
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn ranges_are_of_the_bytes_as_they_are_stored() {
    let (lab, logs) = laboratory();
    let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(logs.join("x.out"), &content).expect("a log");
    fs::write(logs.join("empty.out"), "").expect("a log");
    let server = lab.serve_signed_in().await;
    let size = content.len();
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=1-70000", 1, 70_000),
        ("bytes=799990-", 799_990, size - 1),
        ("bytes=-7", size - 7, size - 1),
        ("bytes=5-99999999999999999999", 5, size - 1),
    ] {
        // A client that could read compressed bytes gets those that it asked for.
        let headers = [("range", range), ("accept-encoding", "gzip, br")];
        let response = fetch(&server, &log("x.out"), &headers).await;
        assert_eq!(response.status(), 206, "{range}");
        let headers = response.headers().clone();
        let told = format!("bytes {first}-{last}/{size}");
        assert_eq!(header(&headers, "content-range"), told);
        assert_eq!(header(&headers, "content-encoding"), "");
        assert_eq!(
            header(&headers, "content-length"),
            (last - first + 1).to_string()
        );
        assert_eq!(bytes(response).await, content[first..=last], "{range}");
    }
    for range in ["bytes=800000-", "bytes=-0", "bytes=99999999999999999999-"] {
        let response = fetch(&server, &log("x.out"), &[("range", range)]).await;
        assert_eq!(response.status(), 416, "{range}");
        assert_eq!(
            header(response.headers(), "content-range"),
            format!("bytes */{size}")
        );
        assert_eq!(code(&json_of(response).await), "BAD_INPUT");
    }
    for range in ["bytes=3-1", "bytes=0-1,5-6", "bytes=x", "lines=1-2", ""] {
        let response = fetch(&server, &log("x.out"), &[("range", range)]).await;
        assert_eq!(response.status(), 200, "{range}");
        assert_eq!(bytes(response).await.len(), size);
    }
    assert_eq!(fetch(&server, &log("empty.out"), &[]).await.status(), 200);
    let response = fetch(&server, &log("empty.out"), &[("range", "bytes=0-")]).await;
    assert_eq!(response.status(), 416);

    // What a client has begun to read it goes on with, as long as it is the same.
    let response = fetch(&server, &log("x.out"), &[]).await;
    let etag = header(response.headers(), "etag").to_owned();
    assert!(etag.starts_with('"'), "{etag}");
    let same = [("range", "bytes=0-9"), ("if-range", etag.as_str())];
    assert_eq!(fetch(&server, &log("x.out"), &same).await.status(), 206);
    let known = [("if-none-match", etag.as_str())];
    let response = fetch(&server, &log("x.out"), &known).await;
    assert_eq!(response.status(), 304);
    assert_eq!(header(response.headers(), "etag"), etag);
    let mut file = File::options()
        .append(true)
        .open(logs.join("x.out"))
        .expect("a log");
    file.write_all(b"more").expect("written");
    assert_eq!(fetch(&server, &log("x.out"), &same).await.status(), 200);
    assert_eq!(fetch(&server, &log("x.out"), &known).await.status(), 200);
    let mine = [("if-match", etag.as_str())];
    let response = fetch(&server, &log("x.out"), &mine).await;
    assert_eq!(response.status(), 412);
    for time in ["Sun, 22 Nov 2026 05:46:15 GMT", "W/\"x\""] {
        let headers = [("range", "bytes=0-9"), ("if-range", time)];
        assert_eq!(fetch(&server, &log("x.out"), &headers).await.status(), 200);
    }
}

#[tokio::test]
async fn nothing_else_is_served() {
    let (lab, logs) = laboratory();
    let root = lab.root();
    fs::write(root.join("secret"), "secret").expect("a file");
    fs::write(root.join("a000/tmp/secret"), "secret").expect("a file");
    fs::create_dir(logs.join("folder")).expect("a folder");
    fs::write(logs.join("folder/inside.out"), "secret").expect("a file");
    fs::write(logs.join("a b%2e?#\"é.out"), "mine").expect("a log");
    fs::write(logs.join("real.out"), "mine").expect("a log");
    symlink("real.out", logs.join("near.out")).expect("a link");
    symlink("../secret", logs.join("out.out")).expect("a link");
    symlink("/etc/passwd", logs.join("far.out")).expect("a link");
    symlink("../../../secret", logs.join("root.out")).expect("a link");
    symlink("loop.out", logs.join("loop.out")).expect("a link");
    symlink("/dev/zero", logs.join("zero.out")).expect("a link");
    nix::unistd::mkfifo(&logs.join("pipe.out"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let server = lab.serve_signed_in().await;

    let odd = "a%20b%252e%3F%23%22%C3%A9.out";
    for good in [odd, "near.out", "real.out"] {
        let response = fetch(&server, &log(good), &[]).await;
        assert_eq!(response.status(), 200, "{good}");
        assert_eq!(bytes(response).await, b"mine");
    }
    let place = root.to_str().expect("UTF-8");
    let long = "x".repeat(300);
    for (names, status) in [
        (
            &[
                "out.out",
                "far.out",
                "root.out",
                "loop.out",
                "zero.out",
                "pipe.out",
                "folder",
                "none.out",
                "...",
                "..%5C..%5Csecret",
                "%252e%252e%252fsecret",
                "~root",
                "-rf",
                &long,
            ][..],
            404,
        ),
        (
            &[
                "..",
                ".",
                "%2e%2e",
                "%2E",
                "..%2f..%2fsecret",
                "..%2F..%2F..%2Fsecret",
                "%2Fetc%2Fpasswd",
                "folder%2Finside.out",
                "real.out%00",
                "%00",
                "%ff%fe",
                "%c0%ae%c0%ae",
            ],
            400,
        ),
    ] {
        for name in names {
            for route in ["logs", "aslogs"] {
                let path = format!("/files/experiments/a000/{route}/{name}");
                let (got, answer) = raw(&server, &path).await;
                assert_eq!(got, status, "{path}: {answer}");
                let body = answer.split("\r\n\r\n").nth(1).expect("a body");
                let error: Value = serde_json::from_str(body).expect("JSON");
                let expected = if status == 400 {
                    "BAD_INPUT"
                } else {
                    "NOT_FOUND"
                };
                assert_eq!(code(&error), expected, "{path}");
                assert!(
                    !answer.contains(place) && !answer.contains("secret\n"),
                    "{answer}"
                );
            }
        }
    }
    for path in [
        "/files/experiments/a000/logs/../../secret",
        "/files/experiments/../logs/secret",
        "/files/experiments/..%2f/logs/secret",
        "/files/experiments/a001/logs/real.out",
        "/files/experiments/A000/logs/real.out",
        "/files/experiments/a000%00/logs/real.out",
        "/files/experiments/a000/conf/real.out",
        "/files/experiments/a000/logs/folder/inside.out",
        "/files/a000",
    ] {
        let (status, answer) = raw(&server, path).await;
        assert!(matches!(status, 400 | 404), "{path}: {answer}");
        assert!(answer.contains("\"errors\""), "{path}: {answer}");
    }
}

#[tokio::test]
async fn what_is_damaged_ends_in_an_error() {
    let (lab, logs) = laboratory();
    let text: String = (0..400_000).map(|line| format!("line {line}\n")).collect();
    let pack = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        #[allow(clippy::single_match_else, reason = "one arm a form of compression")]
        let packed = match name.rsplit('.').next() {
            Some("gz") => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(text.as_bytes()).expect("packed");
                encoder.finish().expect("packed")
            }
            _ => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(text.as_bytes()).expect("packed");
                encoder.finish().expect("packed")
            }
        };
        let mut packed = packed;
        change(&mut packed);
        fs::write(logs.join(name), packed).expect("a log");
    };
    for end in ["gz", "xz"] {
        pack(&format!("good.out.{end}"), &|_| {});
        pack(&format!("cut.out.{end}"), &|packed| {
            packed.truncate(packed.len() * 9 / 10);
        });
        pack(&format!("bad.out.{end}"), &|packed| {
            let middle = packed.len() * 9 / 10;
            packed[middle..middle + 64].fill(0x55);
        });
        pack(&format!("head.out.{end}"), &|packed| packed[8..].fill(0xff));
    }
    let server = lab.serve_signed_in().await;
    for end in ["gz", "xz"] {
        let good = fetch(&server, &log(&format!("good.out.{end}?decompress")), &[]).await;
        assert_eq!(header(good.headers(), "accept-ranges"), "none");
        assert_eq!(
            header(good.headers(), "content-type"),
            "text/plain; charset=utf-8"
        );
        let name = header(good.headers(), "content-disposition");
        assert_eq!(name, "attachment; filename*=UTF-8''good.out");
        assert_eq!(bytes(good).await, text.as_bytes());
        // There are no ranges of what is unpacked.
        let path = log(&format!("good.out.{end}?decompress=true"));
        let whole = fetch(&server, &path, &[("range", "bytes=0-9")]).await;
        assert_eq!(whole.status(), 200);
        assert_eq!(bytes(whole).await.len(), text.len());
        // As it is stored it is nobody's business whether it is damaged.
        let stored = fetch(&server, &log(&format!("cut.out.{end}")), &[]).await;
        let length = fs::metadata(logs.join(format!("cut.out.{end}")))
            .expect("a log")
            .len();
        assert_eq!(bytes(stored).await.len() as u64, length);

        for kind in ["cut", "bad"] {
            let path = log(&format!("{kind}.out.{end}?decompress"));
            let response = fetch(&server, &path, &[]).await;
            assert_eq!(response.status(), 200, "{path}");
            let body = timeout(PATIENCE, response.bytes()).await.expect("in time");
            assert!(body.is_err(), "{path}: a part was taken for the whole");
        }
        let path = log(&format!("head.out.{end}?decompress"));
        let response = fetch(&server, &path, &[]).await;
        assert_eq!(response.status(), 502, "{path}");
        assert_eq!(code(&json_of(response).await), "SOURCE_BROKEN");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// The most memory that the server has held so far, in bytes.
fn most_memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .expect("a line")
        .trim()
        .parse::<u64>()
        .expect("a number")
        * 1024
}

#[tokio::test]
async fn five_gigabytes_cost_no_memory() {
    const SIZE: u64 = 5 << 30;
    let (lab, logs) = laboratory();
    let mut file = File::create(logs.join("huge.out")).expect("a log");
    file.set_len(SIZE - 4).expect("a sparse file");
    append(&mut file, b"end\n");
    let server = lab.serve_signed_in().await;
    let client = crate::support::client::http();
    let head = client
        .head(server.url(&log("huge.out")))
        .bearer_auth(server.token())
        .header("range", "bytes=0-9");
    let head = head.send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    assert_eq!(header(head.headers(), "content-length"), SIZE.to_string());
    assert_eq!(header(head.headers(), "accept-ranges"), "bytes");

    let before = most_memory(&server);
    let tail = fetch(&server, &log("huge.out"), &[("range", "bytes=-4")]).await;
    let told = format!("bytes {}-{}/{SIZE}", SIZE - 4, SIZE - 1);
    assert_eq!(header(tail.headers(), "content-range"), told);
    assert_eq!(bytes(tail).await, b"end\n");
    // A client that does not read, and one that reads a good part and goes away.
    let idle = fetch(&server, &log("huge.out"), &[]).await;
    let mut response = fetch(&server, &log("huge.out"), &[]).await;
    let mut taken = 0;
    while taken < 256 << 20 {
        let chunk = timeout(PATIENCE, response.chunk()).await.expect("in time");
        taken += chunk.expect("a piece").expect("a piece").len();
    }
    drop((idle, response));
    let grown = most_memory(&server).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
}

fn append(file: &mut File, bytes: &[u8]) {
    use std::io::Seek as _;
    file.seek(std::io::SeekFrom::End(0)).expect("the end");
    file.write_all(bytes).expect("written");
}

/// A file that shrinks while it is sent must not look whole.
#[tokio::test]
async fn a_file_that_is_cut_meanwhile_breaks_off() {
    let (lab, logs) = laboratory();
    let path: &Path = &logs.join("cut.out");
    let file = File::create(path).expect("a log");
    file.set_len(1 << 30).expect("a sparse file");
    let server = lab.serve_signed_in().await;
    let mut response = fetch(&server, &log("cut.out"), &[]).await;
    timeout(PATIENCE, response.chunk())
        .await
        .expect("in time")
        .expect("a piece");
    file.set_len(1 << 20).expect("a shorter file");
    let rest = async {
        loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    };
    assert!(
        timeout(PATIENCE, rest).await.expect("in time"),
        "it looked whole"
    );
}
