//! The paths at which files are served.

use std::fmt::Write as _;

/// The route of the logs of jobs.
pub const JOB_LOG: &str = "/files/experiments/{expid}/logs/{name}";
/// The route of the logs of Autosubmit itself.
pub const AUTOSUBMIT_LOG: &str = "/files/experiments/{expid}/aslogs/{name}";

/// The route of the items of datasets, by the global ids of these: those hold no slash, which many proxies decode.
pub const DATASET_ITEM: &str = "/files/datasets/{dataset}/items/{identifier}";

/// The route to which files for runs are brought.
pub const UPLOADS: &str = "/files/uploads";
/// The route of such a file, by its key.
pub const UPLOAD: &str = "/files/uploads/{key}";
/// The route of the files that runs give, by the numbers of the runs. Their names may have slashes.
pub const RUN_RESULT: &str = "/files/runs/{run}/results/{*name}";
/// The route of all files of a run in one.
pub const RUN_ARCHIVE: &str = "/files/runs/{run}/archive";

/// The route at which storage tells of changes in buckets.
pub const S3_NOTIFICATIONS: &str = "/hooks/datasets/s3";

/// The route of the focal plane as it is now, as the clients of the HETDEX fplaneserver know it.
pub const FPLANE: &str = "/fplane";
/// The same, as others of them ask for it.
pub const FPLANE_SLASH: &str = "/fplane/";
/// The route of the focal plane at a date.
pub const FPLANE_AT: &str = "/fplane/{date}";

/// The path of a file on a route.
pub fn path(route: &str, expid: &str, name: &str) -> String {
    route
        .replace("{expid}", &segment(expid))
        .replace("{name}", &segment(name))
}

/// The path of an item of the dataset with this global id.
pub fn item(dataset: &str, identifier: &str) -> String {
    DATASET_ITEM
        .replace("{dataset}", &segment(dataset))
        .replace("{identifier}", &segment(identifier))
}

/// The path of an upload with this key.
pub fn upload(key: &str) -> String {
    UPLOAD.replace("{key}", &segment(key))
}

/// The path of a file of the run with this number.
pub fn run_result(run: i64, name: &str) -> String {
    let names: Vec<String> = name.split('/').map(segment).collect();
    // Clients resolve names such as `..`, and proxies make one slash of two: those stay as they are within one segment.
    let is_plain = !name.split('/').any(|name| matches!(name, "" | "." | ".."));
    let name = if is_plain {
        names.join("/")
    } else {
        segment(name)
    };
    RUN_RESULT
        .replace("{run}", &run.to_string())
        .replace("{*name}", &name)
}

/// The path of all files of the run with this number.
pub fn run_archive(run: i64) -> String {
    RUN_ARCHIVE.replace("{run}", &run.to_string())
}

/// A name as a segment of a path: all but unreserved characters (RFC 3986, 2.3) is percent-encoded.
pub fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded() {
        assert_eq!(
            path(JOB_LOG, "a000", "a000_SIM.1.out"),
            "/files/experiments/a000/logs/a000_SIM.1.out"
        );
        assert_eq!(
            run_result(7, "results/a b.csv"),
            "/files/runs/7/results/results/a%20b.csv"
        );
        assert_eq!(run_result(7, "a//b"), "/files/runs/7/results/a%2F%2Fb");
        assert_eq!(segment("a b/%ü{name}"), "a%20b%2F%25%C3%BC%7Bname%7D");
    }
}
