//! The trace hash: one number for everything that happened in a run.
//!
//! Every observation is encoded into one canonical byte stream, which is hashed in pieces: `state ← BLAKE3(state ‖ piece)`,
//! from 32 zero bytes, over pieces of 64 KiB and what is left at the end. All numbers are little-endian and of fixed width;
//! bytes are preceded by their length as u32; options by 0 or 1. Source: spec/simulation.md#trace-hash.

use std::fmt;

use nexus_crypto::NodeId;
use nexus_crypto::hash::blake3;
use nexus_machine::{Instant, Snapshot, Write};
use nexus_network::{Access, Endpoint, InterfaceId, Mode, Profile, Reach};
use nexus_node::{Command, Event, Input, Output};
use nexus_wire::reticulum::Ifac;
use nexus_wire::reticulum::packet::HEADER_1_LEN;

mod mail;
mod schedule;

use crate::observation::{Act, Damage, Observation, Observer, Provenance, What};

/// The hash of a run. Equal for two runs exactly if all that was observed of them is equal, in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceHash(pub [u8; 32]);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

const PIECE: usize = 65_536;

/// An observer that hashes everything.
#[derive(Debug, Default)]
pub struct Trace {
    state: [u8; 32],
    pending: Encoder,
}

impl Trace {
    /// The hash of everything observed.
    #[must_use]
    pub fn finish(mut self) -> TraceHash {
        while !self.pending.bytes.is_empty() {
            self.absorb();
        }
        TraceHash(self.state)
    }

    fn absorb(&mut self) {
        let length = self.pending.bytes.len().min(PIECE);
        self.state = blake3(&[&self.state, &self.pending.bytes[..length]]);
        self.pending.bytes.drain(..length);
    }
}

impl Observer for Trace {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.pending.observation(observation);
        while self.pending.bytes.len() >= PIECE {
            self.absorb();
        }
    }
}

