//! The demo's nodes: daemons as anybody runs them, each with its configuration, its state and its control socket.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nexus_air::Transmission;
use nexus_daemon::api::{Delivered, Done, Inbox, Interfaces, Link, Path as Way, Paths, Status, Verb};
use nexus_daemon::client::{Client, ClientError};
use nexus_daemon::state_dir::StateDir;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use super::media::{Media, Medium};
use super::picture::Picture;
use super::{DemoError, Letter, Mail, NODES, letter};

/// All nodes.
#[derive(Debug)]
pub(super) struct Town {
    directory: PathBuf,
    media: Media,
    nodes: Vec<Running>,
    /// A process that does not answer yet: it is ended with the others, whenever the demo ends.
    starting: Option<Child>,
    mail: Mail,
}

/// A node that runs.
#[derive(Debug)]
struct Running {
    process: Child,
    /// The node ends when this is closed, however the demo ended.
    _leash: ChildStdin,
    client: Client,
    state: StateDir,
    address: String,
    identity: String,
}

/// All nodes at one moment.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) nodes: Vec<SeenNode>,
}

/// A node at one moment.
#[derive(Debug)]
pub(super) struct SeenNode {
    pub(super) status: Status,
    pub(super) paths: Vec<Way>,
    /// The address of the node `letter`, for the others' tables.
    pub(super) names: BTreeMap<String, usize>,
}

/// What is counted as rejected. Repeated or overtaken news is not, nor a frame that came again because its acknowledgement was
/// lost: that is what a mesh of radios is made of.
const REJECTIONS: [&str; 13] = [
    "link_malformed",
    "link_other_version",
    "link_not_authentic",
    "link_looped",
    "link_not_a_node",
    "link_other_peer",
    "link_unwanted",
    "link_downgraded",
    "link_flooded",
    "announce_malformed",
    "announce_forged",
    "announce_other_key",
    "packet_malformed",
];

impl Town {
    /// Nodes on these media, which keep everything below `directory`.
    pub(super) fn new(directory: &Path, media: Media) -> Self {
        let directory = directory.to_owned();
        Self { directory, media, nodes: Vec::new(), starting: None, mail: Mail::default() }
    }

    /// Starts the nodes in the order of the line, each on the medium of the one before it.
    pub(super) async fn start(&mut self, picture: &mut Picture) -> Result<(), DemoError> {
        let mut before = None;
        for index in 0..NODES {
            let directory = self.directory.join(letter(index));
            let state = StateDir::locate(Some(directory.clone())).map_err(DemoError::State)?;
            state.make().map_err(DemoError::State)?;
            std::fs::write(directory.join("nexus.toml"), self.media.configuration(index, before.as_deref()))
                .map_err(DemoError::Directory)?;
            let process = self.starting.insert(spawn(&state)?);
            let (client, status) = until_it_answers(process, &state, index).await?;
            let process = self.starting.take().expect("it was put there");
            picture.say(&format!("{} runs: node {}", letter(index), status.node));
            self.nodes.push(Running::of(process, client, state, status));
            before = self.nodes[index].listens_at(index).await?;
        }
        Ok(())
    }

    pub(super) fn running(&self) -> usize {
        self.nodes.len()
    }

    pub(super) const fn mail(&self) -> &Mail {
        &self.mail
    }

    /// What must not be seen on any medium: the nodes' addresses and identity hashes.
    pub(super) fn addresses(&self) -> Vec<&str> {
        self.nodes.iter().flat_map(|node| [node.address.as_str(), node.identity.as_str()]).collect()
    }

    /// What was on the air, as the radio medium itself recorded it.
    pub(super) fn on_air(&self) -> Vec<Transmission> {
        self.media.on_air()
    }

