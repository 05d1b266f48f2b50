//! An announce as a bystander reads it.

use nexus_crypto::DestinationHash;
use nexus_crypto::hash::{blake3, truncate};
use nexus_wire::codec::DecodeError;
use nexus_wire::reticulum::{Announce, Packet, PacketType};

/// Which announce a frame carries, on whatever hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sighting<'a> {
    /// Who announces.
    pub(super) destination: DestinationHash,
    /// When, by its own clock.
    pub(super) emitted_at: u64,
    /// The signed bytes, hashed: what relays may not change.
    pub(super) content: Content,
    /// The hop count of the frame.
    pub(super) hops: u8,
    /// The announce itself.
    pub(super) announce: Announce<'a>,
}

/// Names the signed bytes of an announce.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Content([u8; 16]);

impl<'a> Sighting<'a> {
    /// The announce in `frame`; `None` if the frame carries something else, an error if it is a malformed announce.
    pub(super) fn of(frame: &'a [u8]) -> Option<Result<Self, DecodeError>> {
        let packet = Packet::decode(frame).ok()?;
        (packet.packet_type == PacketType::Announce).then(|| {
            let announce = Announce::from_packet(&packet)?;
            Ok(Self {
                destination: announce.destination,
                emitted_at: announce.claim.random_hash.emitted_at(),
                content: Content(truncate(&blake3(&[announce.destination.as_bytes(), packet.data]))),
                hops: packet.hops.get(),
                announce,
            })
        })
    }
}

/// Announces and observations for the judges' own tests.
#[cfg(test)]
pub(super) mod forge {
    use nexus_crypto::{DestinationHash, IdentitySeed, NameHash, NodeIdentity};
    use nexus_machine::{Instant, Snapshot};
    use nexus_node::{Input, Output};
    use nexus_wire::reticulum::announce::{Claim, Occasion};
    use nexus_wire::reticulum::{MTU, RandomHash};

    use nexus_network::InterfaceId;

    use crate::clock::WorldTime;
    use crate::observation::{Act, Judge, NodeIndex, Observation, Provenance, Verdict, What};

    const IFACE: InterfaceId = InterfaceId(0);

    fn identity(number: u8) -> NodeIdentity {
        NodeIdentity::from_seed(IdentitySeed::from_bytes([number; 32]))
    }

    /// The address of identity `number`.
    pub(in crate::judge) fn address(number: u8) -> DestinationHash {
        identity(number).node_id().into()
    }

    /// An announce of identity `number`; `variant` makes two of one emission differ.
    pub(in crate::judge) fn announce(number: u8, emitted_at: u64, variant: u8) -> Vec<u8> {
        let identity = identity(number);
        let claim = Claim {
            public: *identity.as_reticulum().public(),
            name: NameHash::of("nexus.node"),
            random_hash: RandomHash::new([variant; 5], emitted_at),
            ratchet: None,
            app_data: &[],
        };
        let announce = claim.sign(identity.as_reticulum());
        announce.encode(Occasion::Periodic, &mut [0; MTU]).unwrap().to_vec()
    }

    /// The same frame with another hop count.
    pub(in crate::judge) fn with_hops(mut frame: Vec<u8>, hops: u8) -> Vec<u8> {
        frame[1] = hops;
        frame
    }

    /// What one node does, step by step.
    pub(in crate::judge) enum Step {
        Boots(Provenance),
        Hears(Vec<u8>),
        Sends(Vec<u8>),
        Reports(nexus_node::Event),
    }

    /// The reason for which `judge` objects to what node 0 does; empty if it does not.
    pub(in crate::judge) fn objection(mut judge: impl Judge, steps: Vec<Step>) -> String {
        let snapshot = Snapshot::empty();
        for step in steps {
            let (input, output);
            let act = match step {
                Step::Boots(disk) => Act::Booted { snapshot: &snapshot, disk },
                Step::Hears(bytes) => {
                    input = Input::Frame { iface: IFACE, from: None, bytes };
                    Act::Given { now: Instant::BOOT, input: &input }
                }
                Step::Sends(bytes) => {
                    output = Output::Transmit { iface: IFACE, to: None, bytes };
                    Act::Took(&output)
                }
                Step::Reports(event) => {
                    output = Output::Event(event);
                    Act::Took(&output)
                }
            };
            let what = What::Node { node: NodeIndex(0), incarnation: 0, act };
            judge.observe(&Observation { at: WorldTime::START, what });
        }
        match judge.verdict() {
            Verdict::Passed => String::new(),
            Verdict::Failed(failure) => failure.reason,
        }
    }
}
