//! Who is let in, and what those may do who are not.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{
    Lab, Server, Socket,
    client::{JSON, PATIENCE, code, header, post},
    lab::PASSWORD,
};

const SECRET: &str = "a secret of the tests, long enough to keep";
const VIEWER: &str = "{ viewer { username user { id } } }";

on_both_databases!(
    bad_tokens_are_refused_without_a_hint,
    api_keys,
    disabled_users_are_locked_out,
    protection_levels,
    users_are_made_by_administrators_and_once,
    logging_in,
);

/// The user that a credential stands for, or the refusal.
async fn who(server: &Server, name: &str, value: &str) -> Result<String, String> {
    let (status, answer) = server.ask_as(&[(name, value)], VIEWER, json!({})).await;
    if status == 200 {
        let username = answer["data"]["viewer"]["username"].as_str();
        return Ok(username.expect("a viewer").to_owned());
    }
    assert_eq!((status, code(&answer)), (401, "UNAUTHENTICATED"));
    Err(answer.to_string())
}

async fn bearer(server: &Server, token: &str) -> Result<String, String> {
    who(server, "authorization", &format!("Bearer {token}")).await
}

fn claims(name: &str) -> Value {
    let now = Utc::now();
    json!({
        "sub": name, "iss": "labql", "aud": "labql",
        "iat": now.timestamp(), "exp": (now + TimeDelta::hours(1)).timestamp(),
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn hs256(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(Algorithm::HS256), claims, &key).expect("a token")
}

fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// Pairs of keys in PEM files.
struct Keys(PathBuf);

impl Keys {
    /// None without openssl.
    fn make(folder: PathBuf) -> Option<Self> {
        fs::create_dir_all(&folder).expect("a folder");
        for (name, arguments) in [
            (
                "rsa",
                &[
                    "genpkey",
                    "-algorithm",
                    "RSA",
                    "-pkeyopt",
                    "rsa_keygen_bits:2048",
                ][..],
            ),
            (
                "ec",
                &[
                    "genpkey",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ],
            ),
            ("ed", &["genpkey", "-algorithm", "ED25519"]),
        ] {
            let private = folder.join(name);
            let made = Command::new("openssl")
                .args(arguments)
                .arg("-out")
                .arg(&private)
                .output();
            let Ok(made) = made else {
                println!("skipped: no openssl");
                return None;
            };
            assert!(made.status.success(), "{made:?}");
            let shown = Command::new("openssl")
                .args(["pkey", "-pubout", "-in"])
                .arg(&private)
                .arg("-out")
                .arg(folder.join(format!("{name}.pub")))
                .output()
                .expect("openssl");
            assert!(shown.status.success(), "{shown:?}");
            fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        Some(Self(folder))
    }

    fn private(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn public(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pub"))
    }

    fn sign(&self, name: &str, kid: Option<&str>, claims: &Value) -> String {
        let pem = fs::read(self.private(name)).expect("a key");
        let (algorithm, key) = match name {
            "rsa" => (Algorithm::RS256, EncodingKey::from_rsa_pem(&pem)),
            "ec" => (Algorithm::ES256, EncodingKey::from_ec_pem(&pem)),
            _ => (Algorithm::EdDSA, EncodingKey::from_ed_pem(&pem)),
        };
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        encode(&header, claims, &key.expect("a key")).expect("a token")
    }
}

async fn bad_tokens_are_refused_without_a_hint(mut lab: Lab) {
    lab.set("LABQL_AUTH__SECRET", SECRET);
    lab.user("ada", &[]);
    let server = lab.serve().await;
    let good = hs256(&claims("ada"), SECRET);
    assert_eq!(bearer(&server, &good).await.as_deref(), Ok("ada"));
    let own = lab.token("ada");
    assert_eq!(bearer(&server, &own).await.as_deref(), Ok("ada"));

    let past = json!((Utc::now() - TimeDelta::minutes(1)).timestamp());
    let future = json!((Utc::now() + TimeDelta::minutes(5)).timestamp());
    let mut missing_expiry = claims("ada");
    missing_expiry
        .as_object_mut()
        .expect("claims")
        .remove("exp");
    let hs512 = encode(
        &Header::new(Algorithm::HS512),
        &claims("ada"),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    );
    let none = raw(&json!({ "alg": "none", "typ": "JWT" }), &claims("ada"), "");
    let none_again = raw(&json!({ "alg": "None" }), &claims("ada"), "AAAA");
    let unknown_algorithm = raw(&json!({ "alg": "HS257" }), &claims("ada"), "AAAA");
    let forged = {
        let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
        parts[1] = BASE64_URL_SAFE_NO_PAD.encode(claims("root").to_string());
        parts.join(".")
    };
    let mut bodies = Vec::new();
    for (token, reason) in [
        ("x".to_owned(), "token"),
        ("a.b.c".to_owned(), "token"),
        (none, "none"),
        (none_again, "token"),
        (unknown_algorithm, "token"),
        (forged, "InvalidSignature"),
        (
            hs256(&claims("ada"), "another secret, long enough to keep"),
            "InvalidSignature",
        ),
        (
            hs256(&with(claims("ada"), "exp", past), SECRET),
            "ExpiredSignature",
        ),
        (
            hs256(&with(claims("ada"), "nbf", future), SECRET),
            "ImmatureSignature",
        ),
        (
            hs256(&with(claims("ada"), "aud", json!("others")), SECRET),
            "InvalidAudience",
        ),
        (
            hs256(&with(claims("ada"), "iss", json!("others")), SECRET),
            "InvalidIssuer",
        ),
        (hs256(&missing_expiry, SECRET), "exp"),
        (hs512.expect("a token"), "HS512"),
        (hs256(&claims("nobody"), SECRET), "its user is gone"),
    ] {
        let seen = server.log().len();
        let body = bearer(&server, &token).await;
        bodies.push(body.expect_err(reason));
        let log = server.log().split_off(seen);
        assert!(log.contains(reason), "{reason}: {log}");
        assert!(!log.contains(&token) || token.len() < 6, "{log}");
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the bodies differ: {bodies:?}");
    assert!(
        bodies[0].contains("the credentials are not valid"),
        "{}",
        bodies[0]
    );

    // The challenge that RFC 6750 wants; and over JSON the status is the same.
    let response = post(
        &server,
        JSON,
        &[("authorization", "Bearer x")],
        json!({ "query": VIEWER }),
    )
    .await;
    assert_eq!(response.status(), 401);
    assert_eq!(header(response.headers(), "www-authenticate"), "Bearer");

    let mut socket = Socket::open(&server).await;
    socket
        .say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer x" } }))
        .await;
    assert_eq!(socket.closed().await, (4403, "Forbidden".to_owned()));
}

#[tokio::test]
async fn tokens_of_trusted_issuers() {
    let mut lab = Lab::sqlite();
    let Some(keys) = Keys::make(lab.path("keys")) else {
        return;
    };
    let mut file = format!("[auth]\nsecret = \"{SECRET}\"\n");
    for (algorithm, name) in [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")] {
        let path = keys.public(name);
        file += &format!(
            "[[auth.keys]]\nkid = \"{name}-1\"\nalgorithm = \"{algorithm}\"\npublic_key_file = \"{}\"\n\
             issuer = \"https://id.example\"\naudience = \"lab\"\n",
            path.display()
        );
    }
    file += "[[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"the secret of a partner, long enough\"\n\
             issuer = \"partner\"\naudience = \"lab\"\n";
    let path = lab.path("labql.toml");
    fs::write(&path, file).expect("a file");
    lab.set("LABQL_CONFIG", path.to_str().expect("UTF-8"));
    lab.user("ada", &[]);
    let server = lab.serve().await;

    let theirs = |name| {
        with(
            with(claims(name), "iss", json!("https://id.example")),
            "aud",
            json!("lab"),
        )
    };
    for name in ["rsa", "ec", "ed"] {
        let kid = format!("{name}-1");
        let kid = Some(kid.as_str());
        for user in ["ada", "guest"] {
            let token = keys.sign(name, kid, &theirs(user));
            assert_eq!(bearer(&server, &token).await.as_deref(), Ok(user), "{name}");
        }
        for (reason, token) in [
            (
                "unknown kid",
                keys.sign(name, Some("other"), &theirs("ada")),
            ),
            ("no kid", keys.sign(name, None, &theirs("ada"))),
            ("own issuer", keys.sign(name, kid, &claims("ada"))),
            (
                "foreign audience",
                keys.sign(name, kid, &with(theirs("ada"), "aud", json!("labql"))),
            ),
        ] {
            assert!(bearer(&server, &token).await.is_err(), "{name}: {reason}");
        }
    }
    // A public key is no secret: a token that is signed with it as one must not pass.
    for name in ["rsa", "ec", "ed"] {
        let public = fs::read_to_string(keys.public(name)).expect("a key");
        let token = hs256(&theirs("ada"), &public);
        assert!(bearer(&server, &token).await.is_err(), "{name}");
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(format!("{name}-1"));
        let key = EncodingKey::from_secret(public.as_bytes());
        let token = encode(&header, &theirs("ada"), &key).expect("a token");
        assert!(bearer(&server, &token).await.is_err(), "{name}");
    }
    let partner = with(
        with(claims("grace"), "iss", json!("partner")),
        "aud",
        json!("lab"),
    );
    let token = hs256(&partner, "the secret of a partner, long enough");
    assert_eq!(bearer(&server, &token).await.as_deref(), Ok("grace"));
    // A partner cannot speak for this server.
    let token = hs256(&claims("ada"), "the secret of a partner, long enough");
    assert!(bearer(&server, &token).await.is_err());
    // A person without an account is nobody's administrator and has no keys.
    let token = hs256(&partner, "the secret of a partner, long enough");
    let server = server.signed_in(&token);
    let create = r#"mutation { createApiKey(input: { label: "x" }) { secret errors { code } } }"#;
    let refused = server.data(create, json!({})).await;
    assert_eq!(
        refused["createApiKey"],
        json!({ "secret": null, "errors": [{ "code": "NOT_FOUND" }] })
    );
    assert_eq!(
        server
            .refusal("{ users { nodes { id } } }", json!({}))
            .await,
        "FORBIDDEN"
    );
}

#[tokio::test]
async fn own_keys_in_files() {
    let mut lab = Lab::sqlite();
    let Some(keys) = Keys::make(lab.path("keys")) else {
        return;
    };
    lab.user("ada", &[]);
    for (name, algorithm) in [
        ("rsa", Algorithm::RS256),
        ("ec", Algorithm::ES256),
        ("ed", Algorithm::EdDSA),
    ] {
        let path = keys.private(name);
        lab.set(
            "LABQL_AUTH__SIGNING_KEY_FILE",
            path.to_str().expect("UTF-8"),
        );
        let token = lab.token("ada");
        let header = jsonwebtoken::decode_header(&token).expect("a header");
        assert_eq!(header.alg, algorithm);
        let server = lab.serve().await;
        assert_eq!(
            bearer(&server, &token).await.as_deref(),
            Ok("ada"),
            "{name}"
        );
        // There is no secret beside the key.
        assert!(
            bearer(&server, &hs256(&claims("ada"), SECRET))
                .await
                .is_err()
        );
        let login = server
            .data(
                "mutation($i: LoginInput!) { login(input: $i) { token } }",
                json!({ "i": { "username": "ada", "password": PASSWORD } }),
            )
            .await;
        let token = login["login"]["token"].as_str().expect("a token");
        assert_eq!(bearer(&server, token).await.as_deref(), Ok("ada"), "{name}");
    }
    // A private key that others can read is refused, and so is a file without one.
    let open = keys.private("ed");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("a mode");
    let refused = lab.run(&["token", "ada"]);
    assert!(
        !refused.success && refused.stderr.contains("chmod 600"),
        "{refused:?}"
    );
    fs::set_permissions(&open, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::write(&open, "no key").expect("a file");
    let refused = lab.run(&["token", "ada"]);
    assert!(
        !refused.success && refused.stderr.contains("holds no"),
        "{refused:?}"
    );
}

async fn api_keys(lab: Lab) {
    let server = lab.serve_signed_in().await;
    let create = "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) {
        secret apiKey { id label expiresAt } errors { code field } } }";
    let made = server
        .data(
            create,
            json!({ "i": { "label": "plots", "idempotencyKey": "k" } }),
        )
        .await;
    let key = made["createApiKey"]["secret"].as_str().expect("a secret");
    let again = server
        .data(
            create,
            json!({ "i": { "label": "plots", "idempotencyKey": "k" } }),
        )
        .await;
    assert_eq!(
        again["createApiKey"]["apiKey"],
        made["createApiKey"]["apiKey"]
    );
    assert_eq!(again["createApiKey"]["secret"], Value::Null);

    for (name, value) in [
        ("authorization", format!("FPS_API APIKEY={key}")),
        ("fps_api", format!("APIKEY={key}")),
        ("x-api-key", key.to_owned()),
    ] {
        assert_eq!(who(&server, name, &value).await.as_deref(), Ok("ada"));
    }
    assert!(who(&server, "x-api-key", "labql_0000").await.is_err());

    // Kept as a hash, and told to no log.
    assert!(!server.log().contains(key));

    let id = &made["createApiKey"]["apiKey"]["id"];
    let revoke = "mutation($i: RevokeApiKeyInput!) { revokeApiKey(input: $i) {
        apiKey { revokedAt } errors { code } } }";
    let first = server.data(revoke, json!({ "i": { "id": id } })).await;
    let second = server.data(revoke, json!({ "i": { "id": id } })).await;
    assert!(first["revokeApiKey"]["apiKey"]["revokedAt"].is_string());
    assert_eq!(first, second);
    assert!(who(&server, "x-api-key", key).await.is_err());
    assert!(server.log().contains("it is revoked"));

    let soon = Utc::now() + TimeDelta::seconds(1);
    let brief = server
        .data(
            create,
            json!({ "i": { "label": "brief", "expiresAt": soon } }),
        )
        .await;
    let brief = brief["createApiKey"]["secret"].as_str().expect("a secret");
    let mut socket = Socket::open(&server).await;
    socket
        .say(json!({ "type": "connection_init", "payload": { "apiKey": brief } }))
        .await;
    // The socket ends with the key: then the key has expired.
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4403, "{reason}");
    assert!(who(&server, "x-api-key", brief).await.is_err());
    assert!(server.log().contains("it has expired"));

    let past = Utc::now() - TimeDelta::seconds(1);
    let refused = server
        .data(
            create,
            json!({ "i": { "label": "past", "expiresAt": past } }),
        )
        .await;
    assert_eq!(
        refused["createApiKey"]["errors"],
        json!([{ "code": "BAD_INPUT", "field": "expiresAt" }])
    );

    // Another's key does not exist for you.
    lab.user("eve", &[]);
    let eve = lab.token("eve");
    let server = server.signed_in(&eve);
    let answer = server.data(revoke, json!({ "i": { "id": id } })).await;
    assert_eq!(
        answer["revokeApiKey"]["errors"],
        json!([{ "code": "NOT_FOUND" }])
    );
}

async fn disabled_users_are_locked_out(lab: Lab) {
    let server = lab.serve_signed_in().await;
    let create = r#"mutation { createApiKey(input: { label: "x" }) { secret } }"#;
    let made = server.data(create, json!({})).await;
    let key = made["createApiKey"]["secret"].as_str().expect("a secret");
    let login = |password: &str| json!({ "i": { "username": "ada", "password": password } });
    let query = "mutation($i: LoginInput!) { login(input: $i) { token errors { code message } } }";

    lab.done(&["user", "disable", "ada"]);
    // Another process has done it: this one knows when its feed has read of it.
    let locked_out = async {
        while bearer(&server, server.token()).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, locked_out).await.expect("a locked door");
    assert!(who(&server, "x-api-key", key).await.is_err());
    assert!(server.log().contains("its user is disabled"));
    assert!(!lab.run(&["token", "ada"]).success);
    let nobody = lab.serve().await;
    let locked = nobody.data(query, login(PASSWORD)).await;
    let wrong = nobody.data(query, login("wrong password")).await;
    assert_eq!(locked["login"]["errors"][0]["code"], "UNAUTHENTICATED");
    assert_eq!(locked, wrong);

    lab.done(&["user", "enable", "ada"]);
    assert_eq!(bearer(&server, server.token()).await.as_deref(), Ok("ada"));
    assert_eq!(who(&server, "x-api-key", key).await.as_deref(), Ok("ada"));
    let list = lab.done(&["user", "list"]);
    assert_eq!(list, "ada\tuser\tenabled\n");
}

async fn protection_levels(mut lab: Lab) {
    lab.user("ada", &[]);
    let token = lab.token("ada");
    let read = "{ experiments { nodes { expid } } }";
    let nodes = r#"{ node(id: "RXhwZXJpbWVudAphMDAw") { id } }"#;
    let write = r#"mutation { createApiKey(input: { label: "x" }) { apiKey { label } } }"#;
    let updates = "subscription { experimentUpdates { cursor } }";
    for (level, open) in [("ALL", false), ("WRITEONLY", true), ("NONE", true)] {
        lab.set("LABQL_AUTH__PROTECTION_LEVEL", level);
        let server = lab.serve().await;
        for query in [
            read,
            nodes,
            "{ eventCursor }",
            "{ sourceProblems { nodes { source } } }",
        ] {
            let (status, answer) = server.ask(query, json!({})).await;
            if open {
                assert_eq!(
                    (status, answer.get("errors")),
                    (200, None),
                    "{level} {query}"
                );
            } else {
                assert_eq!((status, code(&answer)), (401, "UNAUTHENTICATED"), "{query}");
            }
        }
        // What belongs to one user needs that user at every level; accounts are never open.
        assert_eq!(
            server.refusal(write, json!({})).await,
            "UNAUTHENTICATED",
            "{level}"
        );
        assert_eq!(
            server
                .refusal("{ users { nodes { id } } }", json!({}))
                .await,
            "UNAUTHENTICATED"
        );
        let nobody = server.data("{ viewer { username } }", json!({})).await;
        assert_eq!(nobody, json!({ "viewer": null }), "{level}");
        // A wrong token is no better than none, and no worse at an open level.
        assert!(bearer(&server, "x").await.is_err(), "{level}");

        let mut socket = Socket::ready(&server).await;
        socket.subscribe("1", updates).await;
        if open {
            // It waits for changes, and another operation is answered meanwhile.
            socket.subscribe("2", "{ __typename }").await;
            let first = socket.hear().await;
            assert_eq!(first["id"], "2", "{level} {first}");
        } else {
            let first = socket.hear().await;
            assert_eq!(first["type"], "error", "{first}");
            assert_eq!(
                first["payload"][0]["extensions"]["code"], "UNAUTHENTICATED",
                "{first}"
            );
        }
        let server = server.signed_in(&token);
        server.data(read, json!({})).await;
        server.data(write, json!({})).await;
    }
}

async fn users_are_made_by_administrators_and_once(lab: Lab) {
    lab.user("ada", &["--admin"]);
    lab.user("bob", &[]);
    let server = lab.serve().await.signed_in(&lab.token("bob"));
    let create = "mutation($i: CreateUserInput!) { createUser(input: $i) {
        user { username isAdmin email } errors { code field } } }";
    let eve = json!({ "i": { "username": "eve", "password": "a long password" } });
    assert_eq!(server.refusal(create, eve.clone()).await, "FORBIDDEN");
    assert_eq!(
        server
            .refusal("{ users { nodes { username } } }", json!({}))
            .await,
        "FORBIDDEN"
    );

    let server = server.signed_in(&lab.token("ada"));
    let input = json!({ "i": { "username": "eve", "password": "a long password",
        "email": "eve@lab.example", "idempotencyKey": "request-1" } });
    let first = server.data(create, input.clone()).await;
    assert_eq!(first["createUser"]["errors"], json!([]));
    assert_eq!(server.data(create, input.clone()).await, first);
    // Without the key, or with another, it is another user of that name.
    let taken = server.data(create, eve).await;
    assert_eq!(
        taken["createUser"]["errors"],
        json!([{ "code": "CONFLICT", "field": "username" }])
    );
    // The same key for something else is a mistake of the client.
    let mut other = input.clone();
    other["i"]["username"] = "mallory".into();
    let other = server.data(create, other).await;
    assert_eq!(
        other["createUser"]["errors"][0]["code"], "CONFLICT",
        "{other}"
    );

    for (input, field) in [
        (
            json!({ "username": "", "password": "a long password" }),
            "username",
        ),
        (
            json!({ "username": "a b", "password": "a long password" }),
            "username",
        ),
        (
            json!({ "username": "x".repeat(65), "password": "a long password" }),
            "username",
        ),
        (
            json!({ "username": "zoe", "password": "short" }),
            "password",
        ),
        (
            json!({ "username": "zoe", "password": "\u{0}".repeat(20), "idempotencyKey": "\u{0}" }),
            "idempotencyKey",
        ),
    ] {
        let refused = server.data(create, json!({ "i": input })).await;
        assert_eq!(
            refused["createUser"]["errors"][0],
            json!({ "code": "BAD_INPUT", "field": field }),
            "{input}"
        );
    }
    let users = server
        .data("{ users { nodes { username } } }", json!({}))
        .await;
    assert_eq!(
        users["users"]["nodes"],
        json!([{ "username": "ada" }, { "username": "bob" }, { "username": "eve" }])
    );
}

