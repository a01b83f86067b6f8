//! Requests that have no counterpart, or an answer that is a defect, and why. A name without a number stands for all
//! requests of that name.

const ONE: &str = "a single value stands for a list of one, as GraphQL has it";
const CONFIGURATION: &str = "what the server is made of and how it is set up is not told";
const REST: &str = "a rule of REST alone";
const NO_UUID: &str = "a UUID that nothing has finds nothing, whatever it looks like";
const DELETED: &str = "a defect: what is deleted stays findable";
const BOGUS: &str =
    "a defect: a row without a dataset, for a UUID that is not there or may not be seen";
const OTHERS: &str = "nobody is told what others may see, not even an administrator";
const ACCOUNTS: &str = "users are made once, by another operation than they are changed by, and locked out, not deleted";
const PIPELINES: &str = "there are no pipelines: groups and filters are operations of their own";

/// The requests, each with the reason.
pub const LEFT_OUT: &[(&str, &str)] = &[
    (
        "004-me-refresh",
        "there are no refresh tokens: every token that is valid lets in",
    ),
    ("014-config-versions", CONFIGURATION),
    ("015-config-info-noauth", CONFIGURATION),
    ("020-uris-list", "a page has up to 500 datasets, not 100"),
    ("021-uris-list", "pages have cursors, and no numbers"),
    (
        "047-search-uuid",
        "a defect: UUIDs are compared with what they were not stored as, and never found",
    ),
    ("048-search-uuid-bad", NO_UUID),
    ("050-search-wrong-type", ONE),
    (
        "051-search-null",
        "null is nothing that was asked for, as GraphQL has it",
    ),
    ("055-search-bad-json", REST),
    ("232-user-summary", OTHERS),
    ("234-user-summary", OTHERS),
    ("236-user-summary", OTHERS),
    ("238-user-summary", OTHERS),
    (
        "241-users-list-sorted",
        "users are listed by name, and in no other order",
    ),
    (
        "242-base-uris-alice",
        "everybody is told of the base URIs that they may use",
    ),
    (
        "246-base-uri-alice",
        "everybody is told of the base URIs that they may use",
    ),
    (
        "271-mongo-query",
        "a text and a query can be asked for together",
    ),
    ("284-mongo-aggregate", PIPELINES),
    ("285-mongo-aggregate-bad", PIPELINES),
    (
        "305-graph",
        "a defect: MongoDB could not take a dataset with a key that is no text",
    ),
    ("317-graph-bob", BOGUS),
    ("319-graph-unknown", BOGUS),
    ("321-graph-keys-bad", ONE),
    (
        "346-put-frozen-at-number",
        "times are taken as numbers, too",
    ),
    (
        "349-put-unknown-field",
        "its version of dtoolcore is taken, as that of a dataset that was indexed",
    ),
    (
        "352-put-uri-mismatch",
        "the URI is told once, and not in a path beside",
    ),
    ("359-search-deleted", DELETED),
    ("360-manifest-deleted", DELETED),
    ("363-user-put-again", ACCOUNTS),
    ("364-user-get-dave", ACCOUNTS),
    ("366-user-delete", ACCOUNTS),
    ("367-user-delete-again", ACCOUNTS),
    ("368-user-gone", ACCOUNTS),
    (
        "376-base-delete-again",
        "a base URI that is not there is told, as it is mostly a slip",
    ),
    ("378-not-found", REST),
    ("379-method-not-allowed", REST),
];
