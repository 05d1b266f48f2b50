//! Nodes that end with the test, and lines of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use nexus_daemon::api::{Delivered, Done, Inbox, Message, Paths, Status, Verb};
use nexus_daemon::client::{Client, ClientError};

use crate::place::Place;

/// How long anything may take on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// How often a node is asked whether something came about.
const LOOK: Duration = Duration::from_millis(5);

/// A running node.
pub(crate) struct Node {
    process: Process,
    pub(crate) me: Status,
    pub(crate) place: Place,
}

/// The process of a node, which ends when this is dropped, and when the test is killed: then nobody holds its input.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _no_other_waits = self.0.wait();
    }
}

impl Node {
    pub(crate) async fn with(config: &str) -> Self {
        Self::start(Place::with(config)).await
    }

    pub(crate) async fn start(place: Place) -> Self {
        let log = fs::OpenOptions::new().append(true).create(true).open(place.state.log()).unwrap();
        let mut command = place.command(&["run", "--while-fed"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        Self::answering(command.spawn().unwrap(), place).await
    }

    /// The node that this process is, or becomes.
    pub(crate) async fn answering(process: Child, place: Place) -> Self {
        let mut process = Process(process);
        loop {
            if let Some(me) = place.asked().await {
                return Self { process, me, place };
            }
            let ended = process.0.try_wait().unwrap();
            assert!(ended.is_none(), "the node ended: {}", fs::read_to_string(place.state.log()).unwrap());
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.place.state.log()).unwrap()
    }

    /// Waits until its log has a line with these words.
    pub(crate) async fn until_logged(&self, words: &str) {
        let waiting = async {
            while !self.log().contains(words) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await;
        in_time.unwrap_or_else(|_late| panic!("the log does not say {words:?}: {}", self.log()));
    }

    /// The address that an interface listens on.
    pub(crate) fn at(&self, interface: &str) -> String {
        self.me.interfaces.iter().find(|one| one.name == interface).unwrap().address.clone()
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(self) -> Place {
        drop(self.process);
        self.place
    }

    /// Its place, once its process ended after a signal.
    #[allow(dead_code, reason = "the tests among nodes end theirs in order, or as a power cut does")]
    pub(crate) fn ended(mut self) -> Place {
        self.process.0.wait().unwrap();
        self.place
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> Place {
        drop(self.process.0.stdin.take());
        assert!(self.process.0.wait().unwrap().success(), "{}", self.log());
        self.place
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.place.state).await.unwrap()
    }

    /// Waits until what the node says of itself is as it should be.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        self.until_within(PATIENCE, what, holds).await
    }

    /// The same, for so long.
    pub(crate) async fn until_within(
        &self,
        patience: Duration,
        what: &str,
        holds: impl Fn(&Status) -> bool,
    ) -> Status {
        let mut client = self.client().await;
        let mut last = None;
        let waiting = async {
            loop {
                let status: Status = client.call(Verb::Status).await.unwrap();
                if holds(&status) {
                    return status;
                }
                last = Some(status);
                tokio::time::sleep(LOOK).await;
            }
        };
        let in_time = tokio::time::timeout(patience, waiting).await;
        in_time.unwrap_or_else(|_late| panic!("it did not come to be that {what}: {last:?}\n{}", self.log()))
    }

    pub(crate) async fn until_linked(&self, peer: &Self) -> Status {
        let linked = |status: &Status| status.links.iter().any(|link| link.peer == peer.me.node);
        self.until("there is a link", linked).await
    }

    /// Waits until there is a path to each of these, by announce.
    pub(crate) async fn until_known(&self, others: &[&Self]) {
        let mut client = self.client().await;
        let waiting = async {
            loop {
                let Paths { paths, .. } = client.call(Verb::Paths { after: None }).await.unwrap();
                let known =
                    |node: &&Self| paths.iter().any(|path| path.destination == node.me.node && path.node);
                if others.iter().all(known) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await;
        in_time.unwrap_or_else(|_late| panic!("an announce is missing: {}", self.log()));
    }

    /// Writes all these, up to 50 at a time, and waits for each receipt.
    pub(crate) async fn write(
        &self,
        to: &str,
        texts: &[String],
        for_s: u64,
    ) -> Vec<Result<Delivered, ClientError>> {
        let mut client = self.client().await;
        let mut outcomes = Vec::new();
        for some in texts.chunks(50) {
            let mut ids = Vec::new();
            for text in some {
                let (to, text) = (to.to_owned(), text.clone());
                let verb = Verb::Send { to, text, signed: true, for_s, policy: None, class: None };
                ids.push(client.ask(verb).await.unwrap());
            }
            for id in ids {
                outcomes.push(outcome(&mut client, id).await);
            }
        }
        outcomes
    }

    /// All that arrived.
    pub(crate) async fn inbox(&self) -> Vec<Message> {
        let mut client = self.client().await;
        let mut all: Vec<Message> = Vec::new();
        loop {
            let since = all.last().map_or(0, |message| message.number);
            let Inbox { messages, more } = client.call(Verb::Inbox { since, limit: None }).await.unwrap();
            all.extend(messages);
            if !more {
                return all;
            }
        }
    }

    /// Its recordings.
    pub(crate) fn recordings(place: &Place) -> Vec<PathBuf> {
        let files = fs::read_dir(place.state.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|is| is == "pcap")).collect()
    }
}

async fn outcome(client: &mut Client, id: u64) -> Result<Delivered, ClientError> {
    loop {
        match client.answer(id).await? {
            nexus_daemon::api::Answer::Event(_) => {}
            nexus_daemon::api::Answer::Ok(value) => return Ok(serde_json::from_value(value).unwrap()),
            nexus_daemon::api::Answer::Error(failure) => return Err(failure.into()),
        }
    }
}

/// A UDP interface called `name` on a free port of the loopback, which knows these peers and looks for no others.
pub(crate) fn udp(name: &str, peers: &[&str], more: &str) -> String {
    format!(
        "[[udp]]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\ndiscovery_v4 = false\ndiscovery_v6 = false\n\
         peers = {peers:?}\npcap = \"{name}.pcap\"\n{more}"
    )
}

/// A TCP interface that listens on a free port of the loopback.
pub(crate) fn tcp_listening(name: &str) -> String {
    format!("[[tcp]]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\npcap = \"{name}.pcap\"\n")
}

/// A TCP interface that calls.
pub(crate) fn tcp_calling(name: &str, to: &str, more: &str) -> String {
    format!("[[tcp]]\nname = \"{name}\"\nconnect = [\"{to}\"]\npcap = \"{name}.pcap\"\n{more}")
}

/// A and C, which are no neighbours, and B between them: A–B is UDP, B–C is TCP. B knows where the others are, so that it
/// can come back elsewhere.
pub(crate) struct Line {
    pub(crate) a: Node,
    pub(crate) b: Node,
    pub(crate) c: Node,
}

impl Line {
    /// Starts all three and waits until the ends know each other.
    pub(crate) async fn start() -> Self {
        let line = Self::begin("").await;
        line.until_linked().await;
        line.until_known().await;
        line
    }

    /// Starts all three on media that lose announces, which are told again until the ends know each other.
    pub(crate) async fn start_on_bad_media(faults: &str) -> Self {
        let line = Self::begin(faults).await;
        line.until_linked().await;
        let telling = async {
            loop {
                for node in [&line.a, &line.b, &line.c] {
                    let Done {} = node.client().await.call(Verb::Announce).await.unwrap();
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = line.until_known() => {}
            () = telling => {}
        }
        line
    }

    /// Starts all three, with `more` in the configuration of B's interfaces.
    async fn begin(more: &str) -> Self {
        let a = Node::with(&udp("ab", &[], "")).await;
        let c = Node::with(&tcp_listening("bc")).await;
        let config = udp("ab", &[&a.at("ab")], more) + &tcp_calling("bc", &c.at("bc"), more);
        let b = Node::with(&config).await;
        Self { a, b, c }
    }

    pub(crate) async fn until_linked(&self) {
        tokio::join!(
            self.b.until_linked(&self.a),
            self.b.until_linked(&self.c),
            self.a.until_linked(&self.b),
            self.c.until_linked(&self.b),
        );
    }

    pub(crate) async fn until_known(&self) {
        let others = ([&self.b, &self.c], [&self.a, &self.b]);
        tokio::join!(self.a.until_known(&others.0), self.c.until_known(&others.1));
    }
}

/// Texts that are told apart, of different lengths.
pub(crate) fn texts(of: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{of} writes number {number}: {}", "meadow ".repeat(number % 30)))
        .collect()
}

/// Asserts that each text arrived once, from its sender, who proved it.
pub(crate) fn arrived_once(inbox: &[Message], from: &Node, texts: &[String]) {
    let of = inbox.iter().filter(|message| message.from.as_ref() == Some(&from.me.node));
    assert!(of.clone().all(|message| message.verified), "{inbox:?}");
    let mut arrived: Vec<&String> = of.map(|message| &message.text).collect();
    let mut written: Vec<&String> = texts.iter().collect();
    arrived.sort();
    written.sort();
    assert_eq!(arrived, written);
}
