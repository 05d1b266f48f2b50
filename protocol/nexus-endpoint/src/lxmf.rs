//! The organ of LXMF: people's messages, sent until they are proved or their time is over, and taken in once each.
//!
//! It uses an [`Endpoint`](crate::Endpoint) as any program would: it says [`Command`](crate::Command)s to it, and is told those of its
//! [`Event`]s that it claims. Invariants: whatever was to be sent ends in exactly one of delivered and undelivered; no message is
//! handed over twice while it is remembered; one whose signature is not its source's is handed to nobody. Spec: spec/lxmf.md#organ.

mod contract;
mod incoming;
mod lines;
mod outgoing;
pub mod stamp;
#[cfg(test)]
mod tests;
mod transfers;
mod visits;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};

use nexus_crypto::{DestinationHash, NameHash, ReticulumIdentity};
use nexus_machine::{
    BoundedMap, Cx, Deadlines, Duration, Instant, Machine, MapOverflow, MemoryBound, Seed, Sink, Stream,
};
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::lxmf::{DELIVERY, DeliveryInfo, DeliveryInfoKind, MessageId, Ticket, TransientId};
use nexus_wire::reticulum::msgpack::Float;

use crate::contract::{Accepting, Announcing, Command as Wish, Event, Handle, Need, Service, Side};
use crate::limits::tree;
pub use contract::{
    Command, Effect, Input, Letter, Outgoing, Presence, Refusals, Signed, TEXT_MAX, Undelivered, Way,
};
use incoming::Held;
use lines::Line;
use outgoing::Errand;
use visits::Visit;

/// What this organ calls what it wants of the endpoint begins here: hosts keep below.
pub const FIRST_HANDLE: u64 = 1 << 63;

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages on their way, up to [`TEXT_MAX`] bytes each.
    pub outgoing: usize,
    /// Messages that came and are looked at.
    pub held: usize,
    /// Ids of messages that came.
    pub remembered: usize,
    /// Tickets of others.
    pub tickets: usize,
    /// Links that it has or was called on.
    pub lines: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { outgoing: 64, held: 64, remembered: 4_096, tickets: 256, lines: 32 }
    }
}

/// The organ. See the module's page.
#[derive(Debug)]
pub struct Lxmf {
    limits: Limits,
    identity: ReticulumIdentity,
    address: DestinationHash,
    random: Stream,
    presence: Option<Presence>,
    outgoing: BTreeMap<u64, outgoing::Parcel>,
    held: BTreeMap<u64, Held>,
    seen: BoundedMap<MessageId, ()>,
    tickets: BoundedMap<DestinationHash, Ticket>,
    lines: BTreeMap<LinkId, Line>,
    /// Who is being called, by what the call is called.
    calls: BTreeMap<DestinationHash, Handle>,
    errands: BTreeMap<Handle, Errand>,
    last_handle: u64,
    last_key: u64,
    visit: Visit,
    /// What was fetched from the node.
    fetched: BoundedMap<TransientId, ()>,
    deadlines: Deadlines<Timer>,
    refusals: Refusals,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timer {
    /// A parcel is tried again.
    Retry(u64),
    /// A slice of work.
    Work,
    /// A link was not used for a while.
    Idle(LinkId),
    /// The propagation node is to be visited.
    Visit,
}

/// Slices of work are so far apart.
const SLICE: Duration = Duration::from_millis(1);
/// A link that this end made is closed when it was not used for so long.
const IDLE: Duration = Duration::from_secs(60);

/// Whether an event of the endpoint is for this organ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is.
    Claimed,
    /// It is somebody else's.
    Another,
}

impl Lxmf {
    /// An organ of this identity.
    #[must_use]
    pub fn new(identity: ReticulumIdentity, limits: Limits, seed: &Seed) -> Self {
        let address = DestinationHash::of(NameHash::of(DELIVERY), identity.hash());
        Self {
            limits,
            identity,
            address,
            random: seed.fork("lxmf"),
            presence: None,
            outgoing: BTreeMap::new(),
            held: BTreeMap::new(),
            seen: BoundedMap::new(limits.remembered, MapOverflow::EvictLeastRecent),
            tickets: BoundedMap::new(limits.tickets, MapOverflow::EvictLeastRecent),
            lines: BTreeMap::new(),
            calls: BTreeMap::new(),
            errands: BTreeMap::new(),
            last_handle: FIRST_HANDLE,
            last_key: 0,
            visit: Visit::None,
            fetched: BoundedMap::new(limits.remembered, MapOverflow::EvictLeastRecent),
            deadlines: Deadlines::default(),
            refusals: Refusals::default(),
        }
    }

