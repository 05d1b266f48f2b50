//! What becomes of packets that open circuits, prove them, and go along them. Source: spec/network.md#circuits.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Instant, Snapshot, TableId, Write};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::{Context, Hops, LinkId, LinkProof, LinkRequest, Packet, PacketType};

use super::circuits::{Circuits, Expired, Onward, Requested};
use super::drops::Cause;
use super::hop::{HopName, Kind};
use super::{Answered, Forwarding, Hop, OnLink, Till, taken};
use crate::announces::{Announces, Step};
use crate::routes::PathPolicy;

/// The table of circuits that stand: key the link id, value destination ‖ hops from whoever asked ‖ hops from the
/// destination ‖ hops that are shown in clear ‖ 0 if the hop towards the destination is a link, 1 in clear; and, if that is known, the same of
/// the hop towards whoever asked ‖ who is behind that, 16 bytes.
pub const CIRCUITS: TableId = TableId(8);

/// So many writes wait for the disk at once. What is not written is lost with the process, and no more than that.
const IN_FLIGHT: u64 = 64;

/// What is to be made durable, in order.
#[derive(Debug, Default)]
pub(super) struct Journal {
    waiting: Vec<(u64, Write)>,
    written: u64,
    durable: u64,
}

impl Journal {
    fn write(&mut self, write: Write) {
        if self.written.saturating_sub(self.durable) < IN_FLIGHT {
            self.write_at_the_end(write);
        }
    }

    /// However many wait: nothing comes after it.
    fn write_at_the_end(&mut self, write: Write) {
        self.written = self.written.saturating_add(1);
        self.waiting.push((self.written, write));
    }
}

/// The circuits that stood when the node was stopped.
pub(super) fn restored(capacity: usize, snapshot: &Snapshot) -> Circuits {
    let mut circuits = Circuits::new(capacity);
    for (key, value) in snapshot.scan(CIRCUITS).take(capacity) {
        let Ok(link) = key.try_into().map(LinkId) else { continue };
        let Some((destination, [taken, remaining, shown, leaves, asker @ ..])) = value.split_first_chunk()
        else {
            continue;
        };
        let Some(leaves) = kind(*leaves) else { continue };
        let asker = match asker {
            [] => None,
            [of, name @ ..] => {
                let (Some(kind), Ok(bytes)) = (kind(*of), name.try_into()) else { continue };
                Some(HopName { kind, bytes })
            }
        };
        if let [Some(taken), Some(remaining), Some(shown)] =
            [taken, remaining, shown].map(|hops| Hops::new(*hops))
        {
            circuits.restore(link, DestinationHash(*destination), [taken, remaining, shown], leaves, asker);
        }
    }
    circuits
}

fn kind(byte: u8) -> Option<Kind> {
    match byte {
        0 => Some(Kind::Link),
        1 => Some(Kind::Clear),
        2.. => None,
    }
}

const fn byte(kind: Kind) -> u8 {
    match kind {
        Kind::Link => 0,
        Kind::Clear => 1,
    }
}

impl Forwarding {
    /// A link request goes on by `step`: it opens a circuit.
    pub(super) fn open_circuit(
        &mut self,
        cx: Cx,
        from: Hop,
        read: &OnLink<'_>,
        step: &Step,
    ) -> Result<(), Cause> {
        let request = LinkRequest::from_packet(&read.packet).map_err(|_| Cause::Malformed)?;
        let to = Hop::from(step.next_hop);
        let requested = Requested {
            destination: request.destination,
            from,
            taken: read.hops,
            to,
            remaining: step.hops,
            airtime: self.media.get(&step.next_hop.iface()).map_or(Duration::ZERO, |medium| medium.airtime),
        };
        self.circuits.open(cx.now, request.link_id(), requested);
        Ok(())
    }

