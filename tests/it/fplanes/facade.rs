//! The paths of the HETDEX fplaneserver: who has asked it gets from labql what they got, and is told more.

use std::fs;
use std::process::Command;

use labql::fplanes::{model::Position, text};
use serde_json::json;

use super::observatory::{Observatory, file, file_with, generate, message, minutes_ago, unit};
use crate::support::Lab;
use crate::support::client::Address;

on_both_databases!(
    every_form_of_a_date,
    full_or_short_by_design_or_measured,
    what_a_client_has_is_not_sent_again,
    what_is_refused_is_told_as_json,
    who_may_read,
);

/// The midnights of the nights that start on 10 and 15 January 2025, when Texas is six hours behind UT.
const FIRST: &str = "2025-01-11T06:00:00Z";
const SECOND: &str = "2025-01-16T06:00:00Z";

/// What the second plane has otherwise.
const CHANGED: [(&str, &str); 2] = [("013", "321"), ("095", "322")];

/// Two planes, one after the other.
async fn two_planes(observatory: &Observatory) {
    for (text, valid_from) in [(file(), FIRST), (file_with(&CHANGED), SECOND)] {
        let input = json!({ "text": text, "validFrom": valid_from });
        observatory.tell("importFplane", input).await;
    }
}

async fn every_form_of_a_date(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    two_planes(&observatory).await;
    let tag =
        "mutation($input: TagFplaneInput!) { tagFplane(input: $input) { errors { message } } }";
    let input = json!({ "name": "first", "at": "20250110", "frozen": true });
    let tagged = observatory
        .server
        .data(tag, json!({ "input": input }))
        .await;
    assert_eq!(tagged["tagFplane"]["errors"], json!([]));
    let second = file_with(&CHANGED);
    for (paths, expected) in [
        (
            vec![
                "/fplane",
                "/fplane/",
                "/fplane/latest",
                "/fplane/current",
                "/fplane/20250115",
                "/fplane/2025-01-15",
                "/fplane/20250116T06:00:00",
                "/fplane/20250116T06%3A00%3A00",
                "/fplane/2025-01-16T06:00:00",
                "/fplane/2025-01-16T06:00:00.123",
                "/fplane/2025-01-16T06:00:00Z",
                "/fplane/2025-01-16T00:00:00-06:00",
                "/fplane/20260704",
            ],
            &second,
        ),
        (
            vec![
                "/fplane/20250110",
                "/fplane/20250114",
                "/fplane/20250116T05:59:59",
                "/fplane/2025-01-16T05:59:59.999999",
                "/fplane/2025-01-11T06:00:00",
                "/fplane/tag:first",
            ],
            &file(),
        ),
        // Before anything is known there is the boresight, so that whoever skips it does.
        (
            vec!["/fplane/20250109", "/fplane/2025-01-11T05:59:59.999"],
            &text::write(&[], true),
        ),
    ] {
        for path in paths {
            let got = observatory.get(path).await;
            assert_eq!(got.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(got.file(), *expected, "{path}");
        }
    }

    // Each says of which instant it is, and how long it is so.
    for (date, at, from, until) in [
        ("20250109", "2025-01-10T06:00:00Z", "", FIRST),
        ("20250110", FIRST, FIRST, SECOND),
        ("20250114", "2025-01-15T06:00:00Z", FIRST, SECOND),
        ("20250115", SECOND, SECOND, ""),
        // Summer.
        ("20250704", "2025-07-05T05:00:00Z", SECOND, ""),
        (
            "2025-01-15T04:12:33.25",
            "2025-01-15T04:12:33.250Z",
            FIRST,
            SECOND,
        ),
    ] {
        let got = observatory.get(&format!("/fplane/{date}")).await;
        let told = ["at", "valid-from", "valid-until"];
        let told = told.map(|name| got.header(&format!("x-fplane-{name}")));
        assert_eq!(told, [at, from, until], "{date}");
    }
}

async fn full_or_short_by_design_or_measured(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let measured = json!({ "text": "013 -449.5 150.25\n", "validFrom": SECOND });
    observatory.tell("importFplanePositions", measured).await;
    let by_design = generate::slots();
    let mut moved = by_design.clone();
    for slot in &mut moved {
        if slot.ifuslot == "013" {
            slot.position = Position {
                x: -449.5,
                y: 150.25,
            };
        }
    }
    for (query, slots, full) in [
        ("", &by_design, true),
        ("?actual_pos=0&full_fplane=1", &by_design, true),
        ("?actual_pos=1&full_fplane=0", &moved, false),
        ("?actual_pos=1", &moved, true),
        ("?full_fplane=0", &by_design, false),
        ("?full_fplane=False&actual_pos=True", &moved, false),
        ("?actual_pos=yes&full_fplane=off", &moved, false),
        ("?actual_pos=&full_fplane=", &by_design, true),
        ("?somebody=else", &by_design, true),
    ] {
        let expected = text::write(slots, full);
        for path in ["/fplane", "/fplane/", "/fplane/latest", "/fplane/20250115"] {
            let got = observatory.get(&format!("{path}{query}")).await;
            assert_eq!(got.file(), expected, "{path}{query}");
        }
    }
    // Nothing was measured before.
    let got = observatory.get("/fplane/20250114?actual_pos=1").await;
    assert_eq!(got.file(), file());

    // Programs skip six lines, the header and the boresight, and read what is not commented out.
    let short = observatory.get("/fplane?full_fplane=0").await.file();
    let units = short.lines().skip(6).map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(columns.len(), 8, "{line}");
        columns[0]
    });
    let in_use = by_design.iter().filter(|slot| slot.mapping.active);
    let in_use = in_use.map(|slot| slot.ifuslot.as_str());
    // Those of other instruments come last.
    let units_in_use: Vec<&str> = in_use.skip(1).take_while(|slot| *slot != "056").collect();
    assert_eq!(units.collect::<Vec<_>>(), units_in_use);
    for date in ["20240101", "20250110", "20250115", "latest"] {
        for query in ["", "?full_fplane=0", "?actual_pos=1"] {
            let file = observatory.get(&format!("/fplane/{date}{query}")).await;
            let file = file.file();
            let lines: Vec<&str> = file.lines().take(6).collect();
            let (header, boresight) = lines.split_at(5);
            assert!(header.iter().all(|line| line.starts_with("# ")), "{file}");
            assert!(boresight[0].starts_with("000\t"), "{file}");
            assert!(file.ends_with('\n') && file.is_ascii());
        }
    }
}