    /// The recordings of all media, as the nodes made them.
    pub(super) fn recordings(&self) -> Vec<PathBuf> {
        let directories = (0..NODES).map(|index| self.directory.join(letter(index)));
        let files = directories.filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|is| is == "pcap")).collect()
    }

    /// Asks every node how it is.
    pub(super) async fn look(&mut self) -> Result<Seen, DemoError> {
        let names: BTreeMap<String, usize> =
            self.nodes.iter().enumerate().map(|(index, node)| (node.address.clone(), index)).collect();
        let mut nodes = Vec::new();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let status = node.ask::<Status>(index, Verb::Status).await?;
            let paths = node.ask::<Paths>(index, Verb::Paths { after: None }).await?.paths;
            nodes.push(SeenNode { status, paths, names: names.clone() });
        }
        Ok(Seen { nodes })
    }

    /// Lets every node write to every other, all at once, and looks into the inboxes.
    pub(super) async fn exchange(&mut self, round: u32) -> Result<(), DemoError> {
        let mut writers = JoinSet::new();
        for from in 0..NODES {
            // Each begins with another, so that not all write to the same one at a time.
            let others: Vec<(usize, String)> = (1..NODES)
                .map(|step| (from + step) % NODES)
                .map(|to| (to, self.nodes[to].address.clone()))
                .collect();
            for (to, _) in &others {
                let text = text(from, *to, round);
                self.mail.letters.insert((from, *to, round), Letter { text, receipt: None, arrived: false });
            }
            writers.spawn(write_to_all(self.nodes[from].state.clone(), from, others, round));
        }
        while let Some(receipts) = writers.join_next().await {
            for (from, to, receipt) in receipts.expect("a writer does not panic") {
                if let Some(letter) = self.mail.letters.get_mut(&(from, to, round)) {
                    letter.receipt = receipt;
                }
            }
        }
        for to in 0..NODES {
            self.read_inbox(to).await?;
        }
        Ok(())
    }

    async fn read_inbox(&mut self, to: usize) -> Result<(), DemoError> {
        let mut since = 0;
        loop {
            let node = &mut self.nodes[to];
            let Inbox { messages, more } = node.ask(to, Verb::Inbox { since, limit: None }).await?;
            for message in &messages {
                since = message.number;
                let sender = message.from.as_ref().filter(|_| message.verified);
                let from = self.nodes.iter().position(|node| Some(&node.address) == sender);
                let letters = self.mail.letters.iter_mut();
                for ((by, at, _), letter) in letters {
                    letter.arrived |= Some(*by) == from && *at == to && letter.text == message.text;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Ends every process that was started, and waits until each is gone.
    pub(super) async fn end(&mut self) {
        for (index, node) in self.nodes.iter_mut().enumerate() {
            // One that does not answer is ended with its process below.
            let _asked = node.ask::<Done>(index, Verb::Stop).await;
        }
        if let Some(process) = &mut self.starting {
            let _already_gone = process.kill().await;
        }
        for node in &mut self.nodes {
            if tokio::time::timeout(Duration::from_secs(5), node.process.wait()).await.is_err() {
                let _already_gone = node.process.kill().await;
            }
        }
    }
}

impl Running {
    fn of(mut process: Child, client: Client, state: StateDir, status: Status) -> Self {
        let leash = process.stdin.take().expect("standard input was piped");
        let (address, identity) = (status.node, status.identity);
        Self { process, _leash: leash, client, state, address, identity }
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &mut self,
        index: usize,
        verb: Verb,
    ) -> Result<T, DemoError> {
        self.client.call(verb).await.map_err(|cause| DemoError::Deaf(letter(index), cause))
    }

    /// Where the next node of the line connects to.
    async fn listens_at(&mut self, index: usize) -> Result<Option<String>, DemoError> {
        let interfaces = self.ask::<Interfaces>(index, Verb::Interfaces).await?.interfaces;
        let onward = interfaces.into_iter().find(|interface| interface.name == "onward");
        Ok(onward.map(|interface| interface.address))
    }
}

/// Starts the process of a node.
fn spawn(state: &StateDir) -> Result<Child, DemoError> {
    let directory = state.path();
    let program = std::env::current_exe().map_err(DemoError::Start)?;
    let log = std::fs::File::create(directory.join("log")).map_err(DemoError::Directory)?;
    Command::new(program)
        .args(["node", "run", "--while-fed", "--state"])
        .arg(directory)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        // An interrupt from the terminal is for the demo, which then ends its nodes in order.
        .process_group(0)
        .spawn()
        .map_err(DemoError::Start)
}

async fn until_it_answers(
    process: &mut Child,
    state: &StateDir,
    index: usize,
) -> Result<(Client, Status), DemoError> {
    let deaf = |cause| DemoError::Deaf(letter(index), cause);
    loop {
        match Client::connect(state).await {
            Ok(mut client) => {
                let status = client.call(Verb::Status).await.map_err(deaf)?;
                return Ok((client, status));
            }
            Err(ClientError::NotRunning(_)) => {}
            Err(cause) => return Err(deaf(cause)),
        }
        if process.try_wait().map_err(DemoError::Start)?.is_some() {
            let said = std::fs::read_to_string(state.path().join("log")).unwrap_or_default();
            return Err(DemoError::Ended(letter(index), said.trim().to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Writes to all others, each message tried for twenty seconds. Returns which receipts came, and how long each took.
async fn write_to_all(
    state: StateDir,
    from: usize,
    others: Vec<(usize, String)>,
    round: u32,
) -> Vec<(usize, usize, Option<Duration>)> {
    let Ok(mut client) = Client::connect(&state).await else { return Vec::new() };
    let mut receipts = Vec::new();
    for (to, address) in others {
        let verb = Verb::Send {
            to: address,
            text: text(from, to, round),
            signed: true,
            for_s: 20,
            policy: None,
            class: None,
        };
        let receipt = client.call::<Delivered>(verb).await.ok();
        receipts.push((from, to, receipt.map(|receipt| Duration::from_micros(receipt.round_trip_us))));
    }
    receipts
}

fn text(from: usize, to: usize, round: u32) -> String {
    format!("Hello {}, this is {}: message {round} over the mesh.", letter(to), letter(from))
}

impl Seen {
    /// The links that both ends have, each once: who, with whom, and over what.
    pub(super) fn links(&self) -> BTreeMap<(usize, usize), Medium> {
        let nodes = self.nodes.iter().enumerate();
        let ends: BTreeMap<(usize, usize), Medium> = nodes
            .flat_map(|(index, node)| {
                node.linked().filter_map(move |(peer, link)| Some(((index, peer), node.medium(link)?)))
            })
            .collect();
        let both = |(a, b): (usize, usize)| a < b && ends.contains_key(&(b, a));
        ends.iter().map(|(pair, medium)| (*pair, *medium)).filter(|(pair, _)| both(*pair)).collect()
    }

    /// Ordered pairs of nodes of which one knows a way to the other.
    pub(super) fn paths(&self) -> usize {
        self.nodes.iter().map(|node| node.reached().count()).sum()
    }

    /// Frames and announces that were not believed.
    pub(super) fn rejected(&self) -> u64 {
        let of = |node: &SeenNode| -> u64 {
            REJECTIONS.iter().filter_map(|cause| node.status.refusals.get(*cause)).sum()
        };
        self.nodes.iter().map(of).sum()
    }
}

impl SeenNode {
    /// The neighbours among the demo's nodes.
    pub(super) fn linked(&self) -> impl Iterator<Item = (usize, &Link)> {
        let links = self.status.links.iter();
        links.filter_map(|link| Some((*self.names.get(&link.peer)?, link)))
    }

    /// Over what a link runs.
    pub(super) fn medium(&self, link: &Link) -> Option<Medium> {
        let interface = self.status.interfaces.iter().find(|interface| interface.name == link.interface);
        Medium::of_kind(&interface?.kind)
    }

    /// The demo's nodes that it knows a way to.
    pub(super) fn reached(&self) -> impl Iterator<Item = (usize, &Way)> {
        self.paths.iter().filter_map(|way| Some((*self.names.get(&way.destination)?, way)))
    }
}