    /// The address of this identity, whether messages are taken there or not.
    #[must_use]
    pub const fn address(&self) -> DestinationHash {
        self.address
    }

    /// What came and was not handed over.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Whether an event is to be told to this organ, and to nobody else.
    #[must_use]
    pub fn claim(&self, event: &Event) -> Claim {
        let handle = |handle: &Handle| (FIRST_HANDLE..Handle::OWN).contains(&handle.0);
        let is_own = match event {
            Event::Serving { name, .. } | Event::NotServing { name, .. } => name == DELIVERY,
            Event::Found { handle: of, .. }
            | Event::Delivered { handle: of, .. }
            | Event::Failed { handle: of, .. }
            | Event::Needed { need: Need::Read(of, ..), .. }
            | Event::Sealed { handle: of, .. }
            | Event::Unsealed { handle: of, .. }
            | Event::Responded { handle: of, .. } => handle(of),
            Event::Received { destination, .. } => *destination == self.address,
            Event::LinkUp { handle: of, up } => match up.side {
                Side::Initiator => of.as_ref().is_some_and(handle),
                Side::Responder => up.destination == self.address,
            },
            Event::LinkDown { link, .. }
            | Event::Said { link, .. }
            | Event::Identified { link, .. }
            | Event::Transfer { link, .. } => self.lines.contains_key(link),
            // What is compressed is the host's work; no channel is opened here, and nothing carried.
            Event::Needed {
                need: Need::Pack(..) | Need::Unpack(..) | Need::PackPiece(_) | Need::UnpackPiece(..),
                ..
            }
            | Event::Carried { .. }
            | Event::Channel { .. } => false,
            Event::Requested(asked) => self.lines.contains_key(&asked.link),
        };
        if is_own { Claim::Claimed } else { Claim::Another }
    }

    fn serve(&mut self, now: Instant, presence: Presence, out: &mut impl Sink<Effect>) {
        let kind = DeliveryInfoKind::List(&[]);
        let name = presence.name.as_ref().map(String::as_bytes);
        let app_data = DeliveryInfo { name, stamp_cost: presence.stamp_cost, kind }.encode();
        out.push(Effect::Endpoint(Wish::Serve(Service {
            name: DELIVERY.to_string(),
            app_data,
            announcing: Announcing::Hourly,
            accepting: Accepting::Links,
        })));
        self.presence = Some(presence);
        self.visit(now, out);
    }

    fn next_handle(&mut self, errand: Errand) -> Handle {
        // Of 63 bits none comes twice.
        self.last_handle = self.last_handle.saturating_add(1);
        let handle = Handle(self.last_handle);
        self.errands.insert(handle, errand);
        handle
    }

    fn next_key(&mut self) -> u64 {
        self.last_key = self.last_key.saturating_add(1);
        self.last_key
    }

