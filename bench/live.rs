//! How fast changes reach subscribers, and what that costs: `cargo bench --bench live`.
//!
//! Starts the real server in a process of its own, connects subscribers by WebSocket, and has an administrator change a
//! worker again and again; each change is an event for everybody. Some subscribers read nothing for a while. Everybody
//! must have heard everything in the same order, or be told why not. Without `LABQL_TEST_POSTGRES` the database is
//! SQLite; with it, it is a new database on that server.
//!
//! With `BENCH_QUIET` further subscribers are connected first, who follow an experiment that does not exist and hear
//! nothing: what they cost is memory. Ten thousand need `ulimit -n` to be larger than that.
//!
//! The clients share the machine with the server, so the figures are lower bounds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod server;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const QUIET: &str = "subscription { experimentUpdates(expid: \"none\") { cursor } }";
const SUBSCRIPTION: &str = "subscription { workerUpdates {
    cursor recordedAt worker { name kind status } changes
} }";

/// What is measured; each can be set by an environment variable of the name in brackets.
struct Plan {
    /// Subscribers (`BENCH_SUBSCRIBERS`).
    subscribers: usize,
    /// Those of them that read nothing during the burst (`BENCH_SLOW`).
    slow: usize,
    /// Events of the burst (`BENCH_EVENTS`).
    events: usize,
    /// Events that come one at a time, ten a second (`BENCH_PACED`).
    paced: usize,
    /// Subscribers who hear nothing (`BENCH_QUIET`).
    quiet: usize,
}

