//! The encoding of what is done to a world from outside.

use super::Encoder;
use crate::schedule::{Action, Direction, LinkFaults};

impl Encoder {
    pub(super) fn action(&mut self, action: &Action) {
        match action {
            Action::Disturb(medium, faults) => {
                self.u8(1);
                self.u32(medium.0);
                self.faults(faults);
            }
            Action::Partition(groups) => {
                self.u8(2);
                self.blob(groups);
            }
            Action::Heal => self.u8(3),
            Action::Cut(direction) => self.direction(4, direction),
            Action::Mend(direction) => self.direction(5, direction),
            Action::Crash { node, down_for, disk } => {
                self.u8(6);
                self.u32(node.0);
                self.u64(down_for.as_micros());
                self.provenance(*disk);
            }
            Action::CrashAfter { node, outputs, down_for } => {
                self.u8(7);
                self.u32(node.0);
                self.u64(*outputs);
                self.u64(down_for.as_micros());
            }
            Action::InterfaceDown(node, iface) => {
                self.tagged_iface(8, *iface);
                self.u32(node.0);
            }
            Action::InterfaceUp(node, iface) => {
                self.tagged_iface(9, *iface);
                self.u32(node.0);
            }
            Action::ClockJump(node, seconds) => {
                self.u8(10);
                self.u32(node.0);
                self.u64(seconds.cast_unsigned());
            }
            Action::FillDisk(node) => self.tagged_node(11, node.0),
            Action::FreeDisk(node) => self.tagged_node(12, node.0),
            Action::TakeImage(node) => self.tagged_node(13, node.0),
            Action::WakeEarly(node) => self.tagged_node(14, node.0),
            Action::Tell(node, command) => {
                self.tagged_node(15, node.0);
                self.command(command);
            }
            Action::Calm => self.u8(16),
            Action::MoveAddress(medium, node) => {
                self.tagged_node(17, node.0);
                self.u32(medium.0);
            }
            Action::Inject { medium, to, bytes } => {
                self.tagged_node(18, to.0);
                self.u32(medium.0);
                self.blob(bytes);
            }
            Action::Sleep(node, span) => {
                self.tagged_node(19, node.0);
                self.u64(span.as_micros());
            }
            Action::Starve(node) => self.tagged_node(20, node.0),
            Action::Feed(node) => self.tagged_node(21, node.0),
        }
    }

    fn tagged_node(&mut self, tag: u8, node: u32) {
        self.u8(tag);
        self.u32(node);
    }

    fn direction(&mut self, tag: u8, direction: &Direction) {
        self.tagged_node(tag, direction.medium.0);
        self.u32(direction.from.0);
        self.u32(direction.to.0);
    }

    fn faults(&mut self, faults: &LinkFaults) {
        for ppm in [
            faults.loss_ppm,
            faults.duplicate_ppm,
            faults.reorder_ppm,
            faults.corrupt_ppm,
            faults.truncate_ppm,
        ] {
            self.u32(ppm);
        }
        self.u64(faults.jitter.as_micros());
        self.u64(faults.hold.as_micros());
    }
}
