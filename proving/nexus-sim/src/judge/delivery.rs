//! What is said to be delivered is there, and everything is said once. Source: spec/simulation.md#delivery.

use std::collections::BTreeMap;

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Snapshot};
use nexus_node::{Command, Event, Input, Output};
use nexus_secure::contract::Authorship;
use nexus_secure::{Content, Message, Outgoing, Sender, Undelivered};

use super::mirror::Mirror;
use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::observation::{Act, Finding, Judge, NodeIndex, Observation, Observer, Provenance, Verdict, What};
use crate::schedule::Action;

/// A message that is shown was sent to this node by whom it names, is durable there, and is not shown again, whatever crashes
/// in between. A message that is called delivered was shown to its recipient or is durable there. Each handle comes to
/// exactly one end while its node runs, no later than [`SLACK`] after its lifetime. Once the world was calm for a stated time,
/// whatever is still on its way or is sent is delivered, among those who are connected by links alone: open media carry no
/// packets of nodes. Source: spec/network.md#forwarding.
///
/// A node that was given an earlier image of its disk has forgotten what it was shown: it is excused of showing it again.
#[derive(Debug)]
pub struct Delivery {
    ids: Vec<NodeId>,
    /// By node: within which group everything goes over links.
    groups: Vec<Option<u32>>,
    disks: Vec<Mirror>,
    /// Whether a disk was ever set back.
    stale: Vec<bool>,
    incarnations: Vec<u32>,
    errands: BTreeMap<Errand, Progress>,
    /// By text: no two messages of a world have the same.
    letters: BTreeMap<Vec<u8>, Letter>,
    settled_at: WorldTime,
    seen_until: WorldTime,
    finding: Finding,
}

/// How long after its lifetime the end of an errand may be reported.
pub const SLACK: Duration = Duration::from_secs(120);
/// With so much on its way at once a node may say that it is busy.
pub const BUSY_FROM: usize = 8;

/// One `Command::Send`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Errand {
    node: NodeIndex,
    incarnation: u32,
    handle: u64,
}

#[derive(Debug)]
struct Progress {
    outgoing: Outgoing,
    /// When it must have come to its end.
    until: WorldTime,
    ended: bool,
}

#[derive(Debug)]
struct Letter {
    from: NodeIndex,
    to: NodeId,
    authorship: Authorship,
    shown: bool,
}

impl Delivery {
    /// A judge of nodes with these ids on this layout. From `settled_at` on, the world is so calm that everything arrives.
    #[must_use]
    pub fn new(ids: Vec<NodeId>, layout: &Layout, settled_at: WorldTime) -> Self {
        let count = ids.len();
        Self {
            ids,
            groups: layout.linked_groups(),
            disks: (0..count).map(|_| Mirror::default()).collect(),
            stale: vec![false; count],
            incarnations: vec![0; count],
            errands: BTreeMap::new(),
            letters: BTreeMap::new(),
            settled_at,
            seen_until: WorldTime::START,
            finding: Finding::default(),
        }
    }

    /// The run lasts until `end`, whether anything happens then or not.
    #[must_use]
    pub fn lasting(mut self, end: WorldTime) -> Self {
        self.seen_until = end;
        self
    }

    /// How many messages were sent, and how many of them were shown.
    #[must_use]
    pub fn shown(&self) -> (usize, usize) {
        let shown = self.letters.values().filter(|letter| letter.shown).count();
        (self.letters.len(), shown)
    }

    fn sends(&mut self, at: WorldTime, errand: Errand, outgoing: &Outgoing) -> Result<(), String> {
        if self.errands.get(&errand).is_some_and(|before| !before.ended) {
            return Err(format!("is given handle {} twice: the schedule is wrong", errand.handle));
        }
        if let Content::Message { text, authorship } = &outgoing.content {
            let letter = Letter { from: errand.node, to: outgoing.to, authorship: *authorship, shown: false };
            self.letters.entry(text.clone()).or_insert(letter);
        }
        let until = at.after(outgoing.lifetime).after(SLACK);
        self.errands.insert(errand, Progress { outgoing: outgoing.clone(), until, ended: false });
        Ok(())
    }

    /// While a machine is suspended its clock stands still, and what it is to send has that much longer.
    fn sleeps(&mut self, node: NodeIndex, span: Duration) {
        for (_, progress) in self.errands.iter_mut().filter(|(errand, _)| errand.node == node) {
            progress.until = progress.until.after(span);
        }
    }