async fn what_a_client_has_is_not_sent_again(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    two_planes(&observatory).await;
    let latest = observatory.get_with("/fplane", &[]).await;
    let tag = latest.header("etag").to_owned();
    let bare = tag.strip_prefix("W/").expect("a weak tag").to_owned();
    for condition in [
        tag.clone(),
        bare,
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let headers = [("if-none-match", condition.as_str())];
        for path in ["/fplane", "/fplane/latest", "/fplane/20250115"] {
            let got = observatory.get_with(path, &headers).await;
            assert_eq!((got.status, got.text.as_str()), (304, ""), "{condition}");
            assert_eq!(got.header("etag"), tag);
            assert_eq!(got.header("x-fplane-valid-from"), SECOND);
            assert_eq!(got.header("cache-control"), "public, no-cache");
        }
    }
    // Another plane, and another file of the same.
    let headers = [("if-none-match", tag.as_str())];
    for path in ["/fplane/20250114", "/fplane?full_fplane=0"] {
        let got = observatory.get_with(path, &headers).await;
        assert_ne!(got.header("etag"), tag);
        got.file();
    }
    // Nothing was measured: both files are the same.
    let same = observatory.get_with("/fplane?actual_pos=1", &headers).await;
    assert_eq!(same.status, 304);
    // As soon as the plane is another one, the client gets it.
    let told = message(minutes_ago(1), &[unit("013", "399")]);
    observatory.update(&told).await;
    let got = observatory.get_with("/fplane", &headers).await;
    assert_ne!(got.header("etag"), tag);
    assert_eq!(
        got.file(),
        file_with(&[("013", "399"), ("095", CHANGED[1].1)])
    );
}

async fn what_is_refused_is_told_as_json(lab: Lab) {
    let observatory = Observatory::open(lab).await;
    two_planes(&observatory).await;
    for (path, word) in [
        ("/fplane/yesterday", "yesterday"),
        ("/fplane/2025011", "2025011"),
        ("/fplane/20251345", "20251345"),
        ("/fplane/20250230", "20250230"),
        ("/fplane/20250115T25:00:00", "20250115T25:00:00"),
        ("/fplane/tag:", "tag:"),
        ("/fplane/%FF", "date"),
        ("/fplane/latest%00", "date"),
        ("/fplane?actual_pos=2", "actual_pos"),
        ("/fplane/20250115?full_fplane=maybe", "full_fplane"),
    ] {
        let got = observatory.get(path).await;
        assert_eq!(got.header("cache-control"), "no-store");
        let message = got.message(400);
        assert!(message.contains(word), "{path}: {message}");
    }
    let unknown = observatory.get("/fplane/tag:nowhere").await.message(404);
    assert!(unknown.contains("nowhere"), "{unknown}");
}

