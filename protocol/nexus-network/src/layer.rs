//! The network layer: its organs, and the wires between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodeIdentity, RatchetPublic};
use nexus_machine::{Cx, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Write, earliest};

use crate::announces::{self, Announces, AppData, Sighting};
use crate::interface::{Endpoint, InterfaceId, Profile};
use crate::links::{Down, LinkId, LinkStatus, Policy};
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
    /// Keep a link with whoever answers at `to`: begin handshakes until there is one, and again when it is lost.
    Dial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
        /// Who must answer, if that is known.
        expected: Option<NodeId>,
    },
    /// Keep it no longer; a link that is up stays up.
    Undial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
    },
    /// With whom to link from here on; links with others go down.
    Policy(Policy),
    /// Send a packet of this node's own, as its originator writes it: without transport id, no hops. Answered by
    /// [`Effect::Originated`].
    Originate {
        /// Repeated in the answer.
        handle: u64,
        /// The packet.
        packet: Vec<u8>,
    },
    /// Send a proof of this node's own back along the way that the proved packet came; without one it is dropped.
    Prove {
        /// The packet.
        packet: Vec<u8>,
    },
}

/// What leaves the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Hand this frame to the driver.
    Transmit(Frame),
    /// Ask the driver whether the channel is free.
    Sense(InterfaceId),
    /// A frame waited for the channel in vain.
    Jammed(InterfaceId),
    /// Make this write of the announces durable, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The write.
        write: Write,
    },
    /// An announce of another was verified.
    Reached(Sighting),
    /// This node's own announce left.
    Announced {
        /// Its emission time.
        emitted_at: u64,
    },
    /// A link came up.
    LinkUp(LinkStatus),
    /// A link is no more.
    LinkDown {
        /// As it last stood.
        last: LinkStatus,
        /// Why.
        why: Down,
    },
    /// A packet arrived for this node: as its originator wrote it, but for the hops.
    Arrived {
        /// The packet.
        packet: Vec<u8>,
    },
    /// What became of [`Input::Originate`].
    Originated {
        /// The input's.
        handle: u64,
        /// Whether it left, and towards whom; not that it arrived.
        outcome: Originated,
    },
}

/// What became of a packet of this node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Originated {
    /// It waits for its medium, on the way to `link`.
    Left(LinkId),
    /// Nothing is known of a way to its destination.
    NoPath,
    /// It is longer than a packet may be, or is no packet.
    Malformed,
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

/// How many signals the queue keeps room for between calls: what a burst needed beyond that is given back.
const RESTING_NERVES: usize = 32;

/// More nerve signals than this from one input is a loop in the wiring, which is a bug.
const SETTLE_BOUND: usize = 100_000;

impl Network {
    /// The layer, resuming from what was durable.
    #[must_use]
    pub fn new(
        identity: NodeIdentity,
        app_data: AppData,
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
            let Some(nerve) = self.nerves.pop_front() else {
                self.nerves.shrink_to(RESTING_NERVES);
                return;
            };
            self.organs.wire(cx, nerve, &mut self.nerves, out);
        }
        unreachable!("the wiring of the network layer does not loop");
    }
}

