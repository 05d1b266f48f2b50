//! What the daemon answers, and what it makes of what the node says.

use std::sync::Arc;

use nexus_network::Endpoint;
use nexus_node::{Command, Content, Event, Outgoing, Undelivered};
use nexus_secure::Authorship;
use tokio::sync::broadcast::error::RecvError;

use super::requests::Wish;
use super::{Course, Service, sight};
use crate::api::{
    Attempt, Code, Delivered, Done, Event as Told, Inbox, Interfaces, Links, MAX_LINE, Message, PacketClass,
    PathPolicy, Progress, Status, Traced, Verb,
};
use crate::config::{HostPort, node_id, policy_name};
use crate::control::{Asked, Replier};
use crate::drivers::udp;
use crate::logs::Level;

/// What is sent at once, at most.
const MAX_SENDING: usize = 1_024;
/// Of a line, what a list may take: the rest is for what stands around it.
pub(super) const LIST_ROOM: usize = MAX_LINE - 4_096;

/// What is sent for a client, for how long, by what its way is chosen, and how urgent it is.
struct Parcel {
    content: Content,
    for_s: u64,
    policy: Option<PathPolicy>,
    class: Option<PacketClass>,
}

impl Parcel {
    /// Random bytes, sent once, whose proof may take so long.
    const fn probe(len: u16, patience_s: u64) -> Self {
        let content = Content::Probe { len, patience: nexus_machine::Duration::from_secs(patience_s) };
        Self { content, for_s: 0, policy: None, class: None }
    }
}

/// A refusal: for programs, and for people.
type Refusal = (Code, String);

impl Service {
    /// Answers, at once or later.
    pub(super) async fn answer(&mut self, asked: Asked) -> Course {
        let Asked { verb, replier } = asked;
        match verb {
            Verb::Status => self.status(replier).await,
            Verb::Interfaces => self.interfaces(replier).await,
            Verb::Links => self.links(replier).await,
            Verb::Budget => self.see(replier, sight::budget).await,
            Verb::Queues => self.see(replier, sight::queues).await,
            Verb::Witness => self.witness(replier).await,
            Verb::Balances { after } => self.balances(replier, after).await,
            Verb::Ledger { node } => self.ledger(replier, node).await,
            Verb::LedgerExport { file } => self.export_ledger(replier, file.into()).await,
            Verb::Paths { after } => self.paths(replier, after.as_deref()).await,
            Verb::Path { to, policy } => self.path(replier, &to, policy).await,
            Verb::DropPaths { to } => self.drop_paths(replier, &to).await,
            Verb::FindPath { to } => self.find_path(replier, &to).await,
            Verb::Ping { to, for_s, padding, policy, class } => {
                let content = Content::Ping { padding: padding.unwrap_or_default() };
                self.send(replier, &to, Parcel { content, for_s, policy, class }).await;
            }
            Verb::Trace { to, for_s, policy } => {
                self.send(replier, &to, Parcel { content: Content::Trace, for_s, policy, class: None }).await;
            }
            Verb::RnsStatus => self.rns_status(replier).await,
            Verb::RnsProbe { to, len, for_s } => self.send(replier, &to, Parcel::probe(len, for_s)).await,
            Verb::RnsRequest { to, path, data, identify, for_s } => {
                let wish = Wish { path, data, identify, for_s };
                self.rns_request(replier, &to, wish).await;
            }
            Verb::RnsSendFile { to, file } => self.rns_send_file(replier, &to, file.into()).await,
            Verb::RnsReceive { into, from } => self.rns_receive(replier, into.into(), &from).await,
            Verb::Send { to, text, signed, for_s, policy, class } => {
                let authorship = if signed { Authorship::Signed } else { Authorship::Anonymous };
                let content = Content::Message { text: text.into_bytes(), authorship };
                self.send(replier, &to, Parcel { content, for_s, policy, class }).await;
            }
            Verb::LxmfSend { to, title, text, for_s } => {
                self.send_lxmf(replier, &to, (title, text), for_s).await;
            }
            Verb::Inbox { since, limit } => self.inbox(replier, since, limit).await,
            Verb::Listen { since } => self.listen(replier, since).await,
            Verb::Events => self.subscribers.watch(replier),
            Verb::Announce => self.command(replier, Command::Announce).await,
            Verb::Dial { interface, peer, expected } => {
                reply(&replier, self.dial(interface, &peer, expected.as_deref()).await);
            }
            Verb::Undial { interface, peer } => reply(&replier, self.undial(interface, &peer).await),
            Verb::Reload => self.answer_reload(&replier).await,
            Verb::LogLevel { level } => self.log_level(&replier, &level),
            Verb::Backup { file } => self.answer_backup(&replier, file.into()).await,
            Verb::Peers => self.peers(&replier),
            Verb::PeerAdd { node } => self.trust_peer(&replier, &node).await,
            Verb::PeerRemove { node } => self.forget_peer(&replier, &node).await,
            Verb::PeerPrice { node, price_unxs_per_kib: ask } => self.price_peer(&replier, &node, ask).await,
            Verb::Income => self.income(replier).await,
            Verb::Channels => self.channels(replier).await,
            Verb::ChannelOpen { peer, line_unxs: line, deposit_unxs: deposit } => {
                self.open_channel(replier, &peer, line, deposit).await;
            }
            Verb::ChannelDeposit { peer, deposit_unxs } => self.deposit(replier, &peer, deposit_unxs).await,
            Verb::ChannelSettle { peer } => self.settle_channel(replier, &peer).await,
            Verb::ChannelClose { peer, alone } => self.close_channel(replier, &peer, alone).await,
            Verb::ChannelExport { peer, file } => self.export_channel(&replier, &peer, file.into()).await,
            Verb::Stop => {
                replier.ok(&Done {});
                return Course::Ends;
            }
        }
        Course::GoesOn
    }