/// Who has no key is told 401, whose key is not good 403.
async fn who_may_read(mut lab: Lab) {
    lab.set("LABQL_FPLANES__OPEN_FILES", "false");
    let observatory = Observatory::open(lab).await;
    observatory.import(FIRST).await;
    let key = observatory.key().await;
    let good = format!("FPS_API APIKEY={key}");
    for path in ["/fplane", "/fplane/", "/fplane/20250115"] {
        let none = observatory.get_with(path, &[]).await;
        assert!(none.header("www-authenticate").starts_with("FPS_API"));
        assert_eq!(none.header("etag"), "");
        none.message(401);
        for wrong in [
            "FPS_API APIKEY=0123456789abcdef",
            "FPS_API 0123",
            "Basic YTpi",
            "Bearer nothing",
        ] {
            let headers = [("authorization", wrong)];
            observatory.get_with(path, &headers).await.message(403);
        }
        let headers = [("authorization", good.as_str())];
        let got = observatory.get_with(path, &headers).await;
        assert_eq!(got.header("cache-control"), "private, no-cache");
        assert_eq!(got.file(), file());
    }
    // Nor does somebody without a key learn which dates can be read.
    let nothing = observatory.get_with("/fplane/yesterday", &[]).await;
    nothing.message(401);
    // A key that is good no more.
    let keys = "{ viewer { apiKeys { id } } }";
    let keys = observatory.server.data(keys, json!({})).await;
    let revoke = "mutation($i: RevokeApiKeyInput!) { revokeApiKey(input: $i) { errors { code } } }";
    let id = &keys["viewer"]["apiKeys"][0]["id"];
    let revoked = observatory
        .server
        .data(revoke, json!({ "i": { "id": id } }));
    assert_eq!(revoked.await["revokeApiKey"]["errors"], json!([]));
    let headers = [("authorization", good.as_str())];
    observatory.get_with("/fplane", &headers).await.message(403);
}

/// What scripts have: a function that builds the address by hand, asks with `urlopen`, tells code and reason of an error, and
/// saves the text. The defaults of its arguments are those that were published.
const FUNCTION: &str = "
from urllib.error import HTTPError
from urllib.request import urlopen


def get_fplane(filename, datestr='', actpos=False, full=True):
    url = 'HOST/fplane/' + datestr
    url += '?actual_pos=1' if actpos else '?actual_pos=0'
    url += '&full_fplane=1' if full else '&full_fplane=0'
    try:
        response = urlopen(url)
    except HTTPError as error:
        raise Exception('%d %s' % (error.getcode(), error.reason))
    with open(filename, 'w') as file:
        file.write(response.read().decode())
";

/// What scripts do with it.
const CALLS: &str = "
get_fplane('now')
get_fplane('night', '20250114')
get_fplane('instant', '20250116T05:59:59')
get_fplane('observation', '2025-01-16T06:00:00.123')
get_fplane('short', '20250115', True, False)
get_fplane('named', datestr='20250115', actpos=True, full=False)
try:
    get_fplane('never', '20251345')
except Exception as error:
    print(error)
";

/// The Python of a code block of the guide.
fn python_of_the_guide() -> String {
    let guide = include_str!("../../../docs/fplanes.md");
    let block = guide
        .split("```")
        .find_map(|block| block.strip_prefix("python\n"));
    block.expect("Python in the guide").to_owned()
}

#[tokio::test]
async fn the_function_of_the_old_documentation() {
    let observatory = Observatory::open(Lab::sqlite()).await;
    two_planes(&observatory).await;
    let positions = json!({ "text": "013 -449.5 150.25\n", "validFrom": SECOND });
    observatory.tell("importFplanePositions", positions).await;
    let host = observatory.server.url("");
    let guide = python_of_the_guide();
    assert!(guide.contains("https://labql.example.org"), "{guide}");
    for (place, function) in [
        ("old", FUNCTION.replace("HOST", &host)),
        ("guide", guide.replace("https://labql.example.org", &host)),
    ] {
        let folder = observatory.lab.path(place);
        fs::create_dir(&folder).expect("a folder");
        let script = format!("{function}\n{CALLS}");
        let run = Command::new("python3")
            .args(["-c", &script])
            .current_dir(&folder)
            .env("no_proxy", "*")
            .output();
        let Ok(output) = run else {
            println!("skipped: there is no python3");
            return;
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: {errors}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("400"), "{place}: {said}");
        if place == "old" {
            assert_eq!(said, "400 Bad Request\n");
        }
        assert!(!folder.join("never").exists());
        let second = file_with(&CHANGED);
        let short = observatory.get("/fplane?actual_pos=1&full_fplane=0").await;
        let short = short.file();
        assert!(short.contains("-449.500"), "{short}");
        for (name, expected) in [
            ("now", &second),
            ("night", &file()),
            ("instant", &file()),
            ("observation", &second),
            ("short", &short),
            ("named", &short),
        ] {
            let saved = fs::read_to_string(folder.join(name)).expect("a file");
            assert_eq!(saved, *expected, "{place} {name}");
        }
    }
}
