//! A run as a recording that capture tools read: every frame at every node, and what sealed ones say.
//! Source: spec/capture.md#of-a-world.

use std::collections::BTreeMap;
use std::io::{self, Write};

use nexus_network::{Endpoint, InterfaceId, Mode, Opened, Tapping};
use nexus_node::{Input, Output};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::recording::{Direction, RecordedFrame, RecordedMessages};
use nexus_wire::pcapng::{self, LinkType, Packet};

use crate::clock::WorldTime;
use crate::layout::{Layout as World, MediumPlan};
use crate::observation::{Act, NodeIndex, Observation, Observer, What};

/// An observer that records.
#[derive(Debug)]
pub struct Capture<W> {
    to: W,
    /// By node and interface: the number in the file of its frames. That of its messages follows.
    numbers: BTreeMap<(NodeIndex, InterfaceId), u32>,
    /// The first error of the writer: nothing is written after it.
    error: Option<io::Error>,
}

impl<W: Write> Capture<W> {
    /// A recording of `world` to `to`, two interfaces for each of a node's: frames, and opened messages.
    pub fn new(mut to: W, world: &World) -> Self {
        let (mut numbers, mut head) = (BTreeMap::new(), pcapng::section("nexus-sim"));
        for node in world.node_indices() {
            for (iface, medium) in world.interfaces(node) {
                let count = u32::try_from(2 * numbers.len()).expect("fewer interfaces than 2³¹");
                numbers.insert((node, iface), count);
                let name = format!("node {} interface {}", node.0, iface.0);
                let about = description(&world.media[medium.place()]);
                let about = format!("medium {}: {about}", medium.0);
                head.extend(pcapng::interface(LinkType::FRAMES, &name, &about));
                let opened = format!("{name} opened");
                head.extend(pcapng::interface(LinkType::MESSAGES, &opened, &about));
            }
        }
        let error = to.write_all(&head).err();
        Self { to, numbers, error }
    }

    /// Whether all could be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.error.take().map_or_else(|| self.to.flush(), Err)
    }

    fn frame(
        &mut self,
        at: WorldTime,
        node: NodeIndex,
        iface: InterfaceId,
        direction: Direction,
        endpoint: &[u8],
        frame: &[u8],
    ) {
        let recorded = RecordedFrame { interface: iface.0, direction, endpoint, frame };
        self.record(at, (node, iface), 0, direction, &recorded);
    }

    fn record<'a>(
        &mut self,
        at: WorldTime,
        place: (NodeIndex, InterfaceId),
        behind: u32,
        direction: Direction,
        recorded: &impl Layout<'a>,
    ) {
        let Some(first) = self.numbers.get(&place).filter(|_| self.error.is_none()) else { return };
        let mut data = vec![0; recorded.encoded_len()];
        recorded.encode(&mut data).expect("the buffer has the value's own length");
        let time_ns = at.as_micros().saturating_mul(1_000);
        let packet = Packet { interface: first + behind, time_ns, direction, data: &data };
        self.error = self.to.write_all(&packet.to_block()).err();
    }
}

impl<W: Write> Observer for Capture<W> {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = observation.what else { return };
        match act {
            Act::Given { input: Input::Frame { iface, from, bytes }, .. } => {
                let from = from.as_ref().map_or(&[][..], Endpoint::as_bytes);
                self.frame(observation.at, node, *iface, Direction::Received, from, bytes);
            }
            Act::Took(Output::Transmit { iface, to, bytes }) => {
                let to = to.as_ref().map_or(&[][..], Endpoint::as_bytes);
                self.frame(observation.at, node, *iface, Direction::Sent, to, bytes);
            }
            Act::Took(Output::Sense { .. } | Output::Persist { .. } | Output::Event(_))
            | Act::Given { .. }
            | Act::Booted { .. }
            | Act::Crashed
            | Act::Woken { .. }
            | Act::Rested { .. }
            | Act::Durable(_) => {}
        }
    }

    fn wants_opened(&self) -> Tapping {
        Tapping::Open
    }

    fn opened(&mut self, at: WorldTime, node: NodeIndex, opened: &Opened) {
        let Opened { iface, direction, peer, header, plaintext } = opened;
        let recorded = RecordedMessages {
            interface: iface.0,
            direction: *direction,
            peer: *peer,
            header: *header,
            plaintext,
        };
        self.record(at, (node, *iface), 1, *direction, &recorded);
    }
}

/// A medium in a few words.
#[must_use]
pub fn description(medium: &MediumPlan) -> String {
    let speech = match medium.profile.mode {
        Mode::Nexus => "links",
        Mode::Reticulum => "open packets",
    };
    let kind = match &medium.modems {
        Some(channel) => {
            let (modulation, mhz) = (channel.modulation(), channel.frequency_hz() / 1_000);
            let (factor, khz) = (modulation.spreading_factor(), modulation.bandwidth_hz() / 1_000);
            format!("radio {}.{:03} MHz, SF{factor}, {khz} kHz", mhz / 1_000, mhz % 1_000)
        }
        None if medium.is_radio() => "radio".to_owned(),
        None if medium.is_lan() => "local network".to_owned(),
        None => "cable".to_owned(),
    };
    format!("{kind}, {speech}")
}