    fn shows(&mut self, node: NodeIndex, message: &Message) -> Result<(), String> {
        let place = node.place();
        let Some(letter) = self.letters.get_mut(&message.text) else {
            return Err(format!("is shown message {}, which nobody sent", message.number));
        };
        let author = letter.from.0;
        if letter.to != self.ids[place] {
            return Err(format!("is shown a message of node {author} to {}", letter.to));
        }
        let from = self.ids[letter.from.place()];
        let named = match (letter.authorship, message.sender) {
            (Authorship::Signed, Sender::Verified(named) | Sender::Claimed(named)) => named == from,
            (Authorship::Anonymous, Sender::Anonymous) => true,
            (Authorship::Signed, Sender::Anonymous)
            | (Authorship::Anonymous, Sender::Verified(_) | Sender::Claimed(_))
            | (_, Sender::Foreign(_) | Sender::ForeignClaimed(_)) => false,
        };
        if !named {
            return Err(format!("is shown a message of node {author} as from {:?}", message.sender));
        }
        if letter.shown && !self.stale[place] {
            return Err(format!("is shown a message of node {author} twice"));
        }
        letter.shown = true;
        if !holds(self.disks[place].durable(), &message.text) {
            return Err(format!("is shown message {}, which its disk would forget", message.number));
        }
        Ok(())
    }

    /// An errand came to its end.
    fn ends(&mut self, errand: Errand) -> Result<&Progress, String> {
        let handle = errand.handle;
        let Some(progress) = self.errands.get_mut(&errand) else {
            return Err(format!("reports the end of {handle}, which it was not given"));
        };
        if std::mem::replace(&mut progress.ended, true) {
            return Err(format!("reports the end of {handle} twice"));
        }
        Ok(progress)
    }

    fn delivered(&mut self, errand: Errand) -> Result<(), String> {
        let outgoing = self.ends(errand)?.outgoing.clone();
        let Content::Message { text, .. } = &outgoing.content else { return Ok(()) };
        let shown = self.letters.get(text).is_some_and(|letter| letter.shown);
        let to = self.ids.iter().position(|id| *id == outgoing.to);
        let durable = to.is_some_and(|place| holds(self.disks[place].durable(), text));
        if shown || durable {
            return Ok(());
        }
        Err(format!("calls {} delivered, which {} never got", errand.handle, outgoing.to))
    }

    fn undelivered(&mut self, at: WorldTime, errand: Errand, why: Undelivered) -> Result<(), String> {
        let settled_at = self.settled_at;
        let busy = self.underway(errand).count() >= BUSY_FROM;
        let progress = self.ends(errand)?;
        let to = progress.outgoing.to;
        // Whatever its patience, an errand that had time after the world settled must succeed.
        let had_time = progress.until > settled_at.after(SLACK) && at > settled_at;
        let excused = match why {
            Undelivered::TooLong => true,
            Undelivered::Busy => busy,
            Undelivered::NoPath | Undelivered::NoReceipt { .. } => false,
        };
        if had_time && !excused && self.linked(errand.node, to) {
            return Err(format!("gives {} up in a calm world: {why:?}", errand.handle));
        }
        Ok(())
    }

    fn linked(&self, node: NodeIndex, to: NodeId) -> bool {
        let place = self.ids.iter().position(|id| *id == to);
        let group = place.and_then(|place| self.groups[place]);
        group.is_some() && group == self.groups[node.place()]
    }

    fn underway(&self, of: Errand) -> impl Iterator<Item = &Progress> {
        let of_node = move |errand: &Errand| errand.node == of.node && errand.incarnation == of.incarnation;
        self.errands.iter().filter(move |(errand, _)| of_node(errand)).map(|(_, p)| p).filter(|p| !p.ended)
    }

