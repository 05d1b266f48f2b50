//! Resources on links: the machine that a link has for them, and what its effects come to.
//!
//! What is a request or a response is held here, a segment at most, and told whole; everything else is the host's to read and to keep.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_machine::{Cx, Machine as _, Seed, Sink};
use nexus_wire::reticulum::resource::{RequestId, SEGMENT_MAX};
use nexus_wire::reticulum::{Context, LinkId};

use crate::channel;
use crate::contract::{Bytes, Effect, Event, Failure, Handle, Need, Supply};
use crate::endpoint::{Endpoint, Timer, fail, tell};
use crate::limits::tree;
use crate::resource::{
    Arrival, Command, Compression, Effect as Wanted, Event as Happened, Failure as Why, Input, Offer,
    Offered, Purpose, Resources, Segment,
};

/// Requests and responses that are sent as resources on a link, or wait to be.
const HELD: usize = 2;
/// The most that the resources of a link hold, in bytes.
pub const TRANSFERS_BOUND: usize = Resources::BOUND
    .saturating_add(HELD.saturating_mul(SEGMENT_MAX))
    .saturating_add(Resources::COMING.saturating_mul(2 * SEGMENT_MAX))
    .saturating_add(tree(HELD, size_of::<(Handle, Vec<u8>)>()))
    .saturating_add(tree(Resources::COMING, size_of::<(Arrival, Gathered)>()))
    .saturating_add(size_of::<Transfers>());

/// The resources of a link.
#[derive(Debug)]
pub(crate) struct Transfers {
    machine: Resources,
    /// Requests and responses that are sent.
    held: BTreeMap<Handle, Vec<u8>>,
    /// Requests and responses that come.
    gathered: BTreeMap<Arrival, Gathered>,
}

/// A request or a response, as far as it came.
#[derive(Debug)]
struct Gathered {
    what: Spoken,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Spoken {
    Request(RequestId),
    Response,
    /// Neither, and refused.
    Nothing,
}

impl Transfers {
    /// The link is no more.
    pub(super) fn end(mut self, id: LinkId, out: &mut impl Sink<Effect>) {
        let mut ends = VecDeque::new();
        self.machine.end(&mut ends);
        for end in ends {
            let Wanted::Event(event) = end else { continue };
            match event {
                Happened::NotSent(handle, _) if self.held.contains_key(&handle) => {
                    fail(handle, Failure::NoLink, out);
                }
                Happened::NotArrived(arrival, _) if self.gathered.contains_key(&arrival) => {}
                event => tell(Event::Transfer { link: id, event }, out),
            }
        }
    }
}

impl Endpoint {
    /// What whoever uses the link wants of them.
    pub(crate) fn command_transfers(
        &mut self,
        cx: Cx,
        id: &LinkId,
        command: Command,
        out: &mut impl Sink<Effect>,
    ) {
        if let Command::Offer(handle, _) = command
            && let Err(why) = self.equip(id)
        {
            let why = if why == Failure::NoLink { Why::NoLink } else { Why::Busy };
            return tell(Event::Transfer { link: *id, event: Happened::NotSent(handle, why) }, out);
        }
        self.transfer(cx, id, Input::Command(command), out);
    }

    /// What they, or the channel, needed of the host.
    pub(crate) fn supply(&mut self, cx: Cx, id: &LinkId, supply: Supply, out: &mut impl Sink<Effect>) {
        let input = match supply {
            Supply::Read(handle, data) => Input::Read(handle, data),
            Supply::Packed(handle, packing, data) => Input::Packed(handle, packing, data),
            Supply::Unpacked(arrival, data) => Input::Unpacked(arrival, data),
            Supply::PackedPiece(packing, data) => {
                return self.tell_channel(cx, id, channel::Input::Packed(packing, data), None, out);
            }
            Supply::UnpackedPiece(data) => {
                return self.tell_channel(cx, id, channel::Input::Unpacked(data), None, out);
            }
        };
        self.transfer(cx, id, input, out);
    }

