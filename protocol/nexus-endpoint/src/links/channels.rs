//! The channel of a link, once whoever uses the link opened it: before that what comes for it is not proved.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use nexus_machine::{Cx, Machine as _, Sink};
use nexus_wire::reticulum::{Context, LinkId, PacketHash, TruncatedPacketHash};

use super::Link;
use crate::channel::{Channel, Command, Effect as Wanted, Event as Happened, Input, Number, Refusal};
use crate::contract::{Down, Effect, Event, Need};
use crate::endpoint::{Endpoint, Timer, tell};
use crate::limits::tree;
use crate::resource::Form;

/// Packets of a channel whose proofs may come: as many as a window has, said five times.
const SAID: usize = 256;
/// The most that the channel of a link holds, in bytes.
pub const CHANNEL_BOUND: usize = Channel::BOUND
    .saturating_add(tree(SAID, size_of::<(TruncatedPacketHash, (PacketHash, Number))>()))
    .saturating_add(size_of::<Open>());

/// An open channel.
#[derive(Debug)]
pub(crate) struct Open {
    machine: Channel,
    said: BTreeMap<TruncatedPacketHash, (PacketHash, Number)>,
}

impl Open {
    /// The link is no more.
    pub(super) fn end(mut self, id: LinkId, out: &mut impl Sink<Effect>) {
        let mut ends = VecDeque::new();
        self.machine.link_ended(&mut ends);
        for end in ends {
            if let Wanted::Event(event) = end {
                tell(Event::Channel { link: id, event }, out);
            }
        }
    }
}

impl Link {
    /// A packet of the channel that a proof names.
    pub(super) fn said_in_channel(&self, hash: &TruncatedPacketHash) -> Option<(PacketHash, Number)> {
        self.channel.as_ref()?.said.get(hash).copied()
    }
}

impl Endpoint {
    /// The channel of a link is listened to from here on.
    pub(crate) fn open_channel(&mut self, id: &LinkId) {
        let open = self.links.all.values().filter(|link| link.channel.is_some()).count();
        if open >= self.limits.channels {
            return;
        }
        let Some(link) = self.up(id).filter(|link| link.channel.is_none()) else { return };
        let machine = Channel::new(link.measures());
        link.channel = Some(Box::new(Open { machine, said: BTreeMap::new() }));
    }

    /// What whoever uses the link wants of its channel.
    pub(crate) fn command_channel(
        &mut self,
        cx: Cx,
        id: &LinkId,
        command: Command,
        out: &mut impl Sink<Effect>,
    ) {
        if self.channel(id).is_none() {
            let (Command::Send(handle, _) | Command::Write(handle, _)) = command;
            let event = Happened::NotSent(handle, Refusal::Ended);
            return tell(Event::Channel { link: *id, event }, out);
        }
        self.tell_channel(cx, id, Input::Command(command), None, out);
    }

    /// Tells the channel of a link something. `heard` is the packet that it may prove.
    pub(crate) fn tell_channel(
        &mut self,
        cx: Cx,
        id: &LinkId,
        input: Input,
        heard: Option<&PacketHash>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(channel) = self.channel(id) else { return };
        if let Input::Proved(number) = input {
            channel.said.retain(|_, (_, said)| *said != number);
        }
        let mut effects = VecDeque::new();
        channel.machine.handle(cx, input, &mut effects);
        self.carry_out_channel(id, effects, heard, out);
    }

    pub(crate) fn channel_is_due(&mut self, cx: Cx, id: &LinkId, out: &mut impl Sink<Effect>) {
        let Some(channel) = self.channel(id) else { return };
        let mut effects = VecDeque::new();
        channel.machine.handle_timeout(cx, &mut effects);
        self.carry_out_channel(id, effects, None, out);
    }

    fn carry_out_channel(
        &mut self,
        id: &LinkId,
        effects: VecDeque<Wanted>,
        heard: Option<&PacketHash>,
        out: &mut impl Sink<Effect>,
    ) {
        for effect in effects {
            match effect {
                Wanted::Say(number, bytes) => self.say_in_channel(id, number, &bytes, out),
                Wanted::Prove => {
                    if let Some(hash) = heard {
                        self.prove_on(id, hash, out);
                    }
                }
                Wanted::Pack(data) => tell(Event::Needed { link: *id, need: Need::PackPiece(data) }, out),
                Wanted::Unpack(data, most) => {
                    tell(Event::Needed { link: *id, need: Need::UnpackPiece(data, most) }, out);
                }
                Wanted::TearDown(_) => {
                    self.say_on(id, Context::LINK_CLOSE, Form::Sealed, id.as_bytes(), out);
                    return self.end_link(id, Down::Channel, out);
                }
                Wanted::Event(event) => tell(Event::Channel { link: *id, event }, out),
            }
        }
        match self.channel(id).and_then(|channel| channel.machine.next_timeout()) {
            Some(at) => self.deadlines.set(Timer::Channel(*id), at),
            None => self.deadlines.cancel(Timer::Channel(*id)),
        }
    }

    fn say_in_channel(&mut self, id: &LinkId, number: Number, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let hash = self.say_on(id, Context::CHANNEL, Form::Sealed, bytes, out);
        let Some((hash, channel)) = hash.zip(self.channel(id)) else { return };
        if channel.said.len() >= SAID {
            channel.said.pop_first();
        }
        channel.said.insert(hash.truncated(), (hash, number));
    }

    fn channel(&mut self, id: &LinkId) -> Option<&mut Open> {
        self.up(id)?.channel.as_deref_mut()
    }
}
