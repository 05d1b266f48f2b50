//! The organ that says where a packet goes: here, one step on, or nowhere.
//!
//! It holds no packet and waits for nothing: it is asked, decides, and rewrites the header where it lies. Invariants:
//!
//! * a packet is taken once, but for those whose context says that they repeat;
//! * a proof goes back the way that the proved packet came, and only the first one;
//! * nothing goes back over the link by which it came;
//! * whatever is dropped is counted by cause.
//!
//! A step is a [`Hop`]: over a link, or in clear. Packets are decided about in the form in which links carry them: header bit 6 says
//! that this node is asked to carry the packet on, and the transport id is left out. Spec: spec/network.md#forwarding.

mod circuits;
mod contract;
mod drops;
mod duplicates;
mod hop;
mod linking;
mod names;
mod on_link;
mod reverse;
mod taken;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};

use nexus_crypto::{DestinationHash, IdentityHash, NodeId};
use nexus_machine::{Cx, Duration, MemoryBound, Relaying, Seed, Snapshot};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::path_cost::CostCode;
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::{
    Context, DestinationType, Flags, HeaderType, Hops, MTU, Packet, PacketType, PathRequest,
    TruncatedPacketHash,
};

use crate::announces::{Announces, Fare, Step, Trial};
use crate::interface::{InterfaceId, Mode, Profile, Reach, Role};
use crate::links::LinkId;
use crate::routes::{NextHop, PathName, PathPolicy, Stage};
use crate::tally::{Passage, Tally};
use circuits::{Circuits, Onward};
pub use contract::{Answered, Decision, InClear, Leaving, Limits, NoPath};
pub use drops::{Cause, Drops};
use duplicates::Duplicates;
pub use hop::Hop;
pub(crate) use hop::{HopName, Kind};
pub use linking::CIRCUITS;
use linking::{Journal, restored};
use names::Naming;
use on_link::{HEAD, HEADER_2, OnLink, Sender, rewrite};
use reverse::{Came, Reverse};
pub use taken::TAKEN;

/// An interface.
#[derive(Clone, Copy, Debug)]
struct Medium {
    mode: Mode,
    reach: Reach,
    role: Role,
    /// How long a packet of the base MTU occupies it.
    airtime: Duration,
}

/// The organ.
#[derive(Debug)]
pub struct Forwarding {
    /// The destinations that end here.
    local: BTreeSet<DestinationHash>,
    naming: Naming,
    duplicates: Duplicates,
    reverse: Reverse,
    circuits: Circuits,
    journal: Journal,
    /// This node as a relay.
    transport: IdentityHash,
    media: BTreeMap<InterfaceId, Medium>,
    drops: Drops,
    /// Who answers link requests to this node's own destination, if anybody does.
    attending: Option<InterfaceId>,
    answered: Option<Answered>,
}

impl Forwarding {
    /// An organ that knows of the packets and circuits that were durable. `own` is this node's identity: its transport id, and that of
    /// its destination `nexus.node`.
    #[must_use]
    pub fn new(own: IdentityHash, limits: Limits, snapshot: &Snapshot, seed: &Seed) -> Self {
        let (naming, duplicates) = taken::restored(limits.duplicates, snapshot, seed);
        Self {
            local: BTreeSet::from([NodeId::of(own).into()]),
            transport: own,
            media: BTreeMap::new(),
            naming,
            duplicates,
            reverse: Reverse::new(limits.reverse),
            circuits: restored(limits.circuits, snapshot),
            journal: Journal::default(),
            drops: Drops::default(),
            attending: None,
            answered: None,
        }
    }

    /// An interface came up.
    pub fn up(&mut self, iface: InterfaceId, profile: &Profile) {
        let Profile { mode, reach, role, .. } = *profile;
        self.media.insert(iface, Medium { mode, reach, role, airtime: profile.airtime(MTU) });
    }

    /// Link requests to this node's own destination are for whoever is on this interface; what comes from there to ask another node for
    /// a link goes across stock relays.
    pub const fn attend(&mut self, iface: InterfaceId) {
        self.attending = Some(iface);
    }

    /// An interface went down.
    pub fn down(&mut self, iface: InterfaceId) {
        self.media.remove(&iface);
        self.circuits.lose(Hop::Clear(iface));
    }

    /// A link is no more.
    pub fn link_down(&mut self, link: LinkId) {
        self.circuits.lose(Hop::Link(link));
    }