    /// A packet of a circuit: its proof, or what goes along it once it stands.
    pub(super) fn decide_on_circuit(
        &mut self,
        cx: Cx,
        from: Hop,
        class: Class,
        read: &OnLink<'_>,
        announces: &mut Announces,
        till: &mut Option<Till<'_>>,
    ) -> Result<Onward, Cause> {
        let packet = &read.packet;
        let link = LinkId(packet.destination.0);
        if read.hops.counted().is_none() {
            return Err(Cause::HopLimit);
        }
        let onward = match (packet.packet_type, packet.context) {
            (PacketType::Proof, Context::LINK_REQUEST_PROOF) => {
                return self.decide_link_proof(cx, from, link, read, announces);
            }
            (PacketType::Data | PacketType::Proof, _) => {
                let policy = PathPolicy::of_class(class);
                // Asked beforehand, of the few circuits that do not know it: a way is looked for with what changes tables.
                let there = self.circuits.sought(&link).and_then(|asker| announces.hop_named(&asker));
                let behind = |_| there;
                let towards = |destination: &DestinationHash, kind| {
                    let of_its_kind = match kind {
                        Kind::Clear => announces.next_hop_across_stock(cx.now, destination),
                        Kind::Link => None,
                    };
                    of_its_kind
                        .or_else(|| announces.next_hop(cx.now, destination, policy, from.link()))
                        .map(|step| step.next_hop.into())
                };
                self.circuits.along(cx.now, &link, from, read.hops, towards, behind)?
            }
            (PacketType::LinkRequest | PacketType::Announce, _) => return Err(Cause::Malformed),
        };
        let name = (!packet.context.may_repeat()).then(|| self.naming.name(packet.truncated_hash()));
        if name.as_ref().is_some_and(|name| self.duplicates.contains(name)) {
            return Err(Cause::Duplicate);
        }
        if let (Some(till), Some(asked)) = (till, &onward.asked) {
            let fare = announces.fare(asked, onward.to);
            till.charge(cx, asked, fare, announces)?;
        }
        if let Some(name) = name {
            self.duplicates.insert(&name);
        }
        Ok(onward)
    }

    /// The destination that was asked proves the circuit: it stands from here on.
    fn decide_link_proof(
        &mut self,
        cx: Cx,
        from: Hop,
        link: LinkId,
        read: &OnLink<'_>,
        announces: &Announces,
    ) -> Result<Onward, Cause> {
        let asked = self.circuits.awaited(&link, from)?;
        if !is_proof_of(&read.packet, &asked, announces) {
            self.circuits.count_bad_proof(&link);
            return Err(Cause::BadProof);
        }
        if let Hop::Clear(iface) = from {
            let took = self.circuits.waited(&link, cx.now);
            self.answered = Some(Answered { destination: asked, iface, took });
        }
        let shown = announces.shown_in_clear(&asked).unwrap_or(read.hops);
        let stands = self.circuits.stand(cx.now, link, read.hops, shown, |from| announces.name_of(from));
        let (onward, displaced) = stands.ok_or(Cause::NoCircuit)?;
        if let Some(displaced) = displaced {
            self.journal.write(Write::delete(CIRCUITS, displaced.as_bytes()));
        }
        if let Some(circuit) = self.circuits.get(&link) {
            let hops = [circuit.taken, circuit.remaining, circuit.shown].map(Hops::get);
            let name = circuit.asker.map(|asker| [&[byte(asker.kind)][..], &asker.bytes].concat());
            let ends = [&circuit.destination.as_bytes()[..], &hops, &[byte(circuit.leaves)]].concat();
            let value = [ends, name.unwrap_or_default()].concat();
            self.journal.write(Write::set(CIRCUITS, link.as_bytes(), value));
        }
        Ok(onward)
    }

    /// How many circuits stand.
    #[must_use]
    pub fn circuits(&self) -> usize {
        self.circuits.len()
    }

    /// When circuits may be over.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.circuits.next_timeout()
    }

    /// Ends circuits that are over. Returns whose proof did not come in time.
    pub fn expire(&mut self, now: Instant) -> Vec<DestinationHash> {
        let Expired { unanswered, over } = self.circuits.expire(now);
        for link in over {
            self.journal.write(Write::delete(CIRCUITS, link.as_bytes()));
        }
        let count = u64::try_from(unanswered.len()).unwrap_or(u64::MAX);
        self.drops.unanswered = self.drops.unanswered.saturating_add(count);
        unanswered
    }

    /// Makes durable which packets were taken: the node is about to stop, and what is on its way will be there when it is back.
    pub fn save(&mut self) {
        for write in taken::writes(&self.naming, &self.duplicates) {
            self.journal.write_at_the_end(write);
        }
    }

    /// Takes what is to be made durable, each with its number. Nothing waits for it.
    pub fn take_writes(&mut self) -> Vec<(u64, Write)> {
        core::mem::take(&mut self.journal.waiting)
    }

    /// Writes are durable up to this number.
    pub fn durable(&mut self, through: u64) {
        self.journal.durable = self.journal.durable.max(through);
    }
}

/// Whether a packet is the proof of a circuit by the destination that was asked, whose key has to be known here.
fn is_proof_of(packet: &Packet<'_>, asked: &DestinationHash, announces: &Announces) -> bool {
    let proof = LinkProof::from_packet(packet);
    announces.verifying(asked).zip(proof.ok()).is_some_and(|(key, proof)| proof.verify(&key).is_ok())
}
