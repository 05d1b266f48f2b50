//! What can be seen and done on the loop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::Instant;
use nexus_network::{Endpoint, InterfaceId, Role, Tapping};
use nexus_node::{Command, Input, Node};
use nexus_wire::pcapng::{self, LinkType};
use nexus_wire::reticulum::Ifac;

use super::interfaces::InterfaceStatus;
use super::{Host, OpenMedium, is_of};
use crate::decorators::Decorations;
use crate::driver::{Medium, OpenError, Running, Spread};
use crate::tape::Tape;

/// A host between two inputs of its node.
#[derive(Debug)]
pub struct HostView<'h> {
    host: &'h mut Host,
}

/// A medium as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumStatus {
    /// How the operator knows it.
    pub name: String,
    /// What kind of driver it is.
    pub kind: &'static str,
    /// Where it is bound, if it is.
    pub address: Option<SocketAddr>,
    /// What it runs on, where that is no address of this machine.
    pub place: Option<String>,
    /// How many interfaces it is.
    pub spread: Spread,
    /// Connections that were refused because there were too many.
    pub refused: u64,
    /// Errors that named no frame.
    pub errors: u64,
    /// Beacons that were not their sender's.
    pub forged: u64,
    /// Frames of somebody who is no peer.
    pub strangers: u64,
    /// Frames that came again by another way.
    pub echoed: u64,
    /// What keeps it from having interfaces, if that is known.
    pub fault: Option<String>,
    /// What wraps it, in words; empty if nothing does.
    pub decorations: String,
}

impl<'h> HostView<'h> {
    pub(super) const fn new(host: &'h mut Host) -> Self {
        Self { host }
    }

    /// The node.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.host.node
    }

    /// The node's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.host.now()
    }

    /// Gives the node a command, next.
    pub fn command(&mut self, command: Command) {
        self.host.answers.push_back(Input::Command(command));
    }

    /// The interfaces that are there.
    pub fn interfaces(&self) -> impl Iterator<Item = &InterfaceStatus> {
        self.host.interfaces.iter()
    }

    /// The media that are open: a listener without connections is one without interfaces.
    pub fn media(&self) -> impl Iterator<Item = MediumStatus> {
        self.host.media.iter().map(|(name, OpenMedium { running, decorations })| MediumStatus {
            name: name.clone(),
            kind: running.kind,
            address: running.address,
            place: running.place.clone(),
            spread: running.spread,
            refused: running.counters.refused.load(Ordering::Relaxed),
            errors: running.counters.errors.load(Ordering::Relaxed),
            forged: running.counters.forged.load(Ordering::Relaxed),
            strangers: running.counters.strangers.load(Ordering::Relaxed),
            echoed: running.counters.echoed.load(Ordering::Relaxed),
            fault: running.counters.fault(),
            decorations: decorations.clone(),
        })
    }

    /// The interfaces of a medium.
    pub fn interfaces_of(&self, medium: &str) -> impl Iterator<Item = &InterfaceStatus> {
        self.interfaces().filter(move |interface| is_of(&interface.name, medium))
    }

    /// Opens a medium under a name of its own; where it is bound, if it is. Its interfaces come soon after
    /// ([`HostHandle::changes`](super::HostHandle::changes)).
    pub fn open(
        &mut self,
        name: &str,
        medium: &dyn Medium,
        decorations: &Decorations,
    ) -> Result<Option<SocketAddr>, OpenError> {
        if self.host.media.contains_key(name) {
            return Err(OpenError::NameTaken(name.to_owned()));
        }
        let reports = decorations.wrap(name, self.host.reports.clone())?;
        let running = Running::start(name, medium, reports)?;
        let address = running.address;
        let decorations = decorations.to_string();
        self.host.media.insert(name.to_owned(), OpenMedium { running, decorations });
        Ok(address)
    }

    /// Records what links carry, opened, until the host ends; the file's name, which may have got a number. Whoever reads the file
    /// reads what links protect: this is for an operator who says so. Format: spec/capture.md#of-a-daemon.
    pub fn record_opened(&mut self, path: &Path) -> Result<PathBuf, OpenError> {
        let head =
            pcapng::interface(LinkType::MESSAGES, "links", "what sealed frames and broadcasts say, opened");
        let tape = Tape::begin(path, &head, None).map_err(|cause| OpenError::Recording {
            name: "what links carry".to_owned(),
            path: path.to_owned(),
            cause,
        })?;
        let path = tape.path().to_owned();
        self.host.opened = Some(tape);
        self.host.node.turn_tap(Tapping::Open);
        Ok(path)
    }

    /// Asks `price` µNXS for 1,024 bytes on the interfaces of a medium, those that are there and those that come.
    pub fn set_price(&mut self, medium: &str, price: u64) {
        self.host.prices.insert(medium.to_owned(), price);
        let mut asked = Vec::new();
        for interface in self.host.interfaces.iter_mut().filter(|interface| is_of(&interface.name, medium)) {
            interface.profile.price = price;
            asked.push(interface.id);
        }
        for iface in asked {
            self.command(Command::Price { iface, price });
        }
    }

    /// What is opened as this medium from here on stands among stock nodes so, and draws paths so strongly.
    pub fn set_standing(&mut self, medium: &str, role: Role, gravity: u8) {
        self.host.standings.insert(medium.to_owned(), (role, gravity));
    }

    /// On this medium this node calls a stock node, and says each time that it is the same that it was. To be said before it is opened.
    pub fn set_caller(&mut self, medium: &str) {
        self.host.callers.insert(medium.to_owned());
    }

    /// The interfaces of this medium are called after whom they lead to, and whoever has a name had it before. To be said before it is opened.
    pub fn set_lasting(&mut self, medium: &str) {
        self.host.lasting.insert(medium.to_owned());
    }

    /// Frames on the interfaces of a medium in reticulum mode have these access codes. To be said before it is opened.
    pub fn set_access_codes(&mut self, medium: &str, codes: Ifac) {
        self.host.codes.insert(medium.to_owned(), Arc::new(codes));
    }

    /// Takes a destination to which the chosen way is, or may be, another than when it was taken last.
    pub fn take_rerouted(&mut self) -> Option<DestinationHash> {
        self.host.node.take_rerouted()
    }

    /// Takes a medium out, to be closed: [`HostHandle::close`](super::HostHandle::close) does both.
    pub fn detach(&mut self, name: &str) -> Option<Running> {
        self.host.prices.remove(name);
        self.host.codes.remove(name);
        self.host.callers.remove(name);
        self.host.lasting.remove(name);
        self.host.media.remove(name).map(|medium| medium.running)
    }

    /// Keeps a link with whoever answers at `to` on the interface `name`, also when that is opened later or again.
    pub fn dial(&mut self, name: &str, to: Endpoint, expected: Option<NodeId>) {
        self.host.dials.insert((name.to_owned(), to), expected);
        for iface in self.numbers(name) {
            self.command(Command::Dial { iface, to, expected });
        }
    }

    /// Stops keeping it; a link that is up stays up.
    pub fn undial(&mut self, name: &str, to: Endpoint) {
        self.host.dials.remove(&(name.to_owned(), to));
        for iface in self.numbers(name) {
            self.command(Command::Undial { iface, to });
        }
    }

    fn numbers(&self, name: &str) -> Vec<InterfaceId> {
        self.interfaces().filter(|interface| interface.name == name).map(|interface| interface.id).collect()
    }
}