    /// Whether packets leave in clear on an interface.
    #[must_use]
    pub fn runs_in_clear(&self, iface: InterfaceId) -> bool {
        self.media.get(&iface).is_some_and(|medium| medium.mode == Mode::Reticulum)
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

    /// A packet came over the link `from`, for which its sender pays what it states. Counts its hop, decides, and rewrites its header for
    /// whoever gets it. What is carried at a price is counted in the tally.
    pub fn from_link(
        &mut self,
        cx: Cx,
        from: LinkId,
        (class, stated): (Class, PriceCode),
        packet: &mut [u8],
        announces: &mut Announces,
        tally: &mut Tally,
    ) -> Decision {
        let passage = Passage { link: from, stated, bytes: packet.len() };
        let mut till = Some(Till { passage, tally });
        self.take(cx, Hop::Link(from), class, packet, announces, &mut till)
    }

    /// A packet came in clear. The same; one that names another relay is none of this node's.
    pub fn from_clear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        frame: &mut [u8],
        announces: &mut Announces,
    ) -> InClear {
        let header = frame.first().map(|first| Flags::from_byte(*first).header_type());
        let at = match header {
            Some(HeaderType::Two) => HEADROOM,
            Some(HeaderType::One) | None => 0,
        };
        if header == Some(HeaderType::Two) {
            let transport = frame.get(HEAD..HEAD.saturating_add(HEADROOM));
            let ended = match transport {
                None => Some(Cause::Malformed),
                // A program has nobody else to ask, whomever it remembers.
                Some(_) if self.sender(Hop::Clear(iface)) == Sender::Program => None,
                Some(transport) => (transport != self.transport.as_bytes()).then_some(Cause::OtherRelay),
            };
            if let Some(cause) = ended {
                return InClear { at, decision: self.drop(cause) };
            }
            frame.copy_within(..HEAD, HEADROOM);
        }
        let packet = frame.get_mut(at..).unwrap_or_default();
        let decision = self.take(cx, Hop::Clear(iface), Class::Standard, packet, announces, &mut None);
        InClear { at, decision }
    }

    fn take(
        &mut self,
        cx: Cx,
        from: Hop,
        class: Class,
        packet: &mut [u8],
        announces: &mut Announces,
        till: &mut Option<Till<'_>>,
    ) -> Decision {
        let decided = OnLink::read(packet, self.sender(from)).and_then(|read| {
            if read.packet.destination_type == DestinationType::Link {
                let Onward { to, hops, asked } =
                    self.decide_on_circuit(cx, from, class, &read, announces, till)?;
                let quoted = asked.map_or(CostCode::FREE, |asked| announces.fare(&asked, to).quoted);
                let leaving = Leaving { to, transport: None, quoted };
                return Ok((Decision::Forward(leaving), hops, read.packet.flags().out_of_transport()));
            }
            self.decide(cx, from, class, &read, announces, till).map(|(to, header)| (to, read.hops, header))
        });
        match decided {
            Ok((to, hops, header)) => {
                rewrite(packet, header, hops);
                to
            }
            Err(cause) => self.drop(cause),
        }
    }

    /// What the last packet showed of the time that a stock segment takes.
    pub const fn take_answered(&mut self) -> Option<Answered> {
        self.answered.take()
    }

    const fn drop(&mut self, cause: Cause) -> Decision {
        self.drops.count(cause);
        Decision::Drop(cause)
    }

    /// A packet of this node's own is to leave. Rewrites its header for the next hop.
    ///
    /// # Errors
    /// [`NoPath`], also if the bytes are not a packet.
    pub fn originate(
        &mut self,
        cx: Cx,
        (policy, class): (PathPolicy, Class),
        packet: &mut [u8],
        announces: &mut Announces,
    ) -> Result<Leaving, NoPath> {
        let read = Packet::decode(packet).map_err(|_| NoPath)?;
        let step = announces.next_hop(cx.now, &read.destination, policy, None).ok_or(NoPath)?;
        let step = announces.around_congestion(cx.now, &read.destination, class, None, step);
        let leaving = leaving_by(&step);
        let (flags, hops, name) = (read.flags(), read.hops, self.naming.name(read.truncated_hash()));
        self.duplicates.insert(&name);
        let path = expected(cx, &read, &step, announces);
        self.reverse.insert(&name, Came { from: None, went: Some(leaving.to), path }, cx.now);
        match step.stage {
            Stage::Last => {}
            Stage::Relay => rewrite(packet, flags.in_transport(), hops),
        }
        Ok(leaving)
    }