    fn told(&mut self, cx: Cx, event: Event, out: &mut impl Sink<Effect>) {
        match event {
            Event::Serving { .. }
            | Event::NotServing { .. }
            | Event::Requested(_)
            | Event::Carried { .. }
            | Event::Channel { .. } => {}
            Event::Responded { handle, data } => {
                if self.errands.remove(&handle) == Some(Errand::Get) {
                    self.got(cx, &data.0, out);
                }
            }
            Event::Sealed { handle, sealed } => {
                if let Some(Errand::Seal { parcel, cost }) = self.errands.remove(&handle) {
                    self.sealed(cx.now, parcel, cost, &sealed.0);
                }
            }
            Event::Unsealed { handle, plaintext } => {
                if let Some(Errand::Unseal { id }) = self.errands.remove(&handle) {
                    self.unsealed(cx, id, plaintext.as_ref().map(|plaintext| &*plaintext.0), out);
                }
            }
            Event::Found { handle, peer } => match self.errands.remove(&handle) {
                Some(Errand::Find { parcel }) => self.found(cx, parcel, &peer, out),
                Some(Errand::FindNode { parcel }) => self.node_found(cx, parcel, &peer, out),
                Some(Errand::Source { held }) => self.source_found(cx, held, Some(&peer), out),
                Some(
                    Errand::Send { .. }
                    | Errand::Say { .. }
                    | Errand::Call { .. }
                    | Errand::Seal { .. }
                    | Errand::Get
                    | Errand::Unseal { .. },
                )
                | None => {}
            },
            Event::Delivered { handle, .. } => self.delivered(cx, handle, out),
            Event::Failed { handle, why } => match self.errands.remove(&handle) {
                Some(Errand::Source { held }) => self.source_found(cx, held, None, out),
                Some(
                    Errand::Find { parcel }
                    | Errand::FindNode { parcel }
                    | Errand::Seal { parcel, .. }
                    | Errand::Send { parcel }
                    | Errand::Say { parcel, .. },
                ) => self.failed(cx, parcel, why, out),
                Some(Errand::Get) => self.visit_failed(cx.now),
                Some(Errand::Unseal { id }) => self.unsealed(cx, id, None, out),
                Some(Errand::Call { to }) => self.call_failed(cx, to, why, out),
                None => {}
            },
            Event::Received { plaintext, .. } => self.came(cx, &plaintext.0, incoming::Form::Packet, out),
            Event::LinkUp { handle, up } => self.line_up(cx, handle, up, out),
            Event::LinkDown { link, .. } => self.line_down(cx.now, link),
            Event::Said { link, plaintext } => {
                self.used(cx.now, link);
                if self.line_peer(&link).is_some_and(|peer| self.is_node(&peer)) {
                    // Why it refuses what was left there; the link goes down with it.
                    return;
                }
                self.came(cx, &plaintext.0, incoming::Form::Whole, out);
            }
            Event::Identified { link, identity } => self.identified(link, &identity),
            Event::Transfer { link, event } => self.transferred(cx, link, event, out),
            Event::Needed { link, need } => self.supply(link, &need, out),
        }
    }

    /// A slice of work: what came goes before what is to leave.
    fn work(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        if let Some(held) = self.being_checked() {
            self.check(cx, held, out);
        } else if let Some(parcel) = self.being_stamped() {
            self.stamp(cx, parcel, out);
        }
        if self.being_checked().is_some() || self.being_stamped().is_some() {
            self.deadlines.set(Timer::Work, cx.now.after(SLICE));
        }
    }

    fn begin_work(&mut self, now: Instant) {
        if self.deadlines.get(Timer::Work).is_none() {
            self.deadlines.set(Timer::Work, now.after(SLICE));
        }
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// The time, as messages have it: with parts of a second, so that two of the same text are two.
fn time(cx: Cx) -> Float {
    let since_reading =
        |wall: nexus_machine::WallClock| Duration::from_secs(wall.unix_s).plus(cx.now.since(wall.read_at));
    Float::of(cx.wall.map_or_else(|| cx.now.since(Instant::BOOT), since_reading))
}

impl Machine for Lxmf {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Entropy(entropy) => self.random.refresh(&entropy),
            Input::Command(Command::Serve(presence)) => self.serve(cx.now, presence, out),
            Input::Command(Command::Send(outgoing)) => self.send(cx, outgoing, out),
            Input::Endpoint(event) => self.told(cx, event, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Retry(parcel) => self.attempt(cx, parcel, out),
                Timer::Work => self.work(cx, out),
                Timer::Visit => self.visit(cx.now, out),
                Timer::Idle(link) => self.idle(cx.now, link, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Lxmf {
    fn memory_bound(&self) -> usize {
        let Limits { outgoing, held, remembered, tickets, lines } = self.limits;
        let text = TEXT_MAX.saturating_add(512);
        let errands = outgoing.saturating_mul(2).saturating_add(held).saturating_add(16);
        let timers = outgoing.saturating_add(lines).saturating_add(3);
        let mapped =
            |entries, size: usize| tree(entries, size.saturating_add(8)).saturating_add(tree(entries, size));
        [
            tree(outgoing, size_of::<(u64, outgoing::Parcel)>()),
            // The message, and what is left at the node.
            outgoing.saturating_mul(text).saturating_mul(3),
            tree(held, size_of::<(u64, Held)>()),
            held.saturating_mul(text),
            mapped(remembered, size_of::<MessageId>()),
            mapped(remembered, size_of::<TransientId>()),
            visits::MEMORY_BOUND,
            mapped(tickets, size_of::<(DestinationHash, Ticket)>()),
            tree(lines, size_of::<(LinkId, Line)>()),
            tree(outgoing, size_of::<(DestinationHash, Handle)>()),
            tree(errands, size_of::<(Handle, Errand)>()),
            tree(timers, size_of::<(Timer, Instant)>()),
            timers.saturating_mul(4).saturating_add(32).saturating_mul(size_of::<(Instant, Timer)>()),
            512,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}
