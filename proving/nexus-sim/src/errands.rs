//! What people ask of nodes: messages and probes between random pairs.
//!
//! Texts are made of printable characters drawn from the seed: no eight in a row occur twice, so that any of them can be
//! searched for on the media. Source: spec/simulation.md#errands.

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Seed, Stream};
use nexus_node::Command;
use nexus_secure::contract::Authorship;
use nexus_secure::{Content, Outgoing};

use crate::clock::WorldTime;
use crate::judge::delivery::SLACK;
use crate::observation::NodeIndex;
use crate::schedule::{Action, Schedule};

/// Whether people ask anything of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errands {
    /// Nothing.
    None,
    /// Messages and probes between random pairs.
    Usual,
}

/// Each node is asked for something about this often.
const SPACING_S: u64 = 2 * 3_600;
/// For how long it is tried: once, for a minute, for ten, for an hour.
const LIFETIMES_S: [u64; 4] = [0, 60, 600, 3_600];
/// The shortest text: long enough to tell one message from any other.
const SHORTEST: u64 = 16;
/// How long whatever is asked in a calm world is tried.
const PATIENT: Duration = Duration::from_secs(600);

/// Errands among the nodes with these ids: at random moments until `settled_at`, and one of each node between then and the
/// end of the run, which it has time for.
#[must_use]
pub fn schedule(ids: &[NodeId], settled_at: WorldTime, length: Duration, seed: &Seed) -> Schedule {
    let mut asked = Asked { ids, random: seed.fork("errands"), next_handle: 1, schedule: Schedule::new() };
    let nodes = u64::try_from(ids.len()).expect("a length fits u64");
    let span_s = settled_at.as_micros().min(length.as_micros()) / 1_000_000;
    for _ in 0..(span_s * nodes).div_ceil(SPACING_S) {
        let at = asked.random.below(span_s.max(1));
        let from = asked.any_node();
        let lifetime = Duration::from_secs(LIFETIMES_S[asked.below(4)]);
        asked.push(at, from, lifetime);
    }
    let last_s = length.minus(PATIENT).minus(SLACK).as_micros() / 1_000_000;
    for from in (0..).map(NodeIndex).take(ids.len()) {
        if let Some(room @ 1..) = last_s.checked_sub(span_s) {
            let at = span_s + asked.random.below(room);
            asked.push(at, from, PATIENT);
        }
    }
    asked.schedule
}

/// A message from one node to another: what [`schedule`] draws, at a moment of the caller's choice.
#[must_use]
pub fn message(handle: u64, to: NodeId, lifetime: Duration, random: &mut Stream) -> Command {
    let text = text(random);
    Command::Send(Outgoing {
        handle,
        to,
        content: Content::Message { text, authorship: Authorship::Signed },
        lifetime,
        policy: None,
        class: None,
    })
}

fn text(random: &mut Stream) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .";
    let longest = u64::try_from(Content::MAX_TEXT).expect("a length fits u64");
    let length = SHORTEST + random.below(longest + 1 - SHORTEST);
    (0..length).map(|_| ALPHABET[usize::from(random.bytes::<1>()[0] & 63)]).collect()
}

struct Asked<'i> {
    ids: &'i [NodeId],
    random: Stream,
    next_handle: u64,
    schedule: Schedule,
}

impl Asked<'_> {
    fn push(&mut self, at_s: u64, from: NodeIndex, lifetime: Duration) {
        let mut other = self.any_node();
        while other == from {
            other = self.any_node();
        }
        let (to, handle) = (self.ids[other.place()], self.next_handle);
        self.next_handle += 1;
        let content = match self.below(8) {
            0 | 1 => Content::Ping { padding: 0 },
            2 => Content::Message { text: text(&mut self.random), authorship: Authorship::Anonymous },
            _ => Content::Message { text: text(&mut self.random), authorship: Authorship::Signed },
        };
        let outgoing = Outgoing { handle, to, content, lifetime, policy: None, class: None };
        let at = WorldTime::from_start(Duration::from_secs(at_s));
        self.schedule.push((at, Action::Tell(from, Command::Send(outgoing))));
    }

    fn any_node(&mut self) -> NodeIndex {
        NodeIndex(u32::try_from(self.below(self.ids.len())).expect("below a number of nodes"))
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a length fits u64");
        usize::try_from(self.random.below(bound)).expect("below a length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn ids() -> Vec<NodeId> {
        (0..5).map(|node| NodeId([node; 16])).collect()
    }

    fn drawn(number: u8) -> Vec<(WorldTime, NodeIndex, Outgoing)> {
        let settled_at = WorldTime::from_start(Duration::from_secs(80_000));
        let schedule = schedule(&ids(), settled_at, Duration::from_secs(86_400), &Seed::new([number; 32]));
        let sent = |(at, action)| match action {
            Action::Tell(node, Command::Send(outgoing)) => (at, node, outgoing),
            other => panic!("{other:?} is no errand"),
        };
        schedule.into_iter().map(sent).collect()
    }

    #[test]
    fn handles_and_texts_are_unique_and_nobody_writes_to_itself() {
        let errands = drawn(1);
        assert!(errands.len() > 50);
        let handles: BTreeSet<u64> = errands.iter().map(|(_, _, outgoing)| outgoing.handle).collect();
        assert_eq!(handles.len(), errands.len());
        let mut texts = BTreeSet::new();
        for (_, node, outgoing) in &errands {
            assert_ne!(outgoing.to, ids()[node.place()]);
            if let Content::Message { text, .. } = &outgoing.content {
                assert!((16..=Content::MAX_TEXT).contains(&text.len()) && text.is_ascii());
                assert!(texts.insert(text.clone()), "two messages of one text");
            }
        }
        assert!(texts.len() < errands.len(), "some are probes");
    }

    #[test]
    fn every_node_is_asked_in_the_calm_and_all_errands_end_with_the_run() {
        let calm = WorldTime::from_start(Duration::from_secs(80_000));
        let late: Vec<_> = drawn(1).into_iter().filter(|(at, _, _)| *at >= calm).collect();
        let nodes: BTreeSet<NodeIndex> = late.iter().map(|(_, node, _)| *node).collect();
        assert_eq!(nodes.len(), 5);
        for (at, _, outgoing) in late {
            let end = WorldTime::from_start(Duration::from_secs(86_400));
            assert!(at.after(outgoing.lifetime).after(SLACK) <= end);
        }
    }

    #[test]
    fn a_seed_draws_its_own_errands() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
