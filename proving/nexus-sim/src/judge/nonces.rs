//! No counter seals two frames. Source: spec/simulation.md#nonces.

use std::collections::BTreeMap;

use nexus_crypto::hash::{blake3, truncate};
use nexus_machine::Duration;
use nexus_network::{Endpoint, InterfaceId, Mode, Reach};
use nexus_node::{Input, Output};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{BroadcastKeyId, KeyName, Sealed};

use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::observation::{Act, Finding, Judge, MediumIndex, NodeIndex, Observation, Observer, Verdict, What};

/// The counters of the sealed frames that a node sends to one session only grow, in the order in which the frames leave. A
/// frame may be sent again as it was. Counters begin at 0 again only under another key: when the session was left alone for
/// [`REUSE_AFTER`], or an end of the medium started or came up meanwhile.
///
/// On radio channels two receivers may choose the same session, and a bystander cannot tell for whom a frame is: they are not
/// judged.
///
/// The counters of a node's broadcasts grow under each key on every medium, and no frame comes twice. A name that was used
/// may be another key's, from 0, once the node used another name in between, or started or came up anew.
#[derive(Debug)]
pub struct Nonces {
    media: BTreeMap<(NodeIndex, InterfaceId), MediumIndex>,
    streams: BTreeMap<Stream, Sent>,
    /// The key that each node broadcasts under, and its last counter.
    broadcasts: BTreeMap<(NodeIndex, InterfaceId), (BroadcastKeyId, u32)>,
    begun: u64,
    finding: Finding,
}

/// How long a session is not chosen again (120 s), less what a clock may be fast.
pub const REUSE_AFTER: Duration = Duration::from_secs(119);

/// What is sealed under one key: who sends, where, to whom, to which session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Stream {
    sender: NodeIndex,
    iface: InterfaceId,
    to: Option<Endpoint>,
    session: u16,
}

#[derive(Debug)]
struct Sent {
    counter: u32,
    frame: [u8; 16],
    at: WorldTime,
    /// Whether another key may have taken the session.
    may_restart: bool,
}

impl Nonces {
    /// A judge of nodes on this layout.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let judged = |medium: MediumIndex| {
            let profile = &layout.media[medium.place()].profile;
            profile.mode == Mode::Nexus && profile.reach != Reach::Shared
        };
        let ports = layout
            .node_indices()
            .flat_map(|node| layout.interfaces(node).map(move |(iface, medium)| ((node, iface), medium)));
        let media = ports.filter(|(_, medium)| judged(*medium)).collect();
        let (streams, broadcasts) = (BTreeMap::new(), BTreeMap::new());
        Self { media, streams, broadcasts, begun: 0, finding: Finding::default() }
    }

    /// How many keys it saw in use, one direction each.
    #[must_use]
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    /// Sessions on what `node` is connected to by `iface`, or by any interface, may belong to others from here on.
    fn forget(&mut self, node: NodeIndex, iface: Option<InterfaceId>) {
        self.broadcasts.retain(|(own, by), _| *own != node || iface.is_some_and(|iface| iface != *by));
        let concerned =
            |(own, by): &(NodeIndex, InterfaceId)| *own == node && iface.is_none_or(|iface| iface == *by);
        let media: Vec<MediumIndex> =
            self.media.iter().filter(|(port, _)| concerned(port)).map(|(_, medium)| *medium).collect();
        for (stream, sent) in &mut self.streams {
            let medium = self.media.get(&(stream.sender, stream.iface));
            sent.may_restart |= medium.is_some_and(|medium| media.contains(medium));
        }
    }

    fn seals(&mut self, at: WorldTime, stream: Stream, counter: u32, bytes: &[u8]) -> Result<(), String> {
        let frame = truncate(&blake3(&[bytes]));
        let session = stream.session;
        let sent = Sent { counter, frame, at, may_restart: false };
        let Some(before) = self.streams.get_mut(&stream) else {
            self.begun += 1;
            self.streams.insert(stream, sent);
            return Ok(());
        };
        let grows = counter > before.counter;
        let again = counter == before.counter && frame == before.frame;
        let restarts = counter == 0 && (before.may_restart || at.since(before.at) > REUSE_AFTER);
        if !grows && !again && !restarts {
            let last = before.counter;
            return Err(format!("sealed with counter {counter} for session {session:04x} after {last}"));
        }
        self.begun += u64::from(!grows && !again);
        let may_restart = before.may_restart && grows;
        *before = Sent { may_restart, ..sent };
        Ok(())
    }
}

impl Nonces {
    fn broadcasts(
        &mut self,
        node: NodeIndex,
        iface: InterfaceId,
        id: BroadcastKeyId,
        counter: u32,
    ) -> Result<(), String> {
        let before = self.broadcasts.insert((node, iface), (id, counter));
        self.begun += u64::from(before.is_none_or(|(other, _)| other != id));
        match before {
            Some((same, last)) if same == id && counter <= last => {
                Err(format!("broadcast with counter {counter} under key {:04x} after {last}", id.0))
            }
            Some((same, _)) if same == id => Ok(()),
            Some(_) | None if counter == 0 => Ok(()),
            // Frames that wait may be lost with their key, but the first that leaves under one has the first counter.
            Some(_) | None => Err(format!("began key {:04x} with counter {counter}", id.0)),
        }
    }
}