impl Plan {
    fn read() -> Self {
        let number = |name: &str, default| {
            let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
            set.unwrap_or(default)
        };
        Self {
            subscribers: number("BENCH_SUBSCRIBERS", 1000),
            slow: number("BENCH_SLOW", 50),
            events: number("BENCH_EVENTS", 1000),
            paced: number("BENCH_PACED", 100),
            quiet: number("BENCH_QUIET", 0),
        }
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a subscriber has heard.
#[derive(Clone, Default)]
struct Heard {
    count: usize,
    /// Over all messages in their order.
    hash: DefaultHasher,
    /// Milliseconds from the event's time to its receipt.
    latencies: Vec<f64>,
    closed: Option<String>,
}

#[tokio::main]
async fn main() {
    // Storage brings TLS to every client of the process; those here speak to this machine alone.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plan = Plan::read();
    let folder = tempfile::tempdir().unwrap();
    let database = server::database(folder.path()).await;
    let admin = server::administrator(folder.path(), &database);
    let (mut server, address) = server::start(folder.path(), &database).await;
    let pid = server.id().unwrap();
    let kind = database.split(':').next().unwrap_or_default();
    println!(
        "{} subscribers, {} of them slow; {kind}",
        plan.subscribers, plan.slow
    );
    println!("{:<46} {:>8.1} MB", "memory before", resident(pid, "VmRSS"));

    let quiet: Vec<Socket> = connect(&address, &admin, QUIET, plan.quiet).await;
    if plan.quiet > 0 {
        settle(&address, plan.quiet).await;
        let what = format!("memory with {} quiet ones", plan.quiet);
        println!("{what:<46} {:>8.1} MB", resident(pid, "VmRSS"));
    }

    // All of them, at first, read.
    let (reports, mut heard) = mpsc::unbounded_channel();
    let (slow_down, slowness) = watch::channel(Reading::All);
    let began = Instant::now();
    let sockets = connect(&address, &admin, SUBSCRIPTION, plan.subscribers).await;
    println!(
        "{:<46} {:>8.2} s",
        "all connected after",
        began.elapsed().as_secs_f64()
    );
    for (index, socket) in sockets.into_iter().enumerate() {
        let slow = index < plan.slow;
        tokio::spawn(listen(
            index,
            socket,
            slow,
            slowness.clone(),
            reports.clone(),
        ));
    }
    settle(&address, plan.quiet + plan.subscribers).await;
    println!(
        "{:<46} {:>8.1} MB",
        "memory, all subscribed and silent",
        resident(pid, "VmRSS")
    );

    let client = reqwest::Client::new();
    let mut tick = interval(Duration::from_millis(100));
    for number in 0..plan.paced {
        tick.tick().await;
        change(&client, &address, &admin, number).await;
    }
    let all = collect(&mut heard, plan.subscribers, plan.paced).await;
    report_latency("ten events a second", &all);

    slow_down.send_replace(Reading::Quick);
    let began = Instant::now();
    for number in plan.paced..plan.paced + plan.events {
        change(&client, &address, &admin, number).await;
    }
    let written = began.elapsed();
    let quick = plan.subscribers - plan.slow;
    let all = collect(&mut heard, quick, plan.events).await;
    let elapsed = began.elapsed().as_secs_f64();
    println!("\na burst of {} events", plan.events);
    println!(
        "{:<46} {:>8.0} /s",
        "  mutations",
        plan.events as f64 / written.as_secs_f64()
    );
    println!(
        "{:<46} {:>8.0} /s",
        "  events, each to all who read",
        plan.events as f64 / elapsed
    );
    println!(
        "{:<46} {:>8.0} /s",
        "  deliveries",
        (plan.events * quick) as f64 / elapsed
    );
    report_latency("of the burst", &all);
    let first = all.first().map(|heard| heard.hash.finish());
    assert!(
        all.iter().all(|heard| Some(heard.hash.finish()) == first),
        "not everybody heard the same in the same order"
    );
    println!(
        "{:<46} {:>8.1} MB",
        "  peak memory with the slow ones",
        resident(pid, "VmHWM")
    );

    slow_down.send_replace(Reading::All);
    let late = collect(&mut heard, plan.slow, plan.events).await;
    let complete = late
        .iter()
        .filter(|heard| Some(heard.hash.finish()) == first)
        .count();
    let told = late.iter().filter_map(|heard| heard.closed.clone());
    println!("\n{complete} of {} slow subscribers caught up", plan.slow);
    for reason in told.collect::<std::collections::BTreeSet<_>>() {
        println!("  others were told: {reason}");
    }
    assert!(
        late.iter()
            .all(|heard| heard.count == plan.events || heard.closed.is_some())
    );
    println!("{:<46} {:>8.1} MB", "peak memory", resident(pid, "VmHWM"));
    drop(quiet);
    let _ = server.start_kill();
    let _ = server.wait().await;
}

/// Who reads.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    All,
    Quick,
}

async fn connect(address: &str, token: &str, query: &str, sockets: usize) -> Vec<Socket> {
    stream::iter(0..sockets)
        .map(|_| subscribe(address, token, query))
        .buffered(32)
        .collect()
        .await
}

async fn subscribe(address: &str, token: &str, query: &str) -> Socket {
    let mut request = format!("ws://{address}/graphql")
        .into_client_request()
        .unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let connected = connect_async_with_config(request, Some(config), true).await;
    let (mut socket, _) = connected.unwrap();
    let payload = json!({ "Authorization": format!("Bearer {token}") });
    let messages = [
        json!({ "type": "connection_init", "payload": payload }),
        json!({ "type": "subscribe", "id": "1", "payload": { "query": query } }),
    ];
    for message in messages {
        socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }
    let acknowledged = socket.next().await.unwrap().unwrap();
    assert!(acknowledged.to_text().unwrap().contains("connection_ack"));
    socket
}

/// Waits until all subscriptions follow.
async fn settle(address: &str, subscribers: usize) {
    loop {
        let text = reqwest::get(format!("http://{address}/metrics"))
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        if text.contains(&format!("labql_event_log_followers {subscribers}\n")) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Reads messages, and reports after each whatever it has heard since the last report was asked for.
async fn listen(
    index: usize,
    mut socket: Socket,
    slow: bool,
    mut reading: watch::Receiver<Reading>,
    reports: mpsc::UnboundedSender<(usize, Message, DateTime<Utc>)>,
) {
    loop {
        if slow && reading.wait_for(|who| *who == Reading::All).await.is_err() {
            return;
        }
        let message = tokio::select! {
            message = socket.next() => message,
            _ = reading.changed(), if slow => continue,
        };
        let Some(Ok(message)) = message else { return };
        if matches!(message, Message::Text(_) | Message::Close(_))
            && reports.send((index, message, Utc::now())).is_err()
        {
            return;
        }
    }
}

/// Waits until so many subscribers have heard so many events or were closed.
async fn collect(
    reports: &mut mpsc::UnboundedReceiver<(usize, Message, DateTime<Utc>)>,
    subscribers: usize,
    events: usize,
) -> Vec<Heard> {
    let mut of: std::collections::HashMap<usize, Heard> = std::collections::HashMap::new();
    let mut done = 0;
    while done < subscribers {
        let next = timeout(Duration::from_mins(2), reports.recv()).await;
        let (index, message, at) = next.expect("the rest of the events").unwrap();
        let heard = of.entry(index).or_default();
        match message {
            Message::Text(text) => {
                text.as_str().hash(&mut heard.hash);
                heard.count += 1;
                heard.latencies.push(latency(&text, at));
                done += usize::from(heard.count == events);
            }
            Message::Close(frame) => {
                heard.closed = Some(frame.map_or_else(String::new, |frame| {
                    format!("{} {}", u16::from(frame.code), frame.reason)
                }));
                done += 1;
            }
            _ => {}
        }
    }
    of.into_values().collect()
}

/// From the moment at which the event was recorded, just before its commit.
fn latency(text: &str, at: DateTime<Utc>) -> f64 {
    let (_, rest) = text.split_once("\"recordedAt\":\"").expect("an update");
    let (recorded, _) = rest.split_once('"').unwrap();
    let recorded: DateTime<Utc> = recorded.parse().unwrap();
    (at - recorded).as_seconds_f64() * 1e3
}

fn report_latency(what: &str, all: &[Heard]) {
    let mut latencies: Vec<f64> = all
        .iter()
        .flat_map(|heard| &heard.latencies)
        .copied()
        .collect();
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index.min(latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{:<46} {:>8.1} ms",
        format!("  commit to receipt, p50, {what}"),
        at(0.5)
    );
    println!(
        "{:<46} {:>8.1} ms",
        format!("  commit to receipt, p99, {what}"),
        at(0.99)
    );
}

/// One event: a worker is paused, or goes on.
async fn change(client: &reqwest::Client, address: &str, token: &str, number: usize) {
    let mutation = if number.is_multiple_of(2) {
        "pauseWorker"
    } else {
        "resumeWorker"
    };
    let query = format!(
        "mutation {{ {mutation}(input: {{ name: \"event-retention\" }}) {{ errors {{ message }} }} }}"
    );
    let answer = client
        .post(format!("http://{address}/graphql"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(json!({ "query": query }).to_string())
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["data"][mutation]["errors"], json!([]), "{answer}");
}

/// Memory of a process in megabytes.
fn resident(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    kilobytes
        .and_then(|text| text.parse::<f64>().ok())
        .unwrap_or_default()
        / 1024.0
}
