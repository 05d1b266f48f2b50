//! A node whose upper layers know no measure: above the organ that owns the way out is somebody who asks for more than any channel
//! carries, all the time. What is on the air is what that organ lets through.

use std::collections::{BTreeSet, VecDeque};

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Snapshot, Stream, Ticket, earliest};
use nexus_network::InterfaceId;
use nexus_network::media::{self, Flow, Frame, Load, Media};
use nexus_node::{Event, Input, Output};
use nexus_wire::reticulum::Announce;

use crate::actor::{Actor, Birth};

/// How often it asks,
const EVERY: Duration = Duration::from_millis(500);
/// for so many frames on each interface: at 11 kbit/s and 264 bytes on average, about four times what the channel carries.
const FRAMES: usize = 10;
/// The lengths of its frames, in bytes.
const SHORTEST: u64 = 20;
const LENGTHS: u64 = 489;

/// Such a node.
#[derive(Debug)]
pub struct Loud {
    media: Media,
    up: BTreeSet<InterfaceId>,
    asks_at: Option<Instant>,
    random: Stream,
    outputs: VecDeque<Output>,
}

impl Actor for Loud {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    /// It announces nothing.
    fn remembers(_store: &Snapshot, _announce: &Announce<'_>) -> bool {
        false
    }

    fn boot(birth: Birth) -> Self {
        Self {
            media: Media::new(media::Limits::default(), &birth.snapshot, &birth.seed),
            up: BTreeSet::new(),
            asks_at: None,
            random: birth.seed.fork("loud"),
            outputs: VecDeque::new(),
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let cx = Cx::at(now);
        match input {
            Input::Up { iface, profile } => {
                self.up.insert(iface);
                self.asks_at.get_or_insert(now.after(EVERY));
                self.tell(cx, media::Input::Up(iface, profile));
            }
            Input::Down { iface } => {
                self.up.remove(&iface);
                self.tell(cx, media::Input::Down(iface));
            }
            Input::TxReady { iface } => self.tell(cx, media::Input::TxReady(iface)),
            Input::ChannelBusy { iface } => self.tell(cx, media::Input::ChannelBusy(iface)),
            Input::ChannelClear { iface } => self.tell(cx, media::Input::ChannelClear(iface)),
            // The tickets of the one writer are its numbers.
            Input::Persisted { through } => self.tell(cx, media::Input::Durable(through.0)),
            Input::Frame { .. }
            | Input::Entropy(_)
            | Input::Command(_)
            | Input::WallClock { .. }
            | Input::Read { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let cx = Cx::at(now);
        let mut effects = VecDeque::new();
        self.media.handle_timeout(cx, &mut effects);
        self.act(effects);
        if self.asks_at.is_some_and(|at| at <= now) {
            self.asks_at = Some(now.after(EVERY));
            self.ask(cx);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.media.next_timeout(), self.asks_at])
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl Loud {
    fn ask(&mut self, cx: Cx) {
        for iface in self.up.clone() {
            for _ in 0..FRAMES {
                let length = SHORTEST.saturating_add(self.random.below(LENGTHS));
                let bytes = vec![0; usize::try_from(length).expect("a frame is short")];
                let frame = Frame {
                    iface,
                    to: None,
                    bytes,
                    about: None,
                    load: Load::Traffic,
                    flow: Flow::OWN,
                    under: None,
                };
                self.tell(cx, media::Input::Send(frame));
            }
        }
    }

    fn tell(&mut self, cx: Cx, input: media::Input) {
        let mut effects = VecDeque::new();
        self.media.handle(cx, input, &mut effects);
        self.act(effects);
    }

    fn act(&mut self, effects: VecDeque<media::Effect>) {
        for effect in effects {
            let output = match effect {
                media::Effect::Transmit(Frame { iface, to, bytes, .. }) => {
                    Output::Transmit { iface, to, bytes }
                }
                media::Effect::Sense(iface) => Output::Sense { iface },
                media::Effect::Jammed(iface) => Output::Event(Event::ChannelJammed { iface }),
                media::Effect::Write { number, write } => {
                    Output::Persist { ticket: Ticket(number), writes: vec![write] }
                }
                // Nobody chooses paths here.
                media::Effect::Carries(..)
                | media::Effect::Lost(_)
                | media::Effect::Surge(..)
                | media::Effect::Congested { .. } => continue,
            };
            self.outputs.push_back(output);
        }
    }
}