impl Observer for Nonces {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        match act {
            Act::Booted { .. } | Act::Crashed => self.forget(*node, None),
            Act::Given { input: Input::Up { iface, .. } | Input::Down { iface }, .. } => {
                self.forget(*node, Some(*iface));
            }
            Act::Took(Output::Transmit { iface, to, bytes }) => {
                let Ok(Sealed { header, .. }) = Sealed::decode(bytes) else { return };
                let judged = match header.key {
                    KeyName::Broadcast(id) => self.broadcasts(*node, *iface, id, header.counter),
                    KeyName::Session(session) if self.media.contains_key(&(*node, *iface)) => {
                        let stream = Stream { sender: *node, iface: *iface, to: *to, session: session.get() };
                        self.seals(observation.at, stream, header.counter, bytes)
                    }
                    KeyName::Session(_) => Ok(()),
                };
                if let Err(reason) = judged {
                    self.finding.fail(observation.at, || format!("node {} {reason}", node.0));
                }
            }
            Act::Took(_) | Act::Given { .. } | Act::Durable(_) | Act::Woken { .. } | Act::Rested { .. } => {}
        }
    }
}

impl Judge for Nonces {
    fn name(&self) -> &'static str {
        "nonces"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{IFACE, Script, frame, line, up};
    use super::*;

    /// Two nodes on a cable.
    fn script() -> Script<Nonces> {
        Script::new(Nonces::new(&line(2)))
    }

    /// Node 0 sends what `content` stands for, sealed for `session` with `counter`.
    fn seals(script: Script<Nonces>, session: u8, counter: u8, content: u8) -> Script<Nonces> {
        script.takes(0, &frame(None, &[&[0x94, session, 0, counter, 0, 0, 0][..], &[content; 20]].concat()))
    }

    #[test]
    fn counters_grow_and_each_session_has_its_own() {
        let grows = seals(seals(seals(script(), 1, 0, 7), 1, 1, 8), 1, 5, 9);
        assert_eq!(seals(grows, 2, 0, 7).objection(), "");
    }

    #[test]
    fn a_counter_that_seals_two_frames_is_caught_and_so_is_an_older_one() {
        let reused = seals(seals(script(), 1, 3, 7), 1, 3, 8);
        assert!(reused.objection().contains("counter 3 for session 0001 after 3"));
        let older = seals(seals(script(), 1, 3, 7), 1, 2, 8);
        assert!(older.objection().contains("counter 2 for session 0001 after 3"));
    }

    #[test]
    fn the_same_bytes_again_are_no_second_frame() {
        assert_eq!(seals(seals(script(), 1, 3, 7), 1, 3, 7).objection(), "");
    }

    #[test]
    fn a_session_begins_again_at_zero_after_two_minutes_or_a_restart_of_either_end() {
        let sealed = || seals(seals(script(), 1, 0, 7), 1, 1, 8);
        assert_eq!(seals(sealed().at(120), 1, 0, 9).objection(), "");
        assert!(!seals(sealed().at(119), 1, 0, 9).objection().is_empty(), "too soon");
        assert!(!seals(sealed().at(120), 1, 1, 9).objection().is_empty(), "not at zero");
        for node in 0..2 {
            assert_eq!(seals(sealed().crashes(node), 1, 0, 9).objection(), "");
            assert_eq!(seals(sealed().gives(node, &Input::Down { iface: IFACE }), 1, 0, 9).objection(), "");
            let twice = seals(seals(sealed().gives(node, &up(Mode::Nexus)), 1, 0, 9), 1, 0, 10);
            assert!(!twice.objection().is_empty(), "one restart is one new key");
        }
    }

    /// Node 0 broadcasts under the key with this name.
    fn broadcasts(script: Script<Nonces>, key: u8, counter: u8) -> Script<Nonces> {
        script.takes(0, &frame(None, &[&[0x95, key, 0, counter, 0, 0, 0][..], &[7; 90]].concat()))
    }

    #[test]
    fn a_broadcast_key_counts_from_zero_upwards_and_never_again() {
        let sent = || broadcasts(broadcasts(script(), 1, 0), 1, 4);
        assert_eq!(broadcasts(sent(), 1, 5).objection(), "");
        for again in [4, 3, 0] {
            assert!(broadcasts(sent(), 1, again).objection().contains("under key 0001 after 4"));
        }
        assert_eq!(broadcasts(sent(), 2, 0).objection(), "", "another key");
        assert!(broadcasts(sent(), 2, 1).objection().contains("began key 0002 with counter 1"));
        assert_eq!(broadcasts(sent().crashes(0), 1, 0).objection(), "", "a name drawn again by chance");
        assert!(!broadcasts(sent().crashes(1), 1, 0).objection().is_empty(), "whoever else crashed");
    }

    #[test]
    fn each_key_counts_once() {
        let mut judge = Nonces::new(&line(2));
        let stream = |session| Stream { sender: NodeIndex(0), iface: IFACE, to: None, session };
        for (session, counter) in [(1, 0), (1, 1), (2, 0), (1, 2), (2, 1)] {
            judge.seals(WorldTime::START, stream(session), counter, &[]).unwrap();
        }
        judge.seals(WorldTime::START.after(Duration::from_secs(200)), stream(1), 0, &[]).unwrap();
        assert_eq!(judge.begun(), 3);
    }
}