/// Writes the canonical encoding. Tags are part of it: they are never renumbered.
#[derive(Debug, Default)]
struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("no list of a simulation has 2³² items"));
    }

    fn instant(&mut self, instant: Instant) {
        self.u64(instant.as_micros());
    }

    fn deadline(&mut self, due: Option<Instant>) {
        self.u8(due.is_some().into());
        self.instant(due.unwrap_or_default());
    }

    fn observation(&mut self, observation: &Observation<'_>) {
        self.u64(observation.at.as_micros());
        match &observation.what {
            What::Node { node, incarnation, act } => {
                self.u8(1);
                self.u32(node.0);
                self.u32(*incarnation);
                self.act(act);
            }
            What::Marred { medium, receiver, damage } => {
                self.u8(2);
                self.u32(medium.0);
                self.u32(receiver.0);
                self.damage(*damage);
            }
            What::Scheduled(action) => {
                self.u8(3);
                self.action(action);
            }
            What::Aired { medium, sender, channel: _, airtime, bytes } => {
                self.u8(4);
                self.u32(medium.0);
                self.u32(sender.0);
                self.u64(airtime.as_micros());
                self.blob(bytes);
            }
        }
    }

    fn act(&mut self, act: &Act<'_>) {
        match act {
            Act::Booted { snapshot, disk } => {
                self.u8(1);
                self.snapshot(snapshot);
                self.provenance(*disk);
            }
            Act::Crashed => self.u8(2),
            Act::Given { now, input } => {
                self.u8(3);
                self.instant(*now);
                self.input(input);
            }
            Act::Woken { now, due } => {
                self.u8(4);
                self.instant(*now);
                self.deadline(*due);
            }
            Act::Rested { now, due } => {
                self.u8(5);
                self.instant(*now);
                self.deadline(*due);
            }
            Act::Took(output) => {
                self.u8(6);
                self.output(output);
            }
            Act::Durable(ticket) => {
                self.u8(7);
                self.u64(ticket.0);
            }
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        self.count(snapshot.iter().count());
        for (table, key, value) in snapshot.iter() {
            self.u8(table.0);
            self.blob(key);
            self.blob(value);
        }
    }

    fn provenance(&mut self, disk: Provenance) {
        self.u8(match disk {
            Provenance::Kept => 0,
            Provenance::Stale => 1,
        });
    }

    fn damage(&mut self, damage: Damage) {
        self.u8(match damage {
            Damage::Lost => 1,
            Damage::Collided => 2,
            Damage::Partitioned => 3,
            Damage::Cut => 4,
            Damage::Unheard => 5,
            Damage::Corrupted => 6,
            Damage::Truncated => 7,
            Damage::Duplicated => 8,
            Damage::Delayed => 9,
            Damage::Deaf => 10,
            Damage::BrokenOff => 11,
            Damage::Displaced => 12,
            Damage::Overflowed => 13,
            Damage::OutOfRange => 14,
        });
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::Frame { iface, from, bytes } => {
                self.tagged_iface(1, *iface);
                self.endpoint(from.as_ref());
                self.blob(bytes);
            }
            Input::Up { iface, profile } => {
                self.tagged_iface(2, *iface);
                self.profile(profile);
            }
            Input::Down { iface } => self.tagged_iface(3, *iface),
            Input::TxReady { iface } => self.tagged_iface(4, *iface),
            Input::ChannelBusy { iface } => self.tagged_iface(5, *iface),
            Input::ChannelClear { iface } => self.tagged_iface(6, *iface),
            Input::Command(command) => {
                self.u8(7);
                self.command(command);
            }
            Input::Persisted { through } => {
                self.u8(8);
                self.u64(through.0);
            }
            Input::WallClock { unix_s, error_s } => {
                self.u8(9);
                self.u64(*unix_s);
                self.u32(*error_s);
            }
            Input::Entropy(bytes) => {
                self.u8(10);
                self.blob(bytes);
            }
            Input::Read { number, value } => {
                self.u8(40);
                self.u64(*number);
                self.blob(value.as_deref().unwrap_or_default());
            }
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Transmit { iface, to, bytes } => {
                self.tagged_iface(1, *iface);
                self.endpoint(to.as_ref());
                self.blob(bytes);
            }
            Output::Sense { iface } => self.tagged_iface(2, *iface),
            Output::Persist { ticket, writes } => {
                self.u8(3);
                self.u64(ticket.0);
                self.count(writes.len());
                for write in writes {
                    self.write(write);
                }
            }
            Output::Event(event) => {
                self.u8(4);
                self.event(event);
            }
        }
    }

    fn write(&mut self, write: &Write) {
        self.u8(write.table.0);
        self.blob(&write.key);
        self.u8(write.value.is_some().into());
        self.blob(write.value.as_deref().unwrap_or_default());
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Reached { destination, emitted_at, hops, iface } => {
                self.tagged_iface(1, *iface);
                self.blob(destination.as_bytes());
                self.u64(*emitted_at);
                self.u8(*hops);
            }
            Event::Announced { emitted_at } => {
                self.u8(2);
                self.u64(*emitted_at);
            }
            Event::ChannelJammed { iface } => self.tagged_iface(3, *iface),
            Event::EntropyWanted => self.u8(4),
            Event::ClocksParted { by } => {
                self.u8(5);
                self.u64(by.as_micros());
            }
            Event::LinkUp(link) => {
                self.u8(6);
                self.link(link);
            }
            Event::LinkDown { last, why } => {
                self.u8(7);
                self.link(last);
                self.down(*why);
            }
            Event::MessageArrived(message) => {
                self.u8(8);
                self.message(message);
            }
            Event::Attempted { handle, attempt } => {
                self.tagged_handle(9, *handle);
                self.attempt(*attempt);
            }
            Event::Delivered { handle, attempts, round_trip } => {
                self.tagged_handle(10, *handle);
                self.u32(*attempts);
                self.u64(round_trip.as_micros());
            }
            Event::Traced { handle, attempts, round_trip, traced } => {
                self.tagged_handle(14, *handle);
                self.u32(*attempts);
                self.u64(round_trip.as_micros());
                self.traced(traced);
            }
            Event::Undelivered { handle, why } => {
                self.tagged_handle(11, *handle);
                self.undelivered(*why);
            }
            Event::PathFound { destination, hops, after } => {
                self.u8(12);
                self.blob(destination.as_bytes());
                self.u8(*hops);
                self.u64(after.as_micros());
            }
            Event::PathNotFound { destination } => {
                self.u8(13);
                self.blob(destination.as_bytes());
            }
            Event::Ledger(event) => self.printed(40, event),
            Event::Lxmf(event) => self.printed(16, event),
            Event::Economy(event) => self.printed(17, event),
            Event::Endpoint(event) => self.printed(15, event),
        }
    }

    /// What has no shape of its own here: as it is printed.
    fn printed(&mut self, tag: u8, what: &impl fmt::Debug) {
        self.u8(tag);
        self.blob(format!("{what:?}").as_bytes());
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Announce => self.u8(1),
            Command::Start => self.u8(2),
            Command::Dial { iface, to, expected } => {
                self.tagged_iface(3, *iface);
                self.endpoint(Some(to));
                self.u8(expected.is_some().into());
                self.blob(expected.as_ref().map(NodeId::as_bytes).map_or(&[], <[u8; 16]>::as_slice));
            }
            Command::Undial { iface, to } => {
                self.tagged_iface(4, *iface);
                self.endpoint(Some(to));
            }
            Command::Policy(policy) => {
                self.u8(5);
                self.policy(policy);
            }
            Command::Send(outgoing) => {
                self.u8(6);
                self.outgoing(outgoing);
            }
            Command::Forget { through } => {
                self.u8(7);
                self.u64(*through);
            }
            Command::Prefer(policy) => {
                self.u8(9);
                self.path_policy(*policy);
            }
            Command::FindPath { destination } => {
                self.u8(10);
                self.blob(destination.as_bytes());
            }
            Command::Price { iface, price } => {
                self.tagged_iface(8, *iface);
                self.u64(*price);
            }
            Command::Weigh { node, weight } => {
                self.u8(21);
                self.blob(node.as_bytes());
                self.u32(weight.get().into());
            }
            Command::Trust(trust) => self.printed(22, trust),
            Command::Terms { price, line } => self.printed(23, &(price, line)),
            Command::Channel { peer, command } => self.printed(24, &(peer, command)),
            Command::Certified { channel, side, deposit } => self.printed(25, &(channel, side, deposit)),
            Command::Shown(state) => self.printed(26, state),
            Command::Save => self.u8(18),
            Command::ForgetPaths { destination } => {
                self.u8(20);
                self.blob(destination.as_bytes());
            }
            Command::Recognised { iface, peer } => {
                self.tagged_iface(17, *iface);
                self.blob(peer);
            }
            Command::Cross => self.u8(19),
            Command::SayTunnel { iface, interface } => {
                self.tagged_iface(12, *iface);
                self.blob(interface);
            }
            Command::Ledger(command) => self.printed(40, command),
            Command::Lxmf(command) => self.printed(14, command),
            Command::Endpoint(command) => self.printed(13, command),
            Command::AccessCodes { iface, codes } => {
                self.tagged_iface(11, *iface);
                self.access_codes(codes);
            }
        }
    }

    /// The key is not shown: what it makes of a packet of zeros tells it from others.
    fn access_codes(&mut self, codes: &Ifac) {
        let mut frame = vec![0; codes.tag_len().bytes() + HEADER_1_LEN];
        let sealed = codes.seal(&mut frame);
        debug_assert!(sealed.is_ok(), "a header is a packet");
        self.blob(&frame);
    }

    fn tagged_iface(&mut self, tag: u8, iface: InterfaceId) {
        self.u8(tag);
        self.u8(iface.0);
    }

    fn endpoint(&mut self, endpoint: Option<&Endpoint>) {
        self.u8(endpoint.is_some().into());
        self.blob(endpoint.map(Endpoint::as_bytes).unwrap_or_default());
    }

    fn profile(&mut self, profile: &Profile) {
        self.u8(match profile.mode {
            Mode::Nexus => 1,
            Mode::Reticulum => 2,
        });
        self.u8(match profile.reach {
            Reach::PointToPoint => 1,
            Reach::Shared => 2,
            Reach::Addressed => 3,
        });
        match profile.access {
            Access::Direct => self.u8(1),
            Access::ListenBeforeTalk { slot } => {
                self.u8(2);
                self.u64(slot.as_micros());
            }
        }
        self.u64(profile.bandwidth_bps);
        self.u32(profile.frame_size.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WorldTime;
    use crate::observation::NodeIndex;
    use nexus_machine::{Duration, Ticket};

    fn durable(micros: u64, ticket: u64) -> Observation<'static> {
        let act = Act::Durable(Ticket(ticket));
        let at = WorldTime::from_start(Duration::from_micros(micros));
        Observation { at, what: What::Node { node: NodeIndex(7), incarnation: 2, act } }
    }

    fn hash(observations: &[Observation<'_>]) -> TraceHash {
        let mut trace = Trace::default();
        for observation in observations {
            trace.observe(observation);
        }
        trace.finish()
    }

    #[test]
    fn an_observation_is_encoded_as_the_spec_says() {
        let mut encoder = Encoder::default();
        encoder.observation(&durable(0x0102, 9));
        let expected = [
            &[2, 1, 0, 0, 0, 0, 0, 0][..], // at
            &[1, 7, 0, 0, 0, 2, 0, 0, 0],  // a node's act, node 7, incarnation 2
            &[7, 9, 0, 0, 0, 0, 0, 0, 0],  // durable through ticket 9
        ];
        assert_eq!(encoder.bytes, expected.concat());
    }

    #[test]
    fn order_time_and_content_all_count() {
        let (a, b) = (durable(1, 1), durable(2, 2));
        let reference = hash(&[a, b]);
        assert_eq!(reference, hash(&[a, b]));
        for other in [vec![b, a], vec![a], vec![a, b, b], vec![a, durable(2, 3)], vec![a, durable(3, 2)]] {
            assert_ne!(reference, hash(&other));
        }
    }

    #[test]
    fn a_stream_longer_than_one_piece_is_chained_piece_by_piece() {
        let many: Vec<Observation<'_>> = (0..6_000).map(|n| durable(n, n)).collect();
        let mut encoder = Encoder::default();
        for observation in &many {
            encoder.observation(observation);
        }
        assert!(encoder.bytes.len() > 2 * PIECE);
        let state = encoder.bytes.chunks(PIECE).fold([0; 32], |state, piece| blake3(&[&state, piece]));
        assert_eq!(hash(&many), TraceHash(state));
    }
}
