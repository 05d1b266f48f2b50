use super::*;
use crate::api::{Attempt, Delivered, Done, Progress};
use crate::client::{Client, ClientError};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::locate(Some(directory.path().to_owned())).unwrap();
    (directory, state)
}

#[tokio::test]
async fn answers_find_their_requests_in_whatever_order_they_come() {
    let (_directory, state) = state();
    let mut control = Control::open(&state).unwrap();
    let mut client = Client::connect(&state).await.unwrap();
    let ping = client.ask(ping_once()).await.unwrap();
    let announce = client.ask(Verb::Announce).await.unwrap();
    let first = control.next().await.unwrap();
    let second = control.next().await.unwrap();
    assert_eq!((&first.verb, &second.verb), (&ping_once(), &Verb::Announce));
    second.replier.ok(&Done {});
    first.replier.event(Event::Progress(Progress { attempt: Attempt::Sent }));
    first.replier.ok(&Delivered { attempts: 1, round_trip_us: 5, left_at: None });
    assert_eq!(
        client.answer(ping).await.unwrap(),
        Answer::Event(Event::Progress(Progress { attempt: Attempt::Sent }))
    );
    assert!(matches!(client.answer(ping).await.unwrap(), Answer::Ok(_)));
    assert!(matches!(client.answer(announce).await.unwrap(), Answer::Ok(_)));
}

/// What comes back for a line.
async fn answered(line: &str) -> String {
    let (_directory, state) = state();
    let _control = Control::open(&state).unwrap();
    let mut stream = BufReader::new(UnixStream::connect(state.socket()).await.unwrap());
    stream.write_all(line.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_the_reason() {
    for (line, id, code) in [
        ("hello\n", 0, "bad_request"),
        ("{\"v\":1,\"do\":\"status\"}\n", 0, "bad_request"),
        ("{\"v\":2,\"id\":7,\"do\":\"status\"}\n", 7, "unknown_version"),
        ("{\"id\":7,\"do\":\"status\"}\n", 7, "unknown_version"),
        ("{\"v\":1,\"id\":7}\n", 7, "bad_request"),
        ("{\"v\":1,\"id\":7,\"do\":\"dance\"}\n", 7, "unknown_verb"),
        ("{\"v\":1,\"id\":7,\"do\":\"ping\"}\n", 7, "bad_value"),
    ] {
        let answer = answered(line).await;
        let start = format!("{{\"v\":1,\"id\":{id},\"error\":{{\"code\":\"{code}\",\"sentence\":\"");
        assert!(answer.starts_with(&start), "{line} → {answer}");
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_ends_the_connection_with_the_reason() {
    let answer = answered(&"x".repeat(MAX_LINE)).await;
    assert!(answer.contains("\"too_long\""), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_and_closes_its_side_gets_its_answer() {
    let (_directory, state) = state();
    let mut control = Control::open(&state).unwrap();
    let mut stream = UnixStream::connect(state.socket()).await.unwrap();
    stream.write_all(b"{\"v\":1,\"id\":1,\"do\":\"announce\"}\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let asked = control.next().await.unwrap();
    while asked.replier.is_open() {
        tokio::task::yield_now().await;
    }
    asked.replier.ok(&Done {});
    drop(asked);
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "{\"v\":1,\"id\":1,\"ok\":{}}\n");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_within_its_bound() {
    let (_directory, state) = state();
    let mut control = Control::open(&state).unwrap();
    let mut client = Client::connect(&state).await.unwrap();
    client.ask(Verb::Events).await.unwrap();
    let asked = control.next().await.unwrap();
    let mut sent = 0;
    while asked.replier.is_open() {
        asked.replier.event(Event::InterfaceUp { interface: "x".repeat(1_000) });
        sent += 1_000;
        tokio::task::yield_now().await;
        // The kernel's buffers take some too.
        assert!(sent < 16 * MAX_WAITING, "it is never cut off");
    }
    assert!(!asked.replier.has_room());
}

#[tokio::test]
async fn more_clients_than_the_bound_are_turned_away_and_others_are_served() {
    let (_directory, state) = state();
    let mut control = Control::open(&state).unwrap();
    let mut clients = Vec::new();
    for _ in 0..MAX_CLIENTS {
        let mut client = Client::connect(&state).await.unwrap();
        client.ask(Verb::Announce).await.unwrap();
        control.next().await.unwrap().replier.ok(&Done {});
        clients.push(client);
    }
    let mut late = Client::connect(&state).await.unwrap();
    let refused = late.call::<Done>(Verb::Announce).await;
    assert!(matches!(refused, Err(ClientError::Ended | ClientError::Broken(_))), "{refused:?}");
    assert_eq!(clients[0].answer(1).await.unwrap(), Answer::Ok(serde_json::json!({})));
}

#[tokio::test]
async fn without_a_daemon_the_sentence_says_how_to_start_one() {
    let (_directory, state) = state();
    let sentence = Client::connect(&state).await.unwrap_err().to_string();
    assert!(sentence.ends_with("(start one with `nexus node start`)"), "{sentence}");
    drop(Control::open(&state).unwrap());
    assert!(!state.socket().exists());
}

fn ping_once() -> Verb {
    Verb::Ping { to: "00".to_owned(), for_s: 1, padding: None, policy: None, class: None }
}