    fn took(
        &mut self,
        at: WorldTime,
        node: NodeIndex,
        incarnation: u32,
        event: &Event,
    ) -> Result<(), String> {
        let errand = |handle: &u64| Errand { node, incarnation, handle: *handle };
        match event {
            Event::MessageArrived(message) => self.shows(node, message),
            Event::Attempted { handle, .. } => match self.errands.get(&errand(handle)) {
                Some(progress) if !progress.ended => Ok(()),
                Some(_) => Err(format!("tries {handle} after its end")),
                None => Err(format!("tries {handle}, which it was not given")),
            },
            Event::Delivered { handle, .. } | Event::Traced { handle, .. } => self.delivered(errand(handle)),
            Event::Undelivered { handle, why } => self.undelivered(at, errand(handle), *why),
            Event::Announced { .. }
            | Event::Reached { .. }
            | Event::ChannelJammed { .. }
            | Event::PathFound { .. }
            | Event::PathNotFound { .. }
            | Event::ClocksParted { .. }
            | Event::EntropyWanted
            | Event::Ledger(_)
            | Event::Endpoint(_)
            | Event::Lxmf(_)
            | Event::Economy(_)
            | Event::LinkUp(_)
            | Event::LinkDown { .. } => Ok(()),
        }
    }

    fn judge(
        &mut self,
        at: WorldTime,
        node: NodeIndex,
        incarnation: u32,
        act: &Act<'_>,
    ) -> Result<(), String> {
        self.disks[node.place()].observe(act);
        match act {
            Act::Booted { disk, .. } => {
                self.incarnations[node.place()] = incarnation;
                self.stale[node.place()] |= *disk == Provenance::Stale;
                Ok(())
            }
            Act::Crashed => {
                // Whoever stops has nothing more to say of what it was given.
                self.errands.retain(|errand, _| errand.node != node);
                Ok(())
            }
            Act::Given { input: Input::Command(Command::Send(outgoing)), .. } => {
                let errand = Errand { node, incarnation, handle: outgoing.handle };
                self.sends(at, errand, outgoing)
            }
            Act::Took(Output::Event(event)) => self.took(at, node, incarnation, event),
            Act::Took(Output::Transmit { .. } | Output::Sense { .. } | Output::Persist { .. })
            | Act::Given { .. }
            | Act::Durable(_)
            | Act::Woken { .. }
            | Act::Rested { .. } => Ok(()),
        }
    }
}

/// Whether a store has `text` in one of its values.
fn holds(store: &Snapshot, text: &[u8]) -> bool {
    store.iter().any(|(_, _, value)| value.windows(text.len().max(1)).any(|window| window == text))
}

impl Observer for Delivery {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.seen_until = self.seen_until.max(observation.at);
        match &observation.what {
            What::Node { node, incarnation, act } => {
                if let Err(reason) = self.judge(observation.at, *node, *incarnation, act) {
                    self.finding.fail(observation.at, || format!("node {} {reason}", node.0));
                }
            }
            What::Scheduled(Action::Sleep(node, span)) => self.sleeps(*node, *span),
            What::Scheduled(_) | What::Marred { .. } | What::Aired { .. } => {}
        }
    }
}

