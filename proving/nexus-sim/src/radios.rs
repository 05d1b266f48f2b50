//! What a world knows of the radios of one channel, whatever drives them: `RNode`s behind their hosts' machine, or bare transceivers.

use std::collections::VecDeque;
use std::fmt;

use nexus_air::Transmission;

use crate::clock::WorldTime;
use crate::modems::{Modems, Said};
use crate::schedule::LinkFaults;

/// The radios of one channel, by port: the place of a node among those of the channel.
pub trait Radios: fmt::Debug {
    /// A host starts.
    fn start(&mut self, now: WorldTime, port: usize);
    /// A host stops.
    fn stop(&mut self, now: WorldTime, port: usize);
    /// A radio gets power.
    fn plug(&mut self, now: WorldTime, port: usize);
    /// A radio loses its power.
    fn unplug(&mut self, now: WorldTime, port: usize);
    /// A node's host has a frame to send.
    fn transmit(&mut self, now: WorldTime, port: usize, bytes: Vec<u8>);
    /// Whether somebody is on the channel, as far as a node's host can tell by listening.
    fn is_busy(&mut self, now: WorldTime, port: usize) -> bool;
    /// What the channel does to frames from here on.
    fn set_faults(&mut self, faults: LinkFaults);
    /// From here on the second of two ports hears the first if `hears` says so.
    fn set_hearing(&mut self, now: WorldTime, hears: &dyn Fn(usize, usize) -> bool);
    /// Does what is due.
    fn advance(&mut self, now: WorldTime);
    /// When something is due.
    fn next_due(&self) -> Option<WorldTime>;
    /// What was said since this was last asked, in order, by port.
    fn take_said(&mut self) -> VecDeque<(usize, Said)>;
    /// The transmissions that ended since this was last asked.
    fn take_transmissions(&mut self) -> Vec<Transmission>;
}

impl Radios for Modems {
    fn start(&mut self, now: WorldTime, port: usize) {
        Self::start(self, now, port);
    }

    fn stop(&mut self, now: WorldTime, port: usize) {
        Self::stop(self, now, port);
    }

    fn plug(&mut self, now: WorldTime, port: usize) {
        Self::plug(self, now, port);
    }

    fn unplug(&mut self, now: WorldTime, port: usize) {
        Self::unplug(self, now, port);
    }

    fn transmit(&mut self, now: WorldTime, port: usize, bytes: Vec<u8>) {
        Self::transmit(self, now, port, bytes);
    }

    /// A modem listens by itself, and its host cannot ask it to.
    fn is_busy(&mut self, _now: WorldTime, _port: usize) -> bool {
        false
    }

    fn set_faults(&mut self, faults: LinkFaults) {
        Self::set_faults(self, faults);
    }

    fn set_hearing(&mut self, now: WorldTime, hears: &dyn Fn(usize, usize) -> bool) {
        Self::set_hearing(self, now, hears);
    }

    fn advance(&mut self, now: WorldTime) {
        Self::advance(self, now);
    }

    fn next_due(&self) -> Option<WorldTime> {
        Self::next_due(self)
    }

    fn take_said(&mut self) -> VecDeque<(usize, Said)> {
        Self::take_said(self)
    }

    fn take_transmissions(&mut self) -> Vec<Transmission> {
        Self::take_transmissions(self)
    }
}