async fn logging_in(lab: Lab) {
    lab.user("ada", &[]);
    lab.done(&["user", "add", "robot", "--no-password"]);
    let server = lab.serve().await;
    let login = "mutation($i: LoginInput!) { login(input: $i) {
        token expiresAt user { username } errors { code message } } }";
    let try_it = async |name: &str, password: &str| {
        let variables = json!({ "i": { "username": name, "password": password } });
        server.data(login, variables).await["login"].take()
    };
    let good = try_it("ada", PASSWORD).await;
    assert_eq!(good["user"]["username"], "ada");
    let token = good["token"].as_str().expect("a token");
    assert_eq!(bearer(&server, token).await.as_deref(), Ok("ada"));
    let wrong = try_it("ada", "wrong password").await;
    assert_eq!(wrong["errors"][0]["code"], "UNAUTHENTICATED");
    for (name, password) in [
        ("nobody", PASSWORD),
        ("robot", ""),
        ("robot", "x"),
        ("\u{0}", "\u{0}"),
    ] {
        assert_eq!(try_it(name, password).await, wrong, "{name:?}");
    }
    // As a literal in the document, too.
    let literal = format!(
        r#"mutation {{ login(input: {{ username: "ada", password: "{PASSWORD}" }}) {{ token }} }}"#
    );
    server.data(&literal, json!({})).await;
    for secret in [PASSWORD, "wrong password", token] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[tokio::test]
