//! A bucket of a server that speaks S3, whose objects a test writes itself.

use serde_json::{Value, json};

use super::dtool::{BUCKET, S3};
use super::fixture::{admin, item, manifest};
use crate::support::Lab;
use crate::support::client::http;

/// The base URI.
pub const BASE: &str = "s3://lab";

/// A bucket, and the server that it is on.
pub struct Bucket {
    pub server: S3,
    client: reqwest::Client,
}

impl Bucket {
    /// An empty bucket that the laboratory may read.
    pub async fn of(lab: &mut Lab, server: S3) -> Self {
        let bucket = Self {
            server,
            client: http(),
        };
        bucket.configure(lab);
        bucket.send(reqwest::Method::PUT, "", String::new()).await;
        bucket
    }

    fn configure(&self, lab: &mut Lab) {
        let endpoint = &self.server.endpoint;
        let keys = r#"access_key_id="key",secret_access_key="secret""#;
        let buckets = format!(r#"{{{BUCKET}={{endpoint="{endpoint}",{keys}}}}}"#);
        lab.set("LABQL_DATASETS__BUCKETS", buckets);
    }

    async fn send(&self, method: reqwest::Method, key: &str, body: String) {
        let url = format!("{}/{BUCKET}/{key}", self.server.endpoint);
        let url = url.trim_end_matches('/');
        let request = self.client.request(method, url).body(body);
        // Whoever shows a signature may change what is there; nobody checks it.
        let signed = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, \
                      SignedHeaders=host, Signature=0";
        let request = request.header("authorization", signed);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{key}: {}", answer.status());
    }

    pub async fn put(&self, key: &str, body: impl Into<String>) {
        self.send(reqwest::Method::PUT, key, body.into()).await;
    }

    pub async fn delete(&self, key: &str) {
        self.send(reqwest::Method::DELETE, key, String::new()).await;
    }

    /// Deletes the bucket, which is empty.
    pub async fn vanish(&self) {
        self.delete("").await;
    }

    /// The objects of a dataset that still grows.
    pub async fn growing(&self, uuid: &str) {
        let mut admin = about(uuid);
        admin["type"] = json!("protodataset");
        admin
            .as_object_mut()
            .expect("an object")
            .remove("frozen_at");
        self.put(&format!("dtool-{uuid}"), "").await;
        self.put(&format!("{uuid}/dtool"), admin.to_string()).await;
    }

    /// The objects of a dataset, in dtool's order: frozen last.
    pub async fn dataset(&self, uuid: &str) {
        self.growing(uuid).await;
        self.put(&format!("{uuid}/README.yml"), "---\nproject: Tests\n")
            .await;
        let content = manifest(item("a.txt")).to_string();
        self.put(&format!("{uuid}/manifest.json"), content).await;
        self.put(&format!("{uuid}/dtool"), about(uuid).to_string())
            .await;
    }

    /// Deletes what [`Self::dataset`] made.
    pub async fn remove(&self, uuid: &str) {
        for name in ["README.yml", "manifest.json", "dtool"] {
            self.delete(&format!("{uuid}/{name}")).await;
        }
        self.delete(&format!("dtool-{uuid}")).await;
    }
}

fn about(uuid: &str) -> Value {
    let mut admin = admin("made-by-hand");
    admin["uuid"] = json!(uuid);
    admin
}

/// What storage says of an object.
pub fn event(name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": name,
        "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": { "bucket": { "name": BUCKET }, "object": { "key": key, "size": 1 } },
    })
}
