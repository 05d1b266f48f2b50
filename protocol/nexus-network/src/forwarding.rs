//! The organ that says where a packet goes: here, over a link, or nowhere.
//!
//! It holds no packet and waits for nothing: it is asked, decides, and rewrites the header where it lies. Invariants:
//!
//! * a packet is taken once, but for those whose context says that they repeat;
//! * a proof goes back the way that the proved packet came, and only the first one;
//! * nothing goes back over the link by which it came;
//! * whatever is dropped is counted by cause.
//!
//! Packets are in the form in which links carry them: header bit 6 says that this node is asked to carry the packet on,
//! and the transport id is left out. Spec: spec/network.md#forwarding.

mod duplicates;
mod names;
mod reverse;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, MemoryBound, Relaying, Seed};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::{
    DestinationType, Flags, HeaderType, Hops, Packet, PacketType, PathRequest, TruncatedPacketHash,
};
use thiserror::Error;

use crate::announces::{Announces, Step, Trial};
use crate::links::LinkId;
use crate::routes::{PathName, PathPolicy, Stage};
use duplicates::Duplicates;
use names::Naming;
use reverse::{Came, Reverse};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is for this node. Its header is as the originator wrote it, but for the hops.
    Deliver,
    /// Send it over this link, as it lies.
    Forward {
        /// Which.
        link: LinkId,
    },
    /// It asks for a path.
    Ask {
        /// What it asks.
        request: PathRequest,
        /// How many steps it came, this one included.
        hops: Hops,
    },
    /// It ends here.
    Drop(Cause),
}

/// Why a packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Not a packet, or an announce where none belongs.
    Malformed,
    /// It came as many hops as a packet may.
    HopLimit,
    /// It was taken before.
    Duplicate,
    /// Nobody asked this node to carry it on, and it is not for this node.
    NotForUs,
    /// This node carries nothing for others.
    Leaf,
    /// No way to its destination is known.
    NoPath,
    /// The way to its destination is not over a link.
    InClear,
    /// The way to its destination leads back where it came from.
    Loop,
    /// It belongs to a Reticulum link, of which this node knows nothing.
    LinkTable,
    /// It proves a packet that did not go this way, or another proof was first.
    NoReverse,
}

/// How many packets ended, by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drops {
    /// See [`Cause::Malformed`].
    pub malformed: u64,
    /// See [`Cause::HopLimit`].
    pub hop_limit: u64,
    /// See [`Cause::Duplicate`].
    pub duplicate: u64,
    /// See [`Cause::NotForUs`].
    pub not_for_us: u64,
    /// See [`Cause::Leaf`].
    pub leaf: u64,
    /// See [`Cause::NoPath`].
    pub no_path: u64,
    /// See [`Cause::InClear`].
    pub in_clear: u64,
    /// See [`Cause::Loop`].
    pub loops: u64,
    /// See [`Cause::LinkTable`].
    pub link_table: u64,
    /// See [`Cause::NoReverse`].
    pub no_reverse: u64,
}

impl Drops {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let all = [
            self.malformed,
            self.hop_limit,
            self.duplicate,
            self.not_for_us,
            self.leaf,
            self.no_path,
            self.in_clear,
            self.loops,
            self.link_table,
            self.no_reverse,
        ];
        all.into_iter().fold(0, u64::saturating_add)
    }

    const fn count(&mut self, cause: Cause) {
        let counter = match cause {
            Cause::Malformed => &mut self.malformed,
            Cause::HopLimit => &mut self.hop_limit,
            Cause::Duplicate => &mut self.duplicate,
            Cause::NotForUs => &mut self.not_for_us,
            Cause::Leaf => &mut self.leaf,
            Cause::NoPath => &mut self.no_path,
            Cause::InClear => &mut self.in_clear,
            Cause::Loop => &mut self.loops,
            Cause::LinkTable => &mut self.link_table,
            Cause::NoReverse => &mut self.no_reverse,
        };
        *counter = counter.saturating_add(1);
    }
}

/// No way to the destination is known, or none over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no path to the destination is known")]
pub struct NoPath;

/// How much the organ may hold. All of it is held from the start.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Packet hashes remembered, 8 bytes each.
    pub duplicates: usize,
    /// Packets whose proofs find their way back, 32 bytes each.
    pub reverse: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { duplicates: 65_536, reverse: 16_384 }
    }
}

/// The organ.
#[derive(Debug)]
pub struct Forwarding {
    /// The destinations that end here.
    local: BTreeSet<DestinationHash>,
    naming: Naming,
    duplicates: Duplicates,
    reverse: Reverse,
    drops: Drops,
}