async fn passwords_stand_in_no_log_however_much_is_logged() {
    let mut lab = Lab::sqlite();
    lab.set("LABQL_LOG__FILTER", "trace");
    let added = lab.run_with(&["user", "add", "ada"], &format!("{PASSWORD}\n"));
    assert!(added.success && !added.stderr.contains(PASSWORD));
    let server = lab.serve().await;
    let login = "mutation($i: LoginInput!) { login(input: $i) { token } }";
    let variables = json!({ "i": { "username": "ada", "password": PASSWORD } });
    let data = server.data(login, variables).await;
    let token = data["login"]["token"].as_str().expect("a token");
    bearer(&server, token).await.expect("a viewer");
    let log = server.log();
    // The lines of the network libraries show bytes as they pass; those are for a developer's machine.
    let own: Vec<_> = log.lines().filter(|line| line.contains(" labql")).collect();
    assert!(!own.is_empty(), "{log}");
    for secret in [PASSWORD, token] {
        assert!(own.iter().all(|line| !line.contains(secret)), "{own:?}");
    }
}

#[tokio::test]
async fn the_first_start_makes_a_secret_that_only_its_owner_can_read() {
    let lab = Lab::sqlite();
    lab.user("ada", &[]);
    let token = lab.token("ada");
    let path = lab.data().join("token.secret");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&lab.data()), 0o700);
    let secret = fs::read(&path).expect("a secret");
    assert!(secret.len() >= 32);
    for _ in 0..2 {
        let server = lab.serve().await;
        assert_eq!(bearer(&server, &token).await.as_deref(), Ok("ada"));
        assert!(server.stop().await);
        assert_eq!(fs::read(&path).expect("a secret"), secret);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
    let refused = lab.run(&["token", "ada"]);
    assert!(
        !refused.success && refused.stderr.contains("chmod 600"),
        "{refused:?}"
    );
    // Each installation has its own.
    let other = Lab::sqlite();
    other.user("ada", &[]);
    other.token("ada");
    assert_ne!(
        fs::read(other.data().join("token.secret")).expect("a secret"),
        secret
    );
}

#[tokio::test]
async fn a_socket_closes_when_its_token_expires() {
    let lab = Lab::sqlite();
    lab.user("ada", &[]);
    let server = lab.serve().await;
    let token = lab.done(&["token", "ada", "--life", "2s"]);
    let mut socket = Socket::signed_in(&server, token.trim()).await;
    socket
        .subscribe("1", "subscription { experimentUpdates { cursor } }")
        .await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4403, "{reason}");
}
