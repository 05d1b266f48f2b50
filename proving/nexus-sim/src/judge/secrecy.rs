//! What is meant for somebody is readable to nobody else. Source: spec/simulation.md#secrecy.

use std::collections::BTreeMap;

use nexus_crypto::NodePublic;
use nexus_network::{InterfaceId, Mode};
use nexus_node::{Command, Input, Output};
use nexus_secure::{Content, Outgoing};
use nexus_wire::nexus::frame::Head;

use crate::observation::{Act, Finding, Judge, NodeIndex, Observation, Observer, Verdict, What};

/// No frame on any medium contains eight bytes in a row of a message's text. On interfaces that speak links, only their frames
/// leave, and none contains eight bytes in a row of a node's address, identity hash or public key.
#[derive(Debug)]
pub struct Secrecy {
    secrets: Secrets,
    modes: BTreeMap<(NodeIndex, InterfaceId), Mode>,
    searched: u64,
    finding: Finding,
}

/// How many bytes in a row are a breach: shorter runs occur by chance.
pub const RUN: usize = 8;

/// What must not be seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Secret {
    /// Part of the text of this node's message.
    Text(NodeIndex),
    /// Part of what names this node.
    Name(NodeIndex),
}

/// Every run of the secrets, behind a sieve of bits that nearly all other runs fail to pass.
#[derive(Debug)]
struct Secrets {
    runs: BTreeMap<u64, Secret>,
    sieve: Vec<u64>,
}

impl Secrets {
    const SIEVE_BITS: u32 = 20;

    fn new() -> Self {
        Self { runs: BTreeMap::new(), sieve: vec![0; 1 << (Self::SIEVE_BITS - 6)] }
    }

    fn add(&mut self, bytes: &[u8], secret: Secret) {
        runs(bytes, |run| {
            let (word, bit) = Self::place(run);
            self.sieve[word] |= bit;
            self.runs.insert(run, secret);
            None::<()>
        });
    }

    fn find(&self, bytes: &[u8]) -> Option<Secret> {
        runs(bytes, |run| {
            let (word, bit) = Self::place(run);
            if self.sieve[word] & bit == 0 { None } else { self.runs.get(&run).copied() }
        })
    }

    /// Fibonacci hashing: the highest bits of the product depend on all of the run.
    fn place(run: u64) -> (usize, u64) {
        let hash = run.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Self::SIEVE_BITS);
        (usize::try_from(hash >> 6).expect("fourteen bits"), 1 << (hash & 63))
    }
}

/// The first answer of `ask` to the runs of `bytes`, in their order.
fn runs<T>(bytes: &[u8], mut ask: impl FnMut(u64) -> Option<T>) -> Option<T> {
    let mut run = 0;
    for (place, byte) in bytes.iter().enumerate() {
        run = run << 8 | u64::from(*byte);
        if place + 1 >= RUN
            && let Some(answer) = ask(run)
        {
            return Some(answer);
        }
    }
    None
}

impl Secrecy {
    /// A judge of the nodes with these identities.
    #[must_use]
    pub fn new(identities: &[NodePublic]) -> Self {
        let mut secrets = Secrets::new();
        for (node, public) in (0..).map(NodeIndex).zip(identities) {
            let identity = public.identity();
            secrets.add(public.node_id().as_bytes(), Secret::Name(node));
            secrets.add(public.hash().as_bytes(), Secret::Name(node));
            secrets.add(identity.exchange().as_bytes(), Secret::Name(node));
            secrets.add(identity.verifying().as_bytes(), Secret::Name(node));
        }
        Self { secrets, modes: BTreeMap::new(), searched: 0, finding: Finding::default() }
    }

    /// How many frames it searched on interfaces that speak links.
    #[must_use]
    pub const fn searched(&self) -> u64 {
        self.searched
    }

