//! The interfaces that are there, and their numbers.

use std::collections::BTreeMap;

use nexus_network::{InterfaceId, Profile};

use crate::driver::{Carrier, Driver, Opening, PortId, Radio};

/// An interface as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceStatus {
    /// Its number in this process.
    pub id: InterfaceId,
    /// How the operator knows it.
    pub name: String,
    /// What kind of driver it is.
    pub kind: &'static str,
    /// What the core was told of it.
    pub profile: Profile,
    /// Whether its medium is there.
    pub carrier: Carrier,
    /// What it did so far.
    pub counters: Counters,
    /// What keeps its medium away, if that is known.
    pub fault: Option<String>,
    /// The radio behind it, if there is one.
    pub radio: Option<Radio>,
}

/// What an interface did since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames that arrived.
    pub frames_in: u64,
    /// Their bytes, framing not counted.
    pub bytes_in: u64,
    /// Frames that the medium took.
    pub frames_out: u64,
    /// Their bytes, framing not counted.
    pub bytes_out: u64,
    /// Frames that it did not take.
    pub send_errors: u64,
    /// Input that was no frame.
    pub unusable: u64,
    /// How often the medium came back.
    pub reconnects: u64,
}

/// One interface, with its sending half.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) status: InterfaceStatus,
    pub(super) driver: Box<dyn Driver>,
    port: PortId,
    /// Bytes of the frame that the driver holds.
    pub(super) pending: Option<usize>,
    was_up: bool,
}

impl Interface {
    /// Counts a frame that the medium took.
    pub(super) const fn count_sent(&mut self, bytes: usize) {
        self.status.counters.frames_out += 1;
        self.status.counters.bytes_out += bytes as u64;
    }

    /// Takes over what the driver says of its medium; whether that is a change.
    pub(super) fn set_carrier(&mut self, carrier: Carrier) -> bool {
        if self.status.carrier == carrier {
            return false;
        }
        self.status.carrier = carrier;
        match carrier {
            Carrier::Up if self.was_up => self.status.counters.reconnects += 1,
            Carrier::Up => self.was_up = true,
            // What the driver held is gone with the medium.
            Carrier::Down => self.pending = None,
        }
        true
    }
}

/// The interfaces, by the loop's numbers and by the drivers' ports.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    by_id: BTreeMap<InterfaceId, Interface>,
    by_port: BTreeMap<PortId, InterfaceId>,
}

impl Interfaces {
    /// Gives the smallest free number; none when all are taken, the node having some of its own.
    pub(super) fn open(&mut self, port: PortId, opening: Opening) -> Option<&mut Interface> {
        let id =
            (0..nexus_node::CROSSINGS_FROM.0).map(InterfaceId).find(|id| !self.by_id.contains_key(id))?;
        let Opening { name, kind, profile, carrier, driver } = opening;
        driver.registered(id);
        let status = InterfaceStatus {
            id,
            name,
            kind,
            profile,
            carrier,
            counters: Counters::default(),
            fault: None,
            radio: None,
        };
        let was_up = carrier == Carrier::Up;
        self.by_port.insert(port, id);
        let interface = Interface { status, driver, port, pending: None, was_up };
        Some(self.by_id.entry(id).or_insert(interface))
    }

    pub(super) fn close(&mut self, port: PortId) -> Option<InterfaceStatus> {
        let id = self.by_port.remove(&port)?;
        let interface = self.by_id.remove(&id)?;
        debug_assert_eq!(interface.port, port, "each number belongs to the port that it was given to");
        Some(interface.status)
    }

    pub(super) fn at(&mut self, port: PortId) -> Option<&mut Interface> {
        self.by_id.get_mut(self.by_port.get(&port)?)
    }

    pub(super) fn get_mut(&mut self, id: InterfaceId) -> Option<&mut Interface> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut InterfaceStatus> {
        self.by_id.values_mut().map(|interface| &mut interface.status)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &InterfaceStatus> {
        self.by_id.values().map(|interface| &interface.status)
    }
}
