//! The network layer: its organs, and the wires between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{NodeIdentity, RatchetPublic};
use nexus_machine::{Cx, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, earliest};

use crate::announces::{self, Announces};
use crate::interface::{InterfaceId, Profile};
use crate::media::{self, Frame, Media};

/// What the layer is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// An interface went down.
    Down(InterfaceId),
    /// A frame arrived.
    Frame {
        /// Where.
        iface: InterfaceId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The driver can take one more frame.
    TxReady(InterfaceId),
    /// Somebody is transmitting.
    ChannelBusy(InterfaceId),
    /// Nobody is transmitting.
    ChannelClear(InterfaceId),
    /// Announce, now.
    Announce,
    /// A ratchet is durable.
    Ratchet(RatchetPublic),
    /// The announces' writes are durable up to this number.
    Durable(u64),
}

/// What leaves the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// From the way out.
    Media(media::Effect),
    /// From the announces; never [`announces::Effect::Send`], which stays inside.
    Announces(announces::Effect),
}

/// How much the layer's organs may hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The way out.
    pub media: media::Limits,
    /// The announces.
    pub announces: announces::Limits,
}

/// The layer: organs, and beside them the queue of what they say to each other.
#[derive(Debug)]
pub struct Network {
    organs: Organs,
    nerves: VecDeque<Nerve>,
}

#[derive(Debug)]
struct Organs {
    media: Media,
    announces: Announces,
}

/// What organs of this layer say.
#[derive(Debug)]
enum Nerve {
    Media(media::Effect),
    Announces(announces::Effect),
}

impl From<media::Effect> for Nerve {
    fn from(effect: media::Effect) -> Self {
        Self::Media(effect)
    }
}

impl From<announces::Effect> for Nerve {
    fn from(effect: announces::Effect) -> Self {
        Self::Announces(effect)
    }
}

/// More nerve signals than this from one input is a loop in the wiring, which is a bug.
const SETTLE_BOUND: usize = 100_000;

impl Network {
    /// The layer, resuming from what was durable.
    #[must_use]
    pub fn new(
        identity: NodeIdentity,
        app_data: Vec<u8>,
        limits: Limits,
        snapshot: &Snapshot,
        seed: &Seed,
    ) -> Self {
        let organs = Organs {
            media: Media::new(limits.media, seed),
            announces: Announces::new(identity, app_data, limits.announces, snapshot, seed),
        };
        Self { organs, nerves: VecDeque::new() }
    }

    /// A view of the way out.
    #[must_use]
    pub const fn media(&self) -> &Media {
        &self.organs.media
    }

    /// A view of who is known.
    #[must_use]
    pub const fn announces(&self) -> &Announces {
        &self.organs.announces
    }

    fn settle(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        for _ in 0..SETTLE_BOUND {
            let Some(nerve) = self.nerves.pop_front() else { return };
            self.organs.wire(cx, nerve, &mut self.nerves, out);
        }
        unreachable!("the wiring of the network layer does not loop");
    }
}

impl Organs {
    fn wire(&mut self, cx: Cx, nerve: Nerve, nerves: &mut VecDeque<Nerve>, out: &mut impl Sink<Effect>) {
        use announces::Effect as A;
        match nerve {
            Nerve::Announces(A::Send(frame)) => self.send(cx, frame, nerves),
            Nerve::Announces(effect @ (A::Write { .. } | A::Reached { .. } | A::Announced { .. })) => {
                out.push(Effect::Announces(effect));
            }
            Nerve::Media(effect) => out.push(Effect::Media(effect)),
        }
    }

    fn send(&mut self, cx: Cx, frame: Frame, nerves: &mut VecDeque<Nerve>) {
        self.media.handle(cx, media::Input::Send(frame), nerves);
    }
}

impl Machine for Network {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        use announces::Input as A;
        use media::Input as M;
        let (Organs { media, announces }, nerves) = (&mut self.organs, &mut self.nerves);
        match input {
            Input::Up(iface, profile) => {
                media.handle(cx, M::Up(iface, profile), nerves);
                announces.handle(cx, A::Up(iface, profile), nerves);
            }
            Input::Down(iface) => {
                media.handle(cx, M::Down(iface), nerves);
                announces.handle(cx, A::Down(iface), nerves);
            }
            Input::Frame { iface, bytes } => announces.handle(cx, A::Heard { iface, bytes }, nerves),
            Input::TxReady(iface) => media.handle(cx, M::TxReady(iface), nerves),
            Input::ChannelBusy(iface) => media.handle(cx, M::ChannelBusy(iface), nerves),
            Input::ChannelClear(iface) => media.handle(cx, M::ChannelClear(iface), nerves),
            Input::Announce => announces.handle(cx, A::Announce, nerves),
            Input::Ratchet(ratchet) => announces.handle(cx, A::Ratchet(ratchet), nerves),
            Input::Durable(through) => announces.handle(cx, A::Durable(through), nerves),
        }
        self.settle(cx, out);
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.organs.media.handle_timeout(cx, &mut self.nerves);
        self.organs.announces.handle_timeout(cx, &mut self.nerves);
        self.settle(cx, out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.organs.media.next_timeout(), self.organs.announces.next_timeout()])
    }
}

impl MemoryBound for Network {
    fn memory_bound(&self) -> usize {
        // The queue is empty between calls, but keeps its room: as many signals as one input ever caused.
        let nerves = self.nerves.capacity().saturating_mul(size_of::<Nerve>());
        self.organs
            .media
            .memory_bound()
            .saturating_add(self.organs.announces.memory_bound())
            .saturating_add(nerves)
    }
}