impl Organs {
    fn wire(&mut self, cx: Cx, nerve: Nerve, nerves: &mut VecDeque<Nerve>, out: &mut impl Sink<Effect>) {
        use announces::Effect as A;
        use media::Effect as M;
        match nerve {
            Nerve::Announces(A::Send(frame)) => self.media.handle(cx, media::Input::Send(frame), nerves),
            Nerve::Announces(A::Tell { .. }) => {}
            Nerve::Announces(A::Recall(about)) => self.media.handle(cx, media::Input::Recall(about), nerves),
            Nerve::Announces(A::Write { number, write }) => out.push(Effect::Write { number, write }),
            Nerve::Announces(A::Reached(sighting)) => out.push(Effect::Reached(sighting)),
            Nerve::Announces(A::Announced { emitted_at }) => out.push(Effect::Announced { emitted_at }),
            Nerve::Media(M::Transmit(frame)) => out.push(Effect::Transmit(frame)),
            Nerve::Media(M::Sense(iface)) => out.push(Effect::Sense(iface)),
            Nerve::Media(M::Jammed(iface)) => out.push(Effect::Jammed(iface)),
        }
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
            Input::Dial { .. }
            | Input::Undial { .. }
            | Input::Policy(_)
            | Input::Originate { .. }
            | Input::Prove { .. } => {}
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
        let nerves = RESTING_NERVES.saturating_mul(size_of::<Nerve>());
        self.organs
            .media
            .memory_bound()
            .saturating_add(self.organs.announces.memory_bound())
            .saturating_add(nerves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{Access, Mode, Reach};
    use alloc::vec;
    use nexus_crypto::{IdentitySeed, RatchetPublic};
    use nexus_machine::{Duration, Stream};
    use nexus_testkit::laws;

    const LEFT: InterfaceId = InterfaceId(0);
    const RIGHT: InterfaceId = InterfaceId(1);

    #[test]
    fn an_announce_heard_on_one_interface_leaves_on_the_other_when_the_channel_is_clear() {
        let mut relay = layer(1, &Seed::new([1; 32]));
        tell(&mut relay, Input::Up(LEFT, profile(Access::Direct)));
        tell(
            &mut relay,
            Input::Up(RIGHT, profile(Access::ListenBeforeTalk { slot: Duration::from_millis(5) })),
        );
        let heard = tell(&mut relay, Input::Frame { iface: LEFT, bytes: announce_of(2) });
        assert!(matches!(heard[..], [Effect::Reached(Sighting { iface: LEFT, .. })]));
        let due = Cx::at(relay.next_timeout().expect("it waits to be passed on"));
        let mut out: VecDeque<Effect> = VecDeque::new();
        relay.handle_timeout(due, &mut out);
        assert_eq!(out, [Effect::Sense(RIGHT)]);
        let sent = tell(&mut relay, Input::ChannelClear(RIGHT));
        assert!(matches!(&sent[..], [Effect::Transmit(frame)] if frame.iface == RIGHT));
    }

    #[test]
    fn the_network_layer_obeys_the_laws() {
        let genuine: Vec<Vec<u8>> = (2..14).map(announce_of).collect();
        laws::obeyed_by(
            "network",
            |seed| laws::Organ::new(layer(1, seed)),
            |random, _| {
                let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
                match random.below(12) {
                    0 => Input::Up(iface, profile(Access::Direct)),
                    1 => Input::Up(
                        iface,
                        profile(Access::ListenBeforeTalk {
                            slot: Duration::from_micros(random.below(100_000)),
                        }),
                    ),
                    2 if random.chance(1, 4) => Input::Down(iface),
                    3 => Input::Announce,
                    4 => Input::Ratchet(RatchetPublic(random.bytes())),
                    5 => Input::Durable(random.below(40)),
                    6 => Input::TxReady(iface),
                    7 => Input::ChannelBusy(iface),
                    8 => Input::ChannelClear(iface),
                    9 => Input::Frame { iface, bytes: noise(random) },
                    _ => {
                        let pick = random.below(u64::try_from(genuine.len()).unwrap());
                        Input::Frame { iface, bytes: genuine[usize::try_from(pick).unwrap()].clone() }
                    }
                }
            },
        );
    }

    fn layer(n: u8, seed: &Seed) -> Network {
        let limits = Limits {
            media: media::Limits { interfaces: 3, frames: 8, bytes: 2_000 },
            announces: announces::Limits { known: 8, relays: 4, links: 4, cache_bytes: 2_000 },
        };
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]));
        Network::new(identity, AppData::default(), limits, &Snapshot::empty(), seed)
    }

    fn profile(access: Access) -> Profile {
        let (mode, reach) = (Mode::Reticulum, Reach::PointToPoint);
        Profile { mode, reach, access, bandwidth_bps: 1_000_000, frame_size: 508 }
    }

    fn tell(layer: &mut Network, input: Input) -> Vec<Effect> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        layer.handle(Cx::at(Instant::BOOT), input, &mut out);
        out.into()
    }

    /// What another node's layer sends first.
    fn announce_of(n: u8) -> Vec<u8> {
        let mut other = layer(n, &Seed::new([n; 32]));
        tell(&mut other, Input::Up(LEFT, profile(Access::Direct)));
        tell(&mut other, Input::Ratchet(RatchetPublic([n; 32])));
        let sent = tell(&mut other, Input::Durable(1));
        let frame = sent.into_iter().find_map(|effect| match effect {
            Effect::Transmit(frame) => Some(frame.bytes),
            Effect::Sense(_)
            | Effect::Jammed(_)
            | Effect::Write { .. }
            | Effect::Reached(_)
            | Effect::Announced { .. }
            | Effect::LinkUp(_)
            | Effect::LinkDown { .. }
            | Effect::Arrived { .. }
            | Effect::Originated { .. } => None,
        });
        frame.expect("a durable emission is sent")
    }

    fn noise(random: &mut Stream) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(random.below(600)).unwrap()];
        random.fill(&mut bytes);
        bytes
    }
}