    /// A probe of this node's own is to leave by a path that is in doubt, whatever else is chosen. Rewrites its header for the next
    /// hop, and says what that asks for it. Its proof counts once somebody looked at it.
    ///
    /// # Errors
    /// [`NoPath`], also if the bytes are not a packet.
    pub fn probe(&mut self, cx: Cx, trial: Trial, packet: &mut [u8]) -> Result<(LinkId, CostCode), NoPath> {
        let read = Packet::decode(packet).map_err(|_| NoPath)?;
        let (flags, hops, name) = (read.flags(), read.hops, self.naming.name(read.truncated_hash()));
        self.duplicates.insert(&name);
        let came = Came { from: None, went: Some(Hop::Link(trial.link)), path: PathName::NONE };
        self.reverse.insert(&name, came, cx.now);
        match trial.stage {
            Stage::Last => {}
            Stage::Relay => rewrite(packet, flags.in_transport(), hops),
        }
        Ok((trial.link, trial.quoted))
    }

    /// A proof of this node's own is to leave: back where the proved packet came from, if that is known.
    pub fn prove(&mut self, cx: Cx, packet: &mut [u8]) -> Option<Hop> {
        let read = Packet::decode(packet).ok()?;
        let proved = self.naming.name(TruncatedPacketHash(read.destination.0));
        let came = self.reverse.take(&proved, None, cx.now)?;
        self.duplicates.insert(&self.naming.name(read.truncated_hash()));
        came.from
    }

    fn decide(
        &mut self,
        cx: Cx,
        from: Hop,
        class: Class,
        read: &OnLink<'_>,
        announces: &mut Announces,
        till: &mut Option<Till<'_>>,
    ) -> Result<(Decision, Flags), Cause> {
        let packet = &read.packet;
        let local = self.local.contains(&packet.destination);
        if packet.packet_type == PacketType::Announce {
            return Err(Cause::Malformed);
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
            (PacketType::LinkRequest, _) if local && let Some(iface) = self.attending => {
                let next_hop = NextHop::Clear(iface);
                let (stage, path, fare) = (Stage::Last, PathName::NONE, Fare::FREE);
                let step = Step { next_hop, stage, path, transport: None, hops: 1, fare };
                self.open_circuit(cx, from, read, &step)?;
                (Decision::Forward(leaving_by(&step)), packet.flags().out_of_transport())
            }
            (_, _) if local && packet.destination_type == DestinationType::Single => {
                let came = Came { from: Some(from), went: None, path: PathName::NONE };
                self.reverse.put(seat, &name, came, cx.now);
                (Decision::Deliver, packet.flags().out_of_transport())
            }
            (_, HeaderType::One) if packet.is_link_local() => return Err(Cause::LinkLocal),
            (_, HeaderType::One) if !self.is_carried(from, &packet.destination, announces) => {
                return Err(Cause::NotForUs);
            }
            (_, HeaderType::One | HeaderType::Two) => {
                let step = if self.is_asked_across_stock(from, packet, announces) {
                    announces.next_hop_across_stock(cx.now, &packet.destination).ok_or(Cause::NoPath)?
                } else {
                    next_hop(cx, from, class, packet, announces)?
                };
                let leaving = leaving_by(&step);
                if leaving.to == from && !self.may_return(from) {
                    return Err(Cause::Loop);
                }
                if let Some(till) = till {
                    till.charge(cx, &packet.destination, step.fare, announces)?;
                }
                if packet.packet_type == PacketType::LinkRequest {
                    self.open_circuit(cx, from, read, &step)?;
                } else {
                    let path = expected(cx, packet, &step, announces);
                    let came = Came { from: Some(from), went: Some(leaving.to), path };
                    self.reverse.put(seat, &name, came, cx.now);
                }
                let flags = packet.flags();
                let header = match (step.stage, read.header) {
                    (Stage::Last, _) => flags.out_of_transport(),
                    (Stage::Relay, HeaderType::Two) => Flags::from_byte(flags.byte() | HEADER_2),
                    // As its originator would, had it known of the relay.
                    (Stage::Relay, HeaderType::One) => flags.in_transport(),
                };
                (Decision::Forward(leaving), header)
            }
        };
        self.duplicates.insert(&name);
        Ok(decided)
    }

    /// Who is behind a step.
    fn sender(&self, by: Hop) -> Sender {
        match by {
            Hop::Clear(iface) if self.media.get(&iface).is_some_and(|medium| medium.role == Role::Local) => {
                Sender::Program
            }
            Hop::Clear(_) | Hop::Link(_) => Sender::Neighbour,
        }
    }

    /// Whether it asks another node for a link that carries what links of nodes would.
    fn is_asked_across_stock(&self, from: Hop, packet: &Packet<'_>, announces: &Announces) -> bool {
        packet.packet_type == PacketType::LinkRequest
            && self.attending.is_some_and(|iface| from == Hop::Clear(iface))
            && announces.recipient(&packet.destination).is_some_and(|recipient| {
                DestinationHash::from(NodeId::of(recipient.public.hash())) == packet.destination
            })
    }

