//! What a host says, and what it is told without asking.

use nexus_machine::Instant;
use nexus_wire::reticulum::kiss::{Command, Deframer, Frame};
use nexus_wire::reticulum::rnode::{FromDevice, RadioState, Setting, ToDevice};

use super::output::{TAKES_ANOTHER, TAKES_NONE};
use super::{Echo, Rnode, statistics};
use crate::air::Air;
use crate::channel::Channel;

impl Rnode {
    /// Takes bytes from the host, in pieces of any length. What is no message of the host protocol is passed over.
    pub fn hear(&mut self, now: Instant, bytes: &[u8], air: &mut Air) {
        let mut deframer = std::mem::replace(&mut self.deframer, Deframer::new(0));
        let mut stream = bytes;
        while let Some(frame) = deframer.next_frame(&mut stream) {
            if let Ok(message) = ToDevice::decode(frame) {
                self.obey(now, message, air);
            }
        }
        self.deframer = deframer;
    }

    fn obey(&mut self, now: Instant, message: ToDevice<'_>, air: &mut Air) {
        match message {
            ToDevice::Detect => self.output.push(&FromDevice::Detected),
            ToDevice::AskFirmware => self.output.push(&FromDevice::Firmware(self.model.version)),
            ToDevice::AskPlatform => self.output.push(&FromDevice::Platform(self.model.platform)),
            ToDevice::AskMcu => self.output.push(&FromDevice::Mcu(self.model.mcu)),
            ToDevice::Set(setting) => self.set(now, setting, air),
            ToDevice::Data(packet) => self.enqueue(now, packet, air),
            ToDevice::Leave => self.switch_off(now, air),
            ToDevice::Reset => self.restart(now, air),
            ToDevice::Other(frame) => self.answer(frame),
        }
    }

    fn set(&mut self, now: Instant, asked: Setting, air: &mut Air) {
        let set = match (asked, self.settings.apply(asked)) {
            (_, Some(set)) => {
                if self.tuned.is_some() && self.settings.channel() != self.tuned {
                    self.retune(now, air);
                }
                self.reconsider_limits(now, air);
                set
            }
            (Setting::RadioState(state), None) => Setting::RadioState(self.switch(now, state, air)),
            (_, None) => unreachable!("only the radio's state is kept elsewhere"),
        };
        let echo = match self.model.echo {
            Echo::Instead(other) if std::mem::discriminant(&other) == std::mem::discriminant(&set) => other,
            Echo::Instead(_) | Echo::Faithful => set,
        };
        self.output.push(&FromDevice::Echo(echo));
    }

    /// A radio that is on follows its settings at once.
    fn retune(&mut self, now: Instant, air: &mut Air) {
        if !self.switch_on(now, air) {
            self.switch_off(now, air);
        }
    }

    /// Switches the radio on or off; any other value asks which it is.
    fn switch(&mut self, now: Instant, state: RadioState, air: &mut Air) -> RadioState {
        if state == RadioState::OFF {
            self.switch_off(now, air);
        } else if state == RadioState::ON {
            self.switch_on(now, air);
        }
        if self.tuned.is_some() { RadioState::ON } else { RadioState::OFF }
    }

    /// Questions that are not in the protocol's core. Those about displays, lamps and the like have no answer.
    fn answer(&mut self, frame: Frame<'_>) {
        if frame.command == Command::READY {
            let full = self.queue.len() >= self.model.queue_packets;
            self.output.push(&FromDevice::Ready(&[if full { TAKES_NONE } else { TAKES_ANOTHER }]));
        } else if frame.command == Command::STAT_RECEIVED {
            self.output.push(&FromDevice::Received(self.counters.received));
        } else if frame.command == Command::STAT_SENT {
            self.output.push(&FromDevice::Sent(self.counters.sent));
        }
    }

    pub(super) fn tell_statistics(&mut self, now: Instant, air: &Air) {
        let Some(channel) = self.tuned else { return };
        let strongest = air.sensed(now, self.radio).map(|signal| signal.rssi_dbm);
        let data = statistics::channel(self.usage.shares(now), strongest, channel.modulation);
        self.output.push(&FromDevice::Other(Frame { command: Command::STAT_CHANNEL_TIME, data: &data }));
    }

    pub(super) fn tell_parameters(&mut self, channel: Channel) {
        let data = statistics::parameters(channel.modulation);
        self.output.push(&FromDevice::Other(Frame { command: Command::STAT_PHY_PARAMETERS, data: &data }));
    }
}
