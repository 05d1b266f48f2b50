//! A neighbour that hears nothing of congestion: it links as anybody does, and says what its applications offer, whatever it is told.

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Instant, Snapshot};
use nexus_network::announces::Choice;
use nexus_network::{Class, Opened, Tapping};
use nexus_node::{Command, Content, Input, Outgoing, Output};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::MessageWriter;
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::Announce;

use super::station::{Station, packet};
use crate::actor::{Actor, Birth};
use crate::neighbour::Neighbour;
use crate::observation::NodeIndex;

/// What a packet's first byte says of one that its receiver is to carry on: links leave the transport id out.
const IN_TRANSPORT: u8 = 0x50;

/// Stations, among which the node of this number is deaf.
#[derive(Debug)]
pub enum WithDeaf<const DEAF: u32> {
    /// A node as it should be.
    Station(Box<Station>),
    /// The other one.
    Deaf(Box<Deaf>),
}

/// Links and a way out, and nobody who listens.
#[derive(Debug)]
pub struct Deaf {
    neighbour: Neighbour,
}

impl Deaf {
    fn offer(&mut self, cx: Cx, outgoing: &Outgoing) {
        let Content::Message { text, .. } = &outgoing.content else { return };
        let Some(link) = self.neighbour.linked().first().copied() else { return };
        let Some(mut packet) = packet(outgoing.to, text) else { return };
        if let Some(flags) = packet.first_mut() {
            *flags = IN_TRANSPORT | *flags & 0x0f;
        }
        let body = traffic::Packet {
            class: outgoing.class.unwrap_or(Class::Interactive),
            price: PriceCode::FREE,
            packet: &packet,
        };
        let mut message = vec![0; HEADER_LEN + 1 + traffic::Packet::HEADER_LEN + packet.len()];
        MessageWriter::new(&mut message[HEADER_LEN..]).put_last(&body).expect("it has room for the packet");
        self.neighbour.say(cx, link, message);
    }
}

impl<const DEAF: u32> Actor for WithDeaf<DEAF> {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        Station::address(identity)
    }

    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        Station::remembers(store, announce)
    }

    fn boot(birth: Birth) -> Self {
        if birth.node == NodeIndex(DEAF) {
            Self::Deaf(Box::new(Deaf { neighbour: Neighbour::boot(birth) }))
        } else {
            Self::Station(Box::new(Station::boot(birth)))
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        match (self, input) {
            (Self::Station(station), input) => station.handle(now, input),
            (Self::Deaf(deaf), Input::Frame { iface, from, bytes }) => {
                // What it is told it does not read.
                let _told = deaf.neighbour.hear(Cx::at(now), iface, from, bytes);
            }
            (Self::Deaf(deaf), Input::Command(Command::Send(outgoing))) => deaf.offer(Cx::at(now), &outgoing),
            (Self::Deaf(deaf), input) => deaf.neighbour.handle(now, input),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Station(station) => station.handle_timeout(now),
            Self::Deaf(deaf) => deaf.neighbour.handle_timeout(now),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Station(station) => station.next_timeout(),
            Self::Deaf(deaf) => deaf.neighbour.next_timeout(),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Station(station) => station.poll_output(),
            Self::Deaf(deaf) => deaf.neighbour.poll_output(),
        }
    }

    fn turn_tap(&mut self, tapping: Tapping) {
        match self {
            Self::Station(station) => station.turn_tap(tapping),
            // What it says is seen where its neighbour opens it.
            Self::Deaf(_) => {}
        }
    }

    fn take_opened(&mut self) -> Option<Opened> {
        match self {
            Self::Station(station) => station.take_opened(),
            Self::Deaf(_) => None,
        }
    }

    fn choices(&self, all: &mut Vec<Choice>) {
        match self {
            Self::Station(station) => station.choices(all),
            Self::Deaf(_) => {}
        }
    }
}