    fn transmits(&mut self, node: NodeIndex, iface: InterfaceId, bytes: &[u8]) -> Result<(), String> {
        let linked = self.modes.get(&(node, iface)) == Some(&Mode::Nexus);
        self.searched += u64::from(linked);
        if linked && bytes.first().copied().and_then(Head::from_wire).is_none() {
            return Err(format!("sent an open packet on {iface:?}, which speaks links"));
        }
        match self.secrets.find(bytes) {
            Some(Secret::Text(author)) => Err(format!("sent text of node {} in clear", author.0)),
            Some(Secret::Name(named)) if linked => Err(format!("sent what names node {} in clear", named.0)),
            Some(Secret::Name(_)) | None => Ok(()),
        }
    }
}

impl Observer for Secrecy {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        match act {
            Act::Given { input: Input::Up { iface, profile }, .. } => {
                self.modes.insert((*node, *iface), profile.mode);
            }
            Act::Given { input: Input::Command(Command::Send(Outgoing { content, .. })), .. } => {
                if let Content::Message { text, .. } = content {
                    self.secrets.add(text, Secret::Text(*node));
                }
            }
            Act::Took(Output::Transmit { iface, bytes, .. }) => {
                if let Err(reason) = self.transmits(*node, *iface, bytes) {
                    self.finding.fail(observation.at, || format!("node {} {reason}", node.0));
                }
            }
            Act::Given { .. }
            | Act::Took(_)
            | Act::Booted { .. }
            | Act::Crashed
            | Act::Durable(_)
            | Act::Woken { .. }
            | Act::Rested { .. } => {}
        }
    }
}

impl Judge for Secrecy {
    fn name(&self) -> &'static str {
        "secrecy"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, frame, identity, says, up};
    use super::*;
    use nexus_machine::Seed;

    const TEXT: &[u8] = b"the quick brown fox";

    /// Node 0 wrote [`TEXT`] to node 1; then it sends `bytes` on an interface of this mode.
    fn judged(mode: Mode, bytes: &[u8]) -> String {
        let judge = Secrecy::new(&[*identity(0).public(), *identity(1).public()]);
        let script = Script::new(judge).gives(0, &up(mode)).gives(0, &says(1, 1, TEXT));
        script.takes(0, &frame(None, bytes)).objection()
    }

    fn around(secret: &[u8]) -> Vec<u8> {
        [&[0x94, 1, 2][..], secret, &[3; 16]].concat()
    }

    #[test]
    fn eight_bytes_of_a_text_are_a_breach_wherever_they_stand_and_seven_are_not() {
        for mode in [Mode::Nexus, Mode::Reticulum] {
            for start in 0..=TEXT.len() - RUN {
                let run = &TEXT[start..start + RUN];
                assert!(judged(mode, &around(run)).contains("text of node 0"), "{start}");
                assert_eq!(judged(mode, &around(&run[1..])), "");
            }
            assert!(judged(mode, &[&[0x94][..], TEXT].concat()).contains("text of node 0"), "at the end");
        }
    }

    #[test]
    fn what_names_a_node_may_be_read_only_where_packets_are_open() {
        let public = identity(1).public().to_owned();
        let keys = public.identity();
        let names = [
            public.node_id().as_bytes().to_vec(),
            public.hash().as_bytes().to_vec(),
            keys.exchange().as_bytes().to_vec(),
            keys.verifying().as_bytes().to_vec(),
        ];
        for name in names {
            for part in [&name[..RUN], &name[name.len() - RUN..]] {
                assert!(judged(Mode::Nexus, &around(part)).contains("names node 1"));
                assert_eq!(judged(Mode::Reticulum, &around(part)), "");
            }
        }
    }

    #[test]
    fn no_open_packet_leaves_where_links_are_spoken() {
        assert!(judged(Mode::Nexus, &[0x01, 0, 7]).contains("open packet"));
        assert!(judged(Mode::Nexus, &[]).contains("open packet"));
        assert_eq!(judged(Mode::Reticulum, &[0x01, 0, 7]), "");
    }

    #[test]
    fn what_is_sealed_is_no_breach() {
        let mut random = Seed::new([1; 32]).fork("noise");
        for _ in 0..2_000 {
            let noise: [u8; 128] = random.bytes();
            assert_eq!(judged(Mode::Nexus, &around(&noise)), "");
        }
    }
}