    async fn listen(&mut self, replier: Replier, since: u64) {
        self.subscribers.listen(replier, since);
        self.serve_listeners().await;
    }

    async fn interfaces(&mut self, replier: Replier) {
        self.see(replier, |view| Interfaces { interfaces: sight::interfaces(view) }).await;
    }

    async fn links(&mut self, replier: Replier) {
        self.see(replier, |view| Links { links: sight::links(view) }).await;
    }

    fn log_level(&self, replier: &Replier, level: &str) {
        match level.parse::<Level>() {
            Ok(level) => {
                self.logs.set_level(level);
                replier.ok(&Done {});
            }
            Err(cause) => replier.fail(Code::BadValue, cause.to_string()),
        }
    }

    /// Answers with what can be seen between two inputs of the node.
    pub(super) async fn see<T, F>(&self, replier: Replier, see: F)
    where
        T: serde::Serialize + Send + 'static,
        F: FnOnce(&crate::HostView<'_>) -> T + Send + 'static,
    {
        match self.handle.ask(move |view| see(view)).await {
            Ok(seen) => replier.ok(&seen),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    async fn command(&self, replier: Replier, command: Command) {
        match self.handle.ask(move |view| view.command(command)).await {
            Ok(()) => replier.ok(&Done {}),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    async fn status(&self, replier: Replier) {
        let status = Status {
            node: self.node.to_string(),
            identity: self.identity.to_string(),
            label: self.config.label.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: self.began.elapsed().as_secs(),
            state: self.options.state.path().display().to_string(),
            config: self.config.file.as_ref().map(|file| file.display().to_string()),
            lxmf: None,
            log: self.options.log.as_ref().map(|log| log.display().to_string()),
            policy: policy_name(&self.config.policy).to_owned(),
            relaying: self.config.relaying == nexus_machine::Relaying::On,
            memory_bytes: sight::memory_bytes(),
            emission: self.emission,
            interfaces: Vec::new(),
            links: Vec::new(),
            path_policy: self.config.path_policy,
            paths: 0,
            messages: 0,
            path_requests: std::collections::BTreeMap::new(),
            refusals: std::collections::BTreeMap::new(),
        };
        let is_lxmf = self.config.lxmf.is_some();
        let see = move |view: &crate::HostView<'_>| Status {
            lxmf: is_lxmf.then(|| format!("{}{}", sight::LXMF_PREFIX, view.node().lxmf().address())),
            interfaces: sight::interfaces(view),
            links: sight::links(view),
            paths: sight::count_paths(view),
            messages: count(view.node().inbox().count()),
            path_requests: sight::path_requests(view),
            refusals: sight::refusals(view),
            ..status
        };
        self.see(replier, see).await;
    }

    async fn rns_status(&self, replier: Replier) {
        let relaying = self.config.relaying == nexus_machine::Relaying::On;
        let identity = self.identity.to_string();
        let unanswered = self.unanswered.clone();
        let see = move |view: &crate::HostView<'_>| {
            let mut status = sight::rns_status(view, identity, relaying);
            let counts = unanswered.iter().flat_map(|unanswered| unanswered.counts());
            status.refusals.extend(counts.map(|(cause, count)| (cause.to_owned(), count)));
            status
        };
        self.see(replier, see).await;
    }

    async fn send(&mut self, replier: Replier, to: &str, parcel: Parcel) {
        let Parcel { content, for_s, policy, class } = parcel;
        let to = match node_id(to) {
            Ok(to) => to,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let Some(handle) = self.expect_end(replier) else { return };
        let lifetime = nexus_machine::Duration::from_secs(for_s);
        let policy = policy.map(sight::policy_of);
        let class = class.map(Into::into);
        let command = Command::Send(Outgoing { handle, to, content, lifetime, policy, class });
        self.command_for(handle, command).await;
    }

    /// Whoever waits for the end of something to be sent, by its handle; none if too many do.
    pub(super) fn expect_end(&mut self, replier: Replier) -> Option<u64> {
        if self.sending.len() >= MAX_SENDING {
            replier.fail(Code::Busy, format!("{MAX_SENDING} messages are on their way already"));
            return None;
        }
        self.last_sending += 1;
        self.sending.insert(self.last_sending, replier);
        Some(self.last_sending)
    }

    /// Has the node send what somebody waits for the end of.
    pub(super) async fn command_for(&mut self, handle: u64, command: Command) {
        if self.handle.ask(move |view| view.command(command)).await.is_err()
            && let Some(replier) = self.sending.remove(&handle)
        {
            replier.fail(Code::Stopping, "the daemon ends");
        }
    }

    async fn inbox(&self, replier: Replier, since: u64, limit: Option<u64>) {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let see = move |view: &crate::HostView<'_>| {
            let (mut messages, mut room) = (Vec::new(), LIST_ROOM);
            let mut more = false;
            for message in view.node().inbox().filter(|message| message.number > since) {
                let message = sight::message(message);
                let Some(left) = room.checked_sub(length(&message)) else {
                    more = true;
                    break;
                };
                if messages.len() == limit {
                    more = true;
                    break;
                }
                room = left;
                messages.push(message);
            }
            Inbox { messages, more }
        };
        self.see(replier, see).await;
    }

    async fn dial(
        &mut self,
        interface: Option<String>,
        peer: &str,
        expected: Option<&str>,
    ) -> Result<(), Refusal> {
        let expected =
            expected.map(node_id).transpose().map_err(|cause| (Code::BadValue, cause.to_string()))?;
        let (name, to) = self.named(interface, peer).await?;
        self.handle.ask(move |view| view.dial(&name, to, expected)).await.map_err(stopping)
    }

    async fn undial(&mut self, interface: Option<String>, peer: &str) -> Result<(), Refusal> {
        let (name, to) = self.named(interface, peer).await?;
        self.handle.ask(move |view| view.undial(&name, to)).await.map_err(stopping)
    }

    /// The interface and the address that a client named.
    async fn named(&self, interface: Option<String>, peer: &str) -> Result<(String, Endpoint), Refusal> {
        let peer: HostPort =
            peer.parse().map_err(|cause: crate::config::NotAnAddress| (Code::BadValue, cause.to_string()))?;
        let names = self.handle.ask(|view| {
            view.media().filter(|medium| medium.kind == "udp").map(|medium| medium.name).collect::<Vec<_>>()
        });
        let names = names.await.map_err(stopping)?;
        let name = match interface {
            Some(name) if names.contains(&name) => name,
            Some(name) => return Err((Code::NotFound, format!("there is no UDP interface called {name}"))),
            None => match names.as_slice() {
                [only] => only.clone(),
                [] => return Err((Code::NotFound, "there is no UDP interface".to_owned())),
                [..] => {
                    let sentence =
                        format!("there are several UDP interfaces: say which ({})", names.join(", "));
                    return Err((Code::BadValue, sentence));
                }
            },
        };
        let found =
            tokio::time::timeout(std::time::Duration::from_secs(5), udp::resolve(&peer.to_string())).await;
        match found {
            Ok(Ok(endpoints)) if !endpoints.is_empty() => Ok((name, endpoints[0])),
            Ok(Err(cause)) => Err((Code::NotFound, format!("{peer} cannot be looked up: {cause}"))),
            Ok(Ok(_)) | Err(_) => Err((Code::NotFound, format!("{peer} cannot be looked up"))),
        }
    }

    /// What the node says.
    pub(super) async fn hear(&mut self, event: Result<Arc<Event>, RecvError>) {
        match event {
            Ok(event) => self.hear_event(&event).await,
            Err(RecvError::Lagged(events)) => {
                tracing::warn!("{events} events were not followed: the machine is too slow");
                self.subscribers.missed(events);
            }
            // The host is gone, which ends the daemon.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    async fn hear_event(&mut self, event: &Event) {
        match event {
            Event::Attempted { handle, attempt } => {
                let attempt = match attempt {
                    nexus_node::Attempt::Sent => Attempt::Sent,
                    nexus_node::Attempt::NoPath => Attempt::NoPath,
                };
                if let Some(replier) = self.sending.get(handle) {
                    replier.event(Told::Progress(Progress { attempt }));
                }
            }
            Event::Delivered { handle, attempts, round_trip } => {
                if let Some(replier) = self.sending.remove(handle) {
                    replier.ok(&Delivered {
                        attempts: *attempts,
                        round_trip_us: round_trip.as_micros(),
                        left_at: None,
                    });
                }
            }
            Event::Traced { handle, attempts, round_trip, traced } => {
                self.hear_traced(*handle, *attempts, *round_trip, traced);
            }
            Event::Undelivered { handle, why } => {
                if let Some(replier) = self.sending.remove(handle) {
                    let (code, sentence) = undelivered(*why);
                    replier.fail(code, sentence);
                }
            }
            Event::LinkUp(link) => {
                tracing::info!("a link with {} came up", link.peer.node_id());
            }
            Event::LinkDown { last, why } => {
                tracing::info!("the link with {} is no more: {}", last.peer.node_id(), sight::why(*why));
            }
            Event::MessageArrived(message) => {
                tracing::info!("message {} arrived", message.number);
                self.serve_listeners().await;
            }
            Event::Announced { emitted_at } => {
                self.emission = Some(*emitted_at);
                tracing::info!("announced itself (emission {emitted_at})");
            }
            Event::Reached { destination, hops, .. } => {
                tracing::debug!("{} can be reached, hops: {hops}", destination);
            }
            Event::PathFound { destination, hops, after } => {
                self.path_found(destination, *hops, after.as_millis());
            }
            Event::PathNotFound { destination } => self.path_not_found(destination),
            Event::ChannelJammed { iface } => {
                tracing::debug!("the channel of interface {} stays busy", iface.0);
            }
            Event::ClocksParted { by } => {
                let s = by.as_secs();
                tracing::warn!("the clocks parted by {s} s: this machine was suspended, or runs twice");
            }
            Event::Endpoint(event) => self.hear_endpoint(event).await,
            Event::Lxmf(event) => self.hear_lxmf(*event),
            Event::Economy(event) => super::money::hear_of_money(event),
            Event::Ledger(event) => Self::hear_of_books(event),
            Event::EntropyWanted => {}
        }
        if self.subscribers.anybody_watches() {
            self.tell_watchers(event).await;
        }
    }

    fn hear_traced(
        &mut self,
        handle: u64,
        attempts: u32,
        round_trip: nexus_machine::Duration,
        traced: &nexus_node::Traced,
    ) {
        if let Some(replier) = self.sending.remove(&handle) {
            replier.ok(&Traced {
                attempts,
                round_trip_us: round_trip.as_micros(),
                hops_there: traced.there.0,
                hops_back: traced.back.0,
                clock_ms: traced.clock_ms,
                way_back: traced.way_back.map(sight::quote),
            });
        }
    }

    /// Hands the messages that arrived to those who listen.
    pub(super) async fn serve_listeners(&mut self) {
        let Some(since) = self.subscribers.listening_since() else { return };
        let messages = self.handle.ask(move |view| {
            let later = view.node().inbox().filter(|message| message.number > since);
            later.map(sight::message).collect::<Vec<Message>>()
        });
        if let Ok(messages) = messages.await {
            self.subscribers.deliver(&messages);
        }
    }

    /// Says what was refused since the last look.
    pub(super) async fn log_refusals(&mut self) {
        // A host that is gone ends the daemon elsewhere.
        let Ok(counters) = self.handle.ask(|view| sight::refusals(view)).await else { return };
        for sentence in self.refusals.news(&counters, std::time::Instant::now()) {
            tracing::warn!("{sentence}");
        }
    }

    /// Nobody gets an answer from a daemon that is gone.
    pub(super) fn end_requests(&mut self) {
        let finding = std::mem::take(&mut self.finding).into_values().flatten();
        for replier in std::mem::take(&mut self.sending).into_values().chain(finding) {
            replier.fail(Code::Stopping, "the daemon ends");
        }
    }

    async fn tell_watchers(&mut self, event: &Event) {
        let event = event.clone();
        let told = self.handle.ask(move |view| told(view, &event)).await;
        if let Ok(Some(told)) = told {
            self.subscribers.tell(&told);
        }
    }

    /// An interface came, went, or changed.
    pub(super) async fn interfaces_changed(&mut self) {
        let up = self.handle.ask(|view| {
            let up = view.interfaces().filter(|interface| interface.carrier == crate::driver::Carrier::Up);
            up.map(|interface| interface.name.clone()).collect()
        });
        let Ok(up) = up.await else { return };
        let before = std::mem::replace(&mut self.up, up);
        for name in before.difference(&self.up) {
            self.subscribers.tell(&Told::InterfaceDown { interface: name.clone() });
        }
        for name in self.up.difference(&before) {
            self.subscribers.tell(&Told::InterfaceUp { interface: name.clone() });
        }
    }
}

fn reply(replier: &Replier, done: Result<(), Refusal>) {
    match done {
        Ok(()) => replier.ok(&Done {}),
        Err((code, sentence)) => replier.fail(code, sentence),
    }
}

fn stopping(gone: crate::driver::HostGone) -> Refusal {
    (Code::Stopping, gone.to_string())
}

/// An event for those who watch; attempts are for whom they concern.
fn told(view: &crate::HostView<'_>, event: &Event) -> Option<Told> {
    let name = |iface| sight::interface_name(view, iface);
    Some(match event {
        Event::Announced { emitted_at } => Told::Announced { emission: *emitted_at },
        Event::Reached { destination, hops, iface, .. } => {
            Told::Reached { destination: destination.to_string(), hops: *hops, interface: name(*iface) }
        }
        Event::ChannelJammed { iface } => Told::ChannelJammed { interface: name(*iface) },
        Event::ClocksParted { by } => Told::ClocksParted { by_ms: by.as_micros() / 1_000 },
        Event::LinkUp(link) => Told::LinkUp { link: sight::link(view, link) },
        Event::LinkDown { last, why } => {
            Told::LinkDown { link: sight::link(view, last), why: sight::why(*why).to_owned() }
        }
        Event::MessageArrived(message) => Told::Message(sight::message(message)),
        Event::Attempted { .. }
        | Event::PathFound { .. }
        | Event::PathNotFound { .. }
        | Event::Delivered { .. }
        | Event::Traced { .. }
        | Event::Undelivered { .. }
        | Event::Endpoint(_)
        | Event::Lxmf(_)
        | Event::Economy(_)
        | Event::EntropyWanted
        | Event::Ledger(_) => return None,
    })
}

fn undelivered(why: Undelivered) -> Refusal {
    match why {
        Undelivered::NoPath => (Code::NoPath, "no way to the recipient was known".to_owned()),
        Undelivered::NoReceipt { attempts } => {
            (Code::NoReceipt, format!("it was sent {attempts} times, and no receipt came"))
        }
        Undelivered::TooLong => {
            let (text, probe) = (Content::MAX_TEXT, Content::MAX_PROBE);
            let sentence = format!("it is too long: a text has at most {text} bytes, a probe {probe}");
            (Code::BadValue, sentence)
        }
        Undelivered::Busy => (Code::Busy, "as much as may be on its way is on its way already".to_owned()),
    }
}

/// What a value takes in a list, in bytes.
pub(super) fn length(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len() + 1)
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
