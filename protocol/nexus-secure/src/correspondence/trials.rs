//! Probes of paths: sealed for the network layer, which sends them by a next hop that it doubts. A part of
//! [`super::Correspondence`]. Spec: spec/network.md#paths-in-doubt.

use alloc::collections::VecDeque;

use nexus_crypto::exchange::RecipientPublic;
use nexus_crypto::{NodeId, NodeIdentity, VerifyingKey};
use nexus_machine::{Sink, Stream};
use nexus_network::Recipient;
use nexus_wire::nexus::end_to_end::Service;
use nexus_wire::reticulum::proof::Proved;
use nexus_wire::reticulum::{Packet, PacketHash, Proof};

use super::{Effect, node_of};
use crate::envelope::{self, Letter};

/// Of so many probes it is remembered what would prove them. Beyond that the oldest counts as lost.
const REMEMBERED: usize = 32;

/// The probes on their way.
#[derive(Debug, Default)]
pub(super) struct Trials {
    sent: VecDeque<Trial>,
}

#[derive(Debug)]
struct Trial {
    number: u64,
    hash: PacketHash,
    recipient: VerifyingKey,
    request_id: u32,
    nonce: [u8; 8],
}

impl Trials {
    /// The most heap that they hold, in bytes.
    pub(super) const MEMORY_BOUND: usize = 2 * REMEMBERED * size_of::<Trial>();

    /// Seals a probe of `node`, if its key keeps a node's rules.
    pub(super) fn begin(
        &mut self,
        number: u64,
        node: NodeId,
        recipient: &Recipient,
        prober: &NodeIdentity,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(public) = node_of(recipient, &node) else { return };
        let (identity, nonce, request_id) = (public.exchange(), random.bytes(), random.next_u32());
        let ratchet = recipient.ratchet.as_ref().map(RecipientPublic::Ratchet);
        let reply_to = Some(prober.node_id());
        let letter = Letter { service: Service::PING, reply_to, request_id, body: &nonce };
        let key = ratchet.unwrap_or(RecipientPublic::Identity(&identity));
        let Ok(packet) = envelope::seal(&letter, &node, key, None, random) else { return };
        let Ok(hash) = Packet::decode(&packet).map(|packet| packet.hash()) else { return };
        if self.sent.len() >= REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Trial { number, hash, recipient: public.verifying(), request_id, nonce });
        out.push(Effect::Try { number, packet });
    }

    /// The probe that a proof proves: it verifies with the key of whom was probed.
    pub(super) fn proved(&self, proof: &Proof) -> Option<u64> {
        self.find(|trial| {
            let is_named = match proof.proved {
                Proved::Implicit(address) => address == trial.hash.truncated(),
                Proved::Explicit(hash) => hash == trial.hash,
                Proved::OnLink(..) => false,
            };
            is_named && proof.verify(&trial.hash, &trial.recipient).is_ok()
        })
    }

    /// The probe that an answer answers: it repeats what only the probed could read.
    pub(super) fn answered(&self, request_id: u32, body: [u8; 8]) -> Option<u64> {
        self.find(|trial| trial.request_id == request_id && trial.nonce == body)
    }

    fn find(&self, is_it: impl Fn(&Trial) -> bool) -> Option<u64> {
        self.sent.iter().find(|trial| is_it(trial)).map(|trial| trial.number)
    }
}
