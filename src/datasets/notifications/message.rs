//! Messages of storage that speaks the protocol of S3, in [Amazon's
//! form](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html), which `MinIO` and Ceph use
//! too.
//!
//! | sender | body |
//! | --- | --- |
//! | `MinIO`, Ceph | `{"Records": […]}` |
//! | Amazon's SNS, with or without raw delivery | the same, or as a text in the `Message` of an envelope |
//! | `StorageGRID` | a form whose `Message` is the same |
//!
//! Keys of objects are percent-encoded, by some also their slashes.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::datasets::readers::{BaseUri, DatasetUri};

/// What the name of an event begins with that is about the content of a bucket. Others are passed over; that somebody has
/// read something is one of them, and labql reads.
const CHANGES: [&str; 5] = [
    "ObjectCreated:",
    "ObjectRemoved:",
    "LifecycleExpiration:",
    "ObjectLifecycle:",
    "ObjectSynced:",
];
/// What a bucket tells a dataset by.
const REGISTRATION: &str = "dtool-";
/// Folders of a dataset of which nothing is in the register.
const UNREAD: [&str; 2] = ["data", "fragments"];
/// The length of a UUID with hyphens.
const UUID: usize = 36;

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Events; for one that cannot be read what is wrong with it.
    Events(Vec<Result<Record, String>>),
    /// Whoever opens this URL confirms that labql wants to be told by a topic of SNS.
    Confirmation {
        /// The topic.
        topic: String,
        /// What is to be opened.
        url: String,
    },
    /// A test, or the news that a topic tells nothing any more.
    Nothing,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The bucket.
    pub bucket: BaseUri,
    /// The datasets that the object may belong to: mostly one, none if it can change nothing that is in the register. Where
    /// the prefix of keys holds a UUID too, it is among them.
    pub datasets: Vec<DatasetUri>,
}

/// Reads a message.
///
/// # Errors
/// What is wrong with the message as a whole.
pub fn read(body: &[u8], is_form: bool) -> Result<Message, String> {
    if is_form {
        let mut fields = form_urlencoded::parse(body);
        let message = fields.find(|(name, _)| name == "Message");
        // What is no JSON is a text by which somebody tests.
        let message = message.and_then(|(_, text)| serde_json::from_str(&text).ok());
        return message.map_or(Ok(Message::Nothing), |message| of_json(&message));
    }
    let json: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    match text("Type") {
        Some("Notification") => {
            let message = text("Message").ok_or("Message: it is missing, or no text")?;
            let message: Value = serde_json::from_str(message)
                .map_err(|error| format!("Message: it holds no JSON: {error}"))?;
            of_json(&message)
        }
        Some("SubscriptionConfirmation") => Ok(Message::Confirmation {
            topic: text("TopicArn").unwrap_or_default().to_owned(),
            url: text("SubscribeURL")
                .ok_or("SubscribeURL: it is missing, or no text")?
                .to_owned(),
        }),
        Some("UnsubscribeConfirmation") => Ok(Message::Nothing),
        _ => of_json(&json),
    }
}

fn of_json(json: &Value) -> Result<Message, String> {
    if json.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Message::Nothing);
    }
    let records = json.get("Records").and_then(Value::as_array);
    let records = records.ok_or("Records: it is missing, or no list")?;
    let events = records.iter().enumerate().map(|(place, event)| {
        record(event).map_err(|problem| format!("Records[{place}].{problem}"))
    });
    Ok(Message::Events(events.collect()))
}

fn record(event: &Value) -> Result<Record, String> {
    let text = |path: &str| {
        let found = path
            .split('.')
            .try_fold(event, |value, name| value.get(name));
        let found = found.and_then(Value::as_str);
        found.ok_or_else(|| format!("{path}: it is missing, or no text"))
    };
    let name = text("eventName")?;
    let bucket = decoded(text("s3.bucket.name")?);
    let bucket = BaseUri::parse(&format!("s3://{bucket}"))
        .map_err(|error| format!("s3.bucket.name: the base URI {error}"))?;
    let key = decoded(text("s3.object.key")?);
    let name = name.strip_prefix("s3:").unwrap_or(name);
    let datasets = if CHANGES.iter().any(|change| name.starts_with(change)) {
        datasets(&bucket, &key)
    } else {
        Vec::new()
    };
    Ok(Record { bucket, datasets })
}