impl Forwarding {
    /// An organ that knows of no packet. `own` is this node's own destination.
    #[must_use]
    pub fn new(own: DestinationHash, limits: Limits, seed: &Seed) -> Self {
        Self {
            local: BTreeSet::from([own]),
            // A key that nobody knows: what shares a bucket cannot be chosen.
            naming: Naming::new(seed.fork("forwarding").bytes()),
            duplicates: Duplicates::new(limits.duplicates),
            reverse: Reverse::new(limits.reverse),
            drops: Drops::default(),
        }
    }

    /// Counts what came over a link and is no message of packets at all.
    pub const fn malformed(&mut self) {
        self.drops.count(Cause::Malformed);
    }

    /// What was dropped so far, by cause.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// A packet came over the link `from`. Counts its hop, decides, and rewrites its header for whoever gets it.
    pub fn from_link(
        &mut self,
        cx: Cx,
        from: LinkId,
        class: Class,
        packet: &mut [u8],
        announces: &mut Announces,
    ) -> Decision {
        let decision = match OnLink::read(packet) {
            Ok(read) => {
                self.decide(cx, from, class, &read, announces).map(|(to, header)| (to, read.hops, header))
            }
            Err(cause) => Err(cause),
        };
        match decision {
            Ok((to, hops, header)) => {
                rewrite(packet, header, hops);
                to
            }
            Err(cause) => {
                self.drops.count(cause);
                Decision::Drop(cause)
            }
        }
    }

    /// A packet of this node's own is to leave. Rewrites its header for the next hop.
    ///
    /// # Errors
    /// [`NoPath`], also if the bytes are not a packet.
    pub fn originate(
        &mut self,
        cx: Cx,
        policy: PathPolicy,
        packet: &mut [u8],
        announces: &mut Announces,
    ) -> Result<LinkId, NoPath> {
        let read = Packet::decode(packet).map_err(|_| NoPath)?;
        let step = announces.next_hop(cx.now, &read.destination, policy, None).ok_or(NoPath)?;
        let link = step.next_hop.link().ok_or(NoPath)?;
        let (flags, hops, name) = (read.flags(), read.hops, self.naming.name(read.truncated_hash()));
        self.duplicates.insert(&name);
        let path = expected(cx, &read, &step, announces);
        self.reverse.insert(&name, Came { from: None, went: Some(link), path }, cx.now);
        match step.stage {
            Stage::Last => {}
            Stage::Relay => rewrite(packet, flags.in_transport(), hops),
        }
        Ok(link)
    }

    /// A probe of this node's own is to leave by a path that is in doubt, whatever else is chosen. Rewrites its header for the next
    /// hop. Its proof counts once somebody looked at it.
    ///
    /// # Errors
    /// [`NoPath`], also if the bytes are not a packet.
    pub fn probe(&mut self, cx: Cx, trial: Trial, packet: &mut [u8]) -> Result<LinkId, NoPath> {
        let read = Packet::decode(packet).map_err(|_| NoPath)?;
        let (flags, hops, name) = (read.flags(), read.hops, self.naming.name(read.truncated_hash()));
        self.duplicates.insert(&name);
        let came = Came { from: None, went: Some(trial.link), path: PathName::NONE };
        self.reverse.insert(&name, came, cx.now);
        match trial.stage {
            Stage::Last => {}
            Stage::Relay => rewrite(packet, flags.in_transport(), hops),
        }
        Ok(trial.link)
    }

    /// A proof of this node's own is to leave: back over the link by which the proved packet came, if that is known.
    pub fn prove(&mut self, cx: Cx, packet: &mut [u8]) -> Option<LinkId> {
        let read = Packet::decode(packet).ok()?;
        let proved = self.naming.name(TruncatedPacketHash(read.destination.0));
        let came = self.reverse.take(&proved, None, cx.now)?;
        self.duplicates.insert(&self.naming.name(read.truncated_hash()));
        came.from
    }