    /// Whether a packet is carried on that names no relay: what a program sends, and what is for one. This node is all that others see of it.
    fn is_carried(&self, from: Hop, destination: &DestinationHash, announces: &Announces) -> bool {
        self.sender(from) == Sender::Program || announces.leads_to_program(destination)
    }

    /// Whether what came by a step may leave by it again: where whoever is to have it may not have heard it.
    fn may_return(&self, by: Hop) -> bool {
        match by {
            Hop::Link(_) => false,
            Hop::Clear(iface) => {
                self.media.get(&iface).is_some_and(|medium| medium.reach != Reach::PointToPoint)
            }
        }
    }

    /// Proofs go back the way that the proved packet came, and only from where it went.
    fn decide_proof(
        &mut self,
        cx: Cx,
        from: Hop,
        packet: &Packet<'_>,
        announces: &mut Announces,
    ) -> Result<(Decision, Flags), Cause> {
        let proved = self.naming.name(TruncatedPacketHash(packet.destination.0));
        let came = self.reverse.take(&proved, Some(from), cx.now).ok_or(Cause::NoReverse)?;
        announces.proved(cx.now, came.path, from);
        if packet.hops.counted().and_then(Hops::counted).is_none() {
            return Err(Cause::HopLimit);
        }
        let header = packet.flags().out_of_transport();
        Ok(match came.from {
            None => (Decision::Deliver, header),
            Some(to) => (Decision::Forward(Leaving { to, transport: None, quoted: CostCode::FREE }), header),
        })
    }
}

impl MemoryBound for Forwarding {
    fn memory_bound(&self) -> usize {
        // The filter twice: as it is, and while it is on its way to the disk.
        let filter = self.duplicates.memory_bound().saturating_mul(2);
        let tables = filter.saturating_add(self.reverse.memory_bound());
        tables.saturating_add(self.circuits.memory_bound()).saturating_add(32_768)
    }
}

/// The next hop of a packet that this node is asked to carry on, by what its class asks for.
fn next_hop(
    cx: Cx,
    from: Hop,
    class: Class,
    packet: &Packet<'_>,
    announces: &mut Announces,
) -> Result<Step, Cause> {
    if cx.config.relaying == Relaying::Off {
        return Err(Cause::Leaf);
    }
    if packet.is_link_local() {
        return Err(Cause::LinkLocal);
    }
    // The next hop would refuse what has come as many hops as it may.
    if packet.hops.counted().and_then(Hops::counted).is_none() {
        return Err(Cause::HopLimit);
    }
    let policy = PathPolicy::of_class(class);
    let step = match from {
        Hop::Clear(_) => announces.next_hop_in_clear(cx.now, &packet.destination, policy),
        Hop::Link(link) => {
            let step = announces.next_hop(cx.now, &packet.destination, policy, Some(link));
            step.map(|step| announces.around_congestion(cx.now, &packet.destination, class, Some(link), step))
        }
    };
    step.ok_or_else(|| {
        let only_back = announces.path(&packet.destination).is_some();
        if only_back { Cause::Loop } else { Cause::NoPath }
    })
}

fn leaving_by(step: &Step) -> Leaving {
    Leaving { to: step.next_hop.into(), transport: step.transport, quoted: step.fare.quoted }
}

/// The path of a packet whose proof is expected, which is noted. Whether others' packets are proved is for their recipients to say: only of
/// a NEXUS envelope is it known.
fn expected(cx: Cx, packet: &Packet<'_>, step: &Step, announces: &mut Announces) -> PathName {
    if packet.packet_type != PacketType::Data || packet.context != Context::NEXUS {
        return PathName::NONE;
    }
    announces.expect_proof(cx.now, step.path);
    step.path
}

/// Where packets are paid for that come over a link.
pub(super) struct Till<'a> {
    passage: Passage,
    tally: &'a mut Tally,
}

impl Till<'_> {
    /// Counts a packet to `destination` that is about to be carried on by a way for which this is asked.
    fn charge(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        fare: Fare,
        announces: &mut Announces,
    ) -> Result<(), Cause> {
        let Self { passage, tally } = self;
        let least = || announces.least_asked(cx.now, passage.link, destination);
        let taken = tally.take(cx.now, passage, fare, least);
        if taken == Err(Cause::Underpriced) {
            announces.underpaid(cx.now, passage.link, destination);
        }
        taken
    }
}