    /// Sends a request or a response that does not fit a packet.
    pub(super) fn offer(
        &mut self,
        cx: Cx,
        handle: Handle,
        id: &LinkId,
        packed: Vec<u8>,
        purpose: Purpose,
        out: &mut impl Sink<Effect>,
    ) -> Result<(), Failure> {
        if packed.len() > SEGMENT_MAX {
            return Err(Failure::TooLong);
        }
        let transfers = self.equip(id)?;
        if transfers.held.len() >= HELD {
            return Err(Failure::Busy);
        }
        let len = u64::try_from(packed.len()).unwrap_or(u64::MAX);
        transfers.held.insert(handle, packed);
        let offer = Offer { len, metadata: None, purpose, compression: Compression::None };
        self.transfer(cx, id, Input::Command(Command::Offer(handle, offer)), out);
        Ok(())
    }

    /// Something of a resource's context came.
    pub(super) fn hear_of_transfers(
        &mut self,
        cx: Cx,
        id: &LinkId,
        context: Context,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let is_offer = context == Context::RESOURCE_ADVERTISEMENT;
        // For want of room nothing is said to who offers: it offers again.
        if is_offer && self.equip(id).is_err() {
            return;
        }
        self.transfer(cx, id, Input::Heard(context, bytes.to_vec()), out);
    }

    pub(crate) fn transfers_are_due(&mut self, cx: Cx, id: &LinkId, out: &mut impl Sink<Effect>) {
        let Some(transfers) = self.transfers(id) else { return };
        let mut effects = VecDeque::new();
        transfers.machine.handle_timeout(cx, &mut effects);
        self.carry_out_transfers(cx, id, effects, out);
    }

    /// Tells the machine of a link something, and what that comes to, until it wants nothing.
    pub(super) fn transfer(&mut self, cx: Cx, id: &LinkId, input: Input, out: &mut impl Sink<Effect>) {
        let Some(transfers) = self.transfers(id) else { return };
        let mut effects = VecDeque::new();
        transfers.machine.handle(cx, input, &mut effects);
        self.carry_out_transfers(cx, id, effects, out);
    }

    fn carry_out_transfers(
        &mut self,
        cx: Cx,
        id: &LinkId,
        mut effects: VecDeque<Wanted>,
        out: &mut impl Sink<Effect>,
    ) {
        while let Some(effect) = effects.pop_front() {
            let answer = self.carry_out_one(id, effect, out);
            if let Some(input) = answer
                && let Some(transfers) = self.transfers(id)
            {
                transfers.machine.handle(cx, input, &mut effects);
            }
        }
        match self.transfers(id).and_then(|transfers| transfers.machine.next_timeout()) {
            Some(at) => self.deadlines.set(Timer::Transfers(*id), at),
            None => self.deadlines.cancel(Timer::Transfers(*id)),
        }
    }

    /// What an effect comes to, and what the machine is answered.
    fn carry_out_one(&mut self, id: &LinkId, effect: Wanted, out: &mut impl Sink<Effect>) -> Option<Input> {
        match effect {
            Wanted::Say(context, form, bytes) => {
                self.say_on(id, context, form, &bytes, out);
                None
            }
            Wanted::Seal(handle, blob) => {
                let token = self.links.all.get(id)?.key()?.encrypt(&blob.0, &mut self.random);
                Some(Input::Sealed(handle, token))
            }
            Wanted::Open(arrival, token) => {
                let blob = self.links.all.get(id)?.key()?.decrypt(&token).ok();
                Some(Input::Opened(arrival, blob.map(Bytes)))
            }
            Wanted::Read(handle, from, len) => {
                let Some(held) = self.transfers(id)?.held.get(&handle) else {
                    tell(Event::Needed { link: *id, need: Need::Read(handle, from, len) }, out);
                    return None;
                };
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                let end = from.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                Some(Input::Read(handle, held.get(from..end).map(|data| Bytes(data.to_vec()))))
            }
            Wanted::Pack(handle, data) => {
                tell(Event::Needed { link: *id, need: Need::Pack(handle, data) }, out);
                None
            }
            Wanted::Unpack(arrival, data, most) => {
                tell(Event::Needed { link: *id, need: Need::Unpack(arrival, data, most) }, out);
                None
            }
            Wanted::Event(event) => self.transfer_happened(id, event, out),
        }
    }