    fn decide(
        &mut self,
        cx: Cx,
        from: LinkId,
        class: Class,
        read: &OnLink<'_>,
        announces: &mut Announces,
    ) -> Result<(Decision, Flags), Cause> {
        let packet = &read.packet;
        let local = self.local.contains(&packet.destination);
        if packet.packet_type == PacketType::Announce {
            return Err(Cause::Malformed);
        }
        if packet.destination_type == DestinationType::Link {
            return Err(Cause::LinkTable);
        }
        if packet.destination == DestinationHash::PATH_REQUEST && read.header == HeaderType::One {
            // By its tag it is known whether it came before: it comes back where nobody is left to be asked.
            let request = PathRequest::from_packet(packet).map_err(|_| Cause::Malformed)?;
            return Ok((Decision::Ask { request, hops: read.hops }, packet.flags()));
        }
        let name = self.naming.name(packet.truncated_hash());
        // What both tables hold of it is asked for at once: memory answers two questions in the time of one.
        let seat = self.reverse.seat(&name);
        if !packet.context.may_repeat() && self.duplicates.contains(&name) {
            return Err(Cause::Duplicate);
        }
        let decided = match (packet.packet_type, read.header) {
            (PacketType::Proof, HeaderType::One) => self.decide_proof(cx, from, packet, announces)?,
            (_, _) if local && packet.destination_type == DestinationType::Single => {
                let came = Came { from: Some(from), went: None, path: PathName::NONE };
                self.reverse.put(seat, &name, came, cx.now);
                (Decision::Deliver, packet.flags().out_of_transport())
            }
            (_, HeaderType::One) => return Err(Cause::NotForUs),
            (_, HeaderType::Two) => {
                let (link, step) = next_hop(cx, from, class, packet, announces)?;
                if packet.packet_type == PacketType::Data {
                    let path = expected(cx, packet, &step, announces);
                    self.reverse.put(seat, &name, Came { from: Some(from), went: Some(link), path }, cx.now);
                }
                let flags = packet.flags();
                let header = match step.stage {
                    Stage::Last => flags.out_of_transport(),
                    Stage::Relay => Flags::from_byte(flags.byte() | HEADER_2),
                };
                (Decision::Forward { link }, header)
            }
        };
        self.duplicates.insert(&name);
        Ok(decided)
    }

    /// Proofs go back the way that the proved packet came, and only from where it went.
    fn decide_proof(
        &mut self,
        cx: Cx,
        from: LinkId,
        packet: &Packet<'_>,
        announces: &mut Announces,
    ) -> Result<(Decision, Flags), Cause> {
        let proved = self.naming.name(TruncatedPacketHash(packet.destination.0));
        let came = self.reverse.take(&proved, Some(from), cx.now).ok_or(Cause::NoReverse)?;
        announces.proved(cx.now, came.path, from);
        let header = packet.flags().out_of_transport();
        Ok(match came.from {
            None => (Decision::Deliver, header),
            Some(link) => (Decision::Forward { link }, header),
        })
    }
}

impl MemoryBound for Forwarding {
    fn memory_bound(&self) -> usize {
        self.duplicates.memory_bound().saturating_add(self.reverse.memory_bound()).saturating_add(1_024)
    }
}

/// The next hop of a packet that this node is asked to carry on, by what its class asks for.
fn next_hop(
    cx: Cx,
    from: LinkId,
    class: Class,
    packet: &Packet<'_>,
    announces: &mut Announces,
) -> Result<(LinkId, Step), Cause> {
    if cx.config.relaying == Relaying::Off {
        return Err(Cause::Leaf);
    }
    if packet.is_link_local() {
        return Err(Cause::NotForUs);
    }
    // The next hop would refuse what has come as many hops as it may.
    if packet.hops.counted().and_then(Hops::counted).is_none() {
        return Err(Cause::HopLimit);
    }
    let policy = PathPolicy::of_class(class);
    let Some(step) = announces.next_hop(cx.now, &packet.destination, policy, Some(from)) else {
        let only_back = announces.path(&packet.destination).is_some();
        return Err(if only_back { Cause::Loop } else { Cause::NoPath });
    };
    let link = step.next_hop.link().ok_or(Cause::InClear)?;
    Ok((link, step))
}

/// The path of a packet, and that its proof is expected.
fn expected(cx: Cx, packet: &Packet<'_>, step: &Step, announces: &mut Announces) -> PathName {
    if packet.packet_type == PacketType::Data {
        announces.expect_proof(cx.now, step.path);
    }
    step.path
}

/// A packet as links carry it.
struct OnLink<'a> {
    /// The packet, read as one without transport id; its hops are those that it came with.
    packet: Packet<'a>,
    /// What its header really is.
    header: HeaderType,
    /// The hop that it has just come is counted.
    hops: Hops,
}

impl<'a> OnLink<'a> {
    fn read(bytes: &'a mut [u8]) -> Result<Self, Cause> {
        let first = bytes.first_mut().ok_or(Cause::Malformed)?;
        let header = Flags::from_byte(*first).header_type();
        *first &= !HEADER_2;
        let packet = Packet::decode(bytes).map_err(|_| Cause::Malformed)?;
        let hops = packet.hops.counted().ok_or(Cause::HopLimit)?;
        Ok(Self { packet, header, hops })
    }
}

/// The bit of the first byte that promises a transport id.
const HEADER_2: u8 = 0x40;

/// Writes the two bytes of a header that change on the way.
fn rewrite(packet: &mut [u8], flags: Flags, hops: Hops) {
    if let Some(head) = packet.first_chunk_mut() {
        *head = [flags.byte(), hops.get()];
    }
}