impl Judge for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn verdict(&self) -> Verdict {
        let mut finding = self.finding.clone();
        let overdue =
            |(_, progress): &(&Errand, &Progress)| !progress.ended && progress.until < self.seen_until;
        for (errand, progress) in self.errands.iter().filter(overdue) {
            finding.fail(progress.until, || {
                format!("node {} never reports the end of {}", errand.node.0, errand.handle)
            });
        }
        finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, identity, line, says, second};
    use super::*;
    use nexus_machine::{TableId, Ticket, Write};
    use nexus_network::Mode;

    const TEXT: &[u8] = b"good evening";

    /// Two nodes; everything arrives from second 1,000 on.
    fn script() -> Script<Delivery> {
        among(Mode::Nexus)
    }

    fn among(mode: Mode) -> Script<Delivery> {
        let ids = (0..2).map(|node| identity(node).node_id()).collect();
        let mut layout = line(2);
        layout.media[0].profile.mode = mode;
        Script::new(Delivery::new(ids, &layout, second(1_000)))
    }

    /// Node 0 is given handle 1: a message of ten minutes to node 1.
    fn sent(at: u64) -> Script<Delivery> {
        script().at(at).gives(0, &says(1, 1, TEXT))
    }

    fn stored(script: Script<Delivery>) -> Script<Delivery> {
        let writes = vec![Write::set(TableId(3), b"1", [b"head", TEXT].concat())];
        script.takes(1, &Output::Persist { ticket: Ticket(1), writes }).syncs(1, 1)
    }

    fn shown(script: Script<Delivery>) -> Script<Delivery> {
        script.reports(1, arrives(Sender::Verified(identity(0).node_id()), TEXT))
    }

    fn arrives(sender: Sender, text: &[u8]) -> Event {
        Event::MessageArrived(Message { number: 0, sender, unix_s: 0, text: text.to_vec() })
    }

    fn delivered(script: Script<Delivery>) -> Script<Delivery> {
        script.reports(0, Event::Delivered { handle: 1, attempts: 1, round_trip: Duration::ZERO })
    }

    fn given_up(script: Script<Delivery>) -> String {
        script.reports(0, Event::Undelivered { handle: 1, why: Undelivered::NoPath }).objection()
    }

    #[test]
    fn a_message_that_is_stored_shown_and_acknowledged_is_right() {
        assert_eq!(delivered(shown(stored(sent(0)))).at(9_000).objection(), "");
        assert_eq!(delivered(stored(sent(0))).objection(), "", "it may not have come to be shown");
    }

    #[test]
    fn what_never_arrived_is_not_delivered() {
        assert!(delivered(sent(0)).objection().contains("never got"));
    }

    #[test]
    fn what_is_shown_is_durable_and_shown_once() {
        assert!(shown(sent(0)).objection().contains("would forget"));
        assert!(shown(shown(stored(sent(0)))).objection().contains("twice"));
        let restarted = |disk| {
            let mut snapshot = Snapshot::empty();
            snapshot.apply(Write::set(TableId(3), b"1", TEXT.to_vec()));
            shown(shown(stored(sent(0))).crashes(1).boots(1, &snapshot, disk)).objection()
        };
        assert!(restarted(Provenance::Kept).contains("twice"));
        assert_eq!(restarted(Provenance::Stale), "");
    }

    #[test]
    fn what_is_shown_was_sent_to_this_node_by_whom_it_names() {
        let stranger = identity(2).node_id();
        let shows = |event| stored(sent(0)).reports(1, event).objection();
        assert!(shows(arrives(Sender::Verified(stranger), TEXT)).contains("as from"));
        assert!(shows(arrives(Sender::Anonymous, TEXT)).contains("as from"));
        assert!(shows(arrives(Sender::Anonymous, b"forged")).contains("nobody sent"));
        let own = arrives(Sender::Verified(identity(0).node_id()), TEXT);
        assert!(stored(sent(0)).reports(0, own).objection().contains("a message of node 0 to"));
    }

    #[test]
    fn an_errand_ends_once_and_in_time() {
        let once = || delivered(shown(stored(sent(0))));
        assert!(delivered(once()).objection().contains("twice"));
        assert!(given_up(once()).contains("twice"));
        let waits = |at| sent(0).at(at).gives(1, &Input::Entropy([0; 32])).objection();
        assert_eq!(waits(720), "");
        assert!(waits(721).contains("never reports the end of 1"));
        let crashed = sent(0).crashes(0).at(5_000).gives(1, &Input::Entropy([0; 32]));
        assert_eq!(crashed.objection(), "", "nobody is left to report it");
    }

    #[test]
    fn only_what_was_given_is_tried_or_ended() {
        assert!(delivered(script()).objection().contains("not given"));
        let tries = Event::Attempted { handle: 1, attempt: nexus_secure::Attempt::Sent };
        assert!(script().reports(0, tries.clone()).objection().contains("not given"));
        assert!(delivered(shown(stored(sent(0)))).reports(0, tries).objection().contains("after its end"));
        assert!(delivered(stored(sent(0)).crashes(0)).objection().contains("not given"), "by another life");
    }

    #[test]
    fn in_a_calm_world_nothing_is_given_up() {
        assert_eq!(given_up(sent(0).at(700)), "");
        assert!(given_up(sent(900).at(1_600)).contains("in a calm world"));
        assert!(given_up(sent(2_000).at(2_001)).contains("in a calm world"));
        let busy = Event::Undelivered { handle: 1, why: Undelivered::Busy };
        assert!(sent(2_000).reports(0, busy.clone()).objection().contains("in a calm world"));
        let others = (2..10).fold(sent(2_000), |script, handle| {
            script.gives(0, &says(handle, 1, &[u8::try_from(handle).unwrap(); 20]))
        });
        assert_eq!(others.reports(0, busy).objection(), "", "with nine on their way it may be busy");
        let in_clear = among(Mode::Reticulum).at(2_000).gives(0, &says(1, 1, TEXT));
        assert_eq!(given_up(in_clear), "", "open media carry nothing of this");
    }
}