    /// What happened to a resource: the host is told, unless it is a request or a response.
    fn transfer_happened(
        &mut self,
        id: &LinkId,
        event: Happened,
        out: &mut impl Sink<Effect>,
    ) -> Option<Input> {
        let transfers = self.transfers(id)?;
        match &event {
            Happened::Offered(arrival, offered) => {
                if let Some(answer) = self.gather(id, *arrival, offered) {
                    return Some(Input::Command(answer));
                }
            }
            Happened::Segment(arrival, Segment { data, .. }) => {
                if let Some(gathered) = transfers.gathered.get_mut(arrival) {
                    gathered.bytes.extend_from_slice(&data.0);
                    return Some(Input::Command(Command::Kept(*arrival)));
                }
            }
            Happened::Arrived(arrival) => {
                if let Some(Gathered { what, bytes }) = transfers.gathered.remove(arrival) {
                    match what {
                        Spoken::Request(request) => self.hear_request(id, request, &bytes, out),
                        Spoken::Response => self.hear_response(id, &bytes, out),
                        Spoken::Nothing => {}
                    }
                    return None;
                }
            }
            Happened::NotArrived(arrival, _) => {
                if transfers.gathered.remove(arrival).is_some() {
                    return None;
                }
            }
            Happened::Sent(handle) => {
                if transfers.held.remove(handle).is_some() {
                    return None;
                }
            }
            Happened::NotSent(handle, why) => {
                if transfers.held.remove(handle).is_some() {
                    self.not_taken(id, *handle, *why, out);
                    return None;
                }
            }
        }
        tell(Event::Transfer { link: *id, event }, out);
        None
    }

    /// Whether something that is offered is taken, if that is not the host's to say.
    fn gather(&mut self, id: &LinkId, arrival: Arrival, offered: &Offered) -> Option<Command> {
        let link = self.links.all.get_mut(id)?;
        let what = match offered.purpose {
            Purpose::Data => return None,
            Purpose::Request(request) => Spoken::Request(request),
            Purpose::Response(request) if link.asked.contains_key(&request) => Spoken::Response,
            Purpose::Response(_) => Spoken::Nothing,
        };
        let is_short = offered.len <= u64::try_from(SEGMENT_MAX).unwrap_or(u64::MAX) && offered.segments == 1;
        let what = if is_short { what } else { Spoken::Nothing };
        let gathered = Gathered { what, bytes: Vec::new() };
        link.transfers.as_mut()?.gathered.insert(arrival, gathered);
        Some(match what {
            Spoken::Request(_) | Spoken::Response => Command::Accept(arrival),
            Spoken::Nothing => Command::Refuse(arrival),
        })
    }

    /// A request or a response did not get there: whoever said it hears of it.
    fn not_taken(&mut self, id: &LinkId, handle: Handle, why: Why, out: &mut impl Sink<Effect>) {
        if let Some(link) = self.links.all.get_mut(id)
            && let Some(request) =
                link.asked.iter().find(|(_, of)| **of == handle).map(|(request, _)| *request)
        {
            link.asked.remove(&request);
            self.deadlines.cancel(Timer::Answer(*id, request));
        }
        fail(handle, Failure::NotTaken(why), out);
    }

    fn transfers(&mut self, id: &LinkId) -> Option<&mut Transfers> {
        self.up(id)?.transfers.as_deref_mut()
    }

    /// The resources of a link, which it has from here on. Of those of other links one that is idle gives way.
    fn equip(&mut self, id: &LinkId) -> Result<&mut Transfers, Failure> {
        let equipped = self.links.all.values().filter(|link| link.transfers.is_some()).count();
        let link = self.links.all.get(id).filter(|link| link.is_up()).ok_or(Failure::NoLink)?;
        if link.transfers.is_none() && equipped >= self.limits.transfers {
            let is_idle =
                |link: &&mut super::Link| link.transfers.as_ref().is_some_and(|of| of.machine.is_idle());
            let idle = self.links.all.values_mut().find(is_idle).ok_or(Failure::Busy)?;
            idle.transfers = None;
        }
        let seed = Seed::new(self.random.bytes());
        let link = self.up(id).ok_or(Failure::NoLink)?;
        let measures = link.measures();
        let made = || {
            let machine = Resources::new(*id, measures, &seed);
            Box::new(Transfers { machine, held: BTreeMap::new(), gathered: BTreeMap::new() })
        };
        Ok(link.transfers.get_or_insert_with(made))
    }
}
