//! A node that has neighbours and nothing to say: the organs that make links and own the way out, without announces and
//! packets. What is on the air is what links cost.

use std::collections::VecDeque;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity};
use nexus_machine::{Cx, Instant, Machine as _, Snapshot, Ticket, earliest};
use nexus_network::links::{self, Links, Opened};
use nexus_network::media::{self, Media};
use nexus_network::{Endpoint, InterfaceId, LinkId, Policy};
use nexus_node::{Event, Input, Output};
use nexus_wire::reticulum::Announce;

use crate::actor::{Actor, Birth};

/// Such a node.
#[derive(Debug)]
pub struct Neighbour {
    links: Links,
    media: Media,
    outputs: VecDeque<Output>,
}

impl Actor for Neighbour {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    /// It announces nothing.
    fn remembers(_store: &Snapshot, _announce: &Announce<'_>) -> bool {
        false
    }

    fn boot(birth: Birth) -> Self {
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes(birth.identity));
        Self {
            links: Links::new(identity, Policy::Anyone, links::Limits::default(), &birth.seed),
            media: Media::new(media::Limits::default(), &birth.snapshot, &birth.seed),
            outputs: VecDeque::new(),
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let cx = Cx::at(now);
        match input {
            Input::Frame { iface, from, bytes } => {
                self.hear(cx, iface, from, bytes);
            }
            Input::Up { iface, profile } => {
                self.tell_media(cx, media::Input::Up(iface, profile));
                self.tell_links(cx, links::Input::Up(iface, profile));
            }
            Input::Down { iface } => {
                self.tell_media(cx, media::Input::Down(iface));
                self.tell_links(cx, links::Input::Down(iface));
            }
            Input::TxReady { iface } => self.tell_media(cx, media::Input::TxReady(iface)),
            Input::ChannelBusy { iface } => self.tell_media(cx, media::Input::ChannelBusy(iface)),
            Input::ChannelClear { iface } => self.tell_media(cx, media::Input::ChannelClear(iface)),
            Input::Entropy(entropy) => self.tell_links(cx, links::Input::Entropy(entropy)),
            // The tickets of the one writer are its numbers.
            Input::Persisted { through } => self.tell_media(cx, media::Input::Durable(through.0)),
            Input::Command(_) | Input::WallClock { .. } | Input::Read { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let cx = Cx::at(now);
        let mut effects = VecDeque::new();
        self.media.handle_timeout(cx, &mut effects);
        self.transmit(cx, effects);
        let mut effects = VecDeque::new();
        self.links.handle_timeout(cx, &mut effects);
        self.act(cx, effects);
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.media.next_timeout(), self.links.next_timeout()])
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl Neighbour {
    /// Takes a frame; what it had for others than the links.
    pub(crate) fn hear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: Vec<u8>,
    ) -> Option<Opened> {
        let mut effects = VecDeque::new();
        let opened = self.links.receive(cx, iface, from, bytes, &mut effects);
        self.act(cx, effects);
        opened
    }

    /// The links that are up.
    pub(crate) fn linked(&self) -> Vec<LinkId> {
        self.links.status().map(|status| status.id).collect()
    }

    /// Says a message without a length, behind headroom, to the peer of a link.
    pub(crate) fn say(&mut self, cx: Cx, link: LinkId, message: Vec<u8>) {
        let frames: Vec<_> = self.links.frames(link, message).collect();
        for frame in frames {
            self.tell_media(cx, media::Input::Send(frame));
        }
    }

    fn tell_links(&mut self, cx: Cx, input: links::Input) {
        let mut effects = VecDeque::new();
        self.links.handle(cx, input, &mut effects);
        self.act(cx, effects);
    }

    fn tell_media(&mut self, cx: Cx, input: media::Input) {
        let mut effects = VecDeque::new();
        self.media.handle(cx, input, &mut effects);
        self.transmit(cx, effects);
    }

    fn act(&mut self, cx: Cx, effects: VecDeque<links::Effect>) {
        for effect in effects {
            match effect {
                links::Effect::Send(frame) => self.tell_media(cx, media::Input::Send(frame)),
                links::Effect::Up(status) => self.outputs.push_back(Output::Event(Event::LinkUp(*status))),
                links::Effect::Down { last, why } => {
                    self.outputs.push_back(Output::Event(Event::LinkDown { last: *last, why }));
                }
                links::Effect::Measured { .. }
                | links::Effect::Stands { .. }
                | links::Effect::Beaconed(_) => {}
                links::Effect::EntropyWanted => self.outputs.push_back(Output::Event(Event::EntropyWanted)),
            }
        }
    }

    fn transmit(&mut self, cx: Cx, effects: VecDeque<media::Effect>) {
        for effect in effects {
            match effect {
                media::Effect::Transmit(mut frame) => {
                    let mut effects = VecDeque::new();
                    let sealed = self.links.seal(cx, &mut frame, &mut effects);
                    let media::Frame { iface, to, bytes, .. } = frame;
                    match sealed {
                        Ok(()) => {
                            self.tell_media(cx, media::Input::Sealed(iface, bytes.len()));
                            self.outputs.push_back(Output::Transmit { iface, to, bytes });
                        }
                        Err(links::Withheld) => self.tell_media(cx, media::Input::TxReady(iface)),
                    }
                    self.act(cx, effects);
                }
                media::Effect::Sense(iface) => self.outputs.push_back(Output::Sense { iface }),
                // It announces nothing, asks for nothing, and nobody feeds it.
                media::Effect::Lost(_) | media::Effect::Surge(..) | media::Effect::Congested { .. } => {}
                media::Effect::Carries(iface, bps) => self.tell_links(cx, links::Input::Carries(iface, bps)),
                media::Effect::Write { number, write } => {
                    self.outputs.push_back(Output::Persist { ticket: Ticket(number), writes: vec![write] });
                }
                media::Effect::Jammed(iface) => {
                    self.outputs.push_back(Output::Event(Event::ChannelJammed { iface }));
                }
            }
        }
    }
}