/// A UUID and the slashes around it are the same in all encodings, and nothing else is looked at.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The datasets that an object of this key may belong to. Its key is `dtool-UUID`, or has the UUID at the end of a folder:
/// what stands before it is the prefix, whatever it is.
fn datasets(bucket: &BaseUri, key: &str) -> Vec<DatasetUri> {
    let registration = key.strip_prefix(REGISTRATION);
    if let Some(Ok(uri)) = registration.map(|uuid| bucket.dataset(uuid)) {
        return vec![uri];
    }
    let parts: Vec<&str> = key.split('/').collect();
    let mut found = Vec::new();
    for (place, pair) in parts.windows(2).enumerate() {
        let [folder, next] = pair else { continue };
        let uuid = folder.len().checked_sub(UUID);
        let uuid = uuid.and_then(|start| folder.get(start..));
        let is_last = place + 2 == parts.len();
        if let Some(Ok(uri)) = uuid.map(|uuid| bucket.dataset(uuid))
            && (is_last || !UNREAD.contains(next))
        {
            found.push(uri);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const A: &str = "00000000-0000-4000-8000-00000000000a";
    const B: &str = "00000000-0000-4000-8000-00000000000b";

    fn event(name: &str, key: &str) -> Value {
        json!({ "eventName": name, "s3": { "bucket": { "name": "lab" }, "object": { "key": key } } })
    }

    fn uuids(name: &str, key: &str) -> Vec<String> {
        let record = record(&event(name, key)).unwrap();
        assert_eq!(record.bucket.as_str(), "s3://lab");
        let names = record.datasets.iter().map(DatasetUri::name);
        names.map(str::to_owned).collect()
    }

    #[test]
    fn keys_belong_to_datasets() {
        let put = "ObjectCreated:Put";
        for key in [
            format!("dtool-{A}"),
            format!("{A}/dtool"),
            format!("{A}/tags/{B}"),
            format!("u/a%20b/{A}/README.yml"),
            format!("u%2Fada%2F{A}%2Fmanifest.json"),
            format!("prefix-{A}/annotations/x.json"),
            format!("data/{A}/overlays/data.json"),
            format!("{A}/data"),
        ] {
            assert_eq!(uuids(put, &key), [A], "{key}");
        }
        for key in [
            String::new(),
            "/".into(),
            "dtool-".into(),
            "some/where/else".into(),
            A.into(),
            format!("{A}/data/0123456789012345678901234567890123456789"),
            format!("{A}/fragments/x.json"),
            format!("{A}x/dtool"),
            format!("ü{}/dtool", &A[1..]),
        ] {
            assert_eq!(uuids(put, &key), [""; 0], "{key}");
        }
        assert_eq!(uuids(put, &format!("{A}/{B}/dtool")), [A, B]);
    }

    #[test]
    fn only_changes_count() {
        let key = format!("{A}/dtool");
        for (name, counts) in [
            ("s3:ObjectCreated:CompleteMultipartUpload", true),
            ("ObjectRemoved:DeleteMarkerCreated", true),
            ("s3:LifecycleExpiration:Delete", true),
            ("s3:ObjectAccessed:Get", false),
            ("s3:ObjectTagging:Put", false),
            ("", false),
        ] {
            assert_eq!(!uuids(name, &key).is_empty(), counts, "{name}");
        }
    }

    #[test]
    fn envelopes_are_opened() {
        let events = json!({ "Records": [event("ObjectCreated:Put", &format!("dtool-{A}"))] });
        let expected = read(events.to_string().as_bytes(), false).unwrap();
        assert!(matches!(&expected, Message::Events(events) if events.len() == 1));
        let envelope = json!({ "Type": "Notification", "Message": events.to_string() });
        assert_eq!(
            read(envelope.to_string().as_bytes(), false).unwrap(),
            expected
        );
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "Publish")
            .append_pair("Message", &events.to_string())
            .finish();
        assert_eq!(read(form.as_bytes(), true).unwrap(), expected);
        for nothing in [
            json!({ "Event": "s3:TestEvent", "Bucket": "lab" }),
            json!({ "Type": "UnsubscribeConfirmation", "SubscribeURL": "https://x" }),
        ] {
            assert_eq!(
                read(nothing.to_string().as_bytes(), false).unwrap(),
                Message::Nothing
            );
        }
        assert_eq!(
            read(b"Message=StorageGRID+test", true).unwrap(),
            Message::Nothing
        );
        let confirmation = json!({
            "Type": "SubscriptionConfirmation", "TopicArn": "arn:x", "SubscribeURL": "https://x",
        });
        assert_eq!(
            read(confirmation.to_string().as_bytes(), false).unwrap(),
            Message::Confirmation {
                topic: "arn:x".into(),
                url: "https://x".into()
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, named) in [
            ("", "the body is no JSON"),
            ("[]", "Records: "),
            (r#"{"Type":"Notification","Message":"x"}"#, "Message: "),
        ] {
            let told = read(body.as_bytes(), false).unwrap_err();
            assert!(told.starts_with(named), "{told}");
        }
        let mut odd = event("ObjectCreated:Put", "x");
        odd["s3"]["bucket"]["name"] = json!("../x");
        let events = json!({ "Records": [event("x", "y"), {}, odd] });
        let Message::Events(events) = read(events.to_string().as_bytes(), false).unwrap() else {
            panic!("events")
        };
        assert!(events[0].is_ok());
        assert_eq!(
            events[1].as_ref().unwrap_err(),
            "Records[1].eventName: it is missing, or no text"
        );
        let told = events[2].as_ref().unwrap_err();
        assert!(told.starts_with("Records[2].s3.bucket.name: "), "{told}");
    }

    proptest! {
        #[test]
        fn any_key_is_read(key in "\\PC*", prefix in "([a-z/0-9-]|%2[fF])*") {
            let _ = uuids("ObjectCreated:Put", &key);
            let with = format!("{prefix}{A}/dtool");
            prop_assert!(uuids("ObjectCreated:Put", &with).contains(&A.to_owned()));
        }

        #[test]
        fn any_body_is_answered(body: Vec<u8>, is_form: bool) {
            let _ = read(&body, is_form);
        }
    }
}
