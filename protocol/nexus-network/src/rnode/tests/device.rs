//! A radio on the other end of the port, and the clock.

use alloc::collections::VecDeque;

use nexus_machine::Duration;
use nexus_wire::reticulum::kiss::Deframer;
use nexus_wire::reticulum::rnode::{FromDevice, Setting};

use super::super::*;
use crate::interface::DutyCycle;
use crate::region::{Region, Wish};

/// The default channel of Europe.
pub(super) fn channel() -> Channel {
    let wish = Wish {
        frequency_hz: None,
        bandwidth_hz: None,
        spreading_factor: None,
        coding_rate: None,
        tx_power_dbm: None,
        duty: DutyCycle::TEN_PERCENT,
    };
    Region::Eu868.channel(&wish).unwrap()
}

/// What an RNode answers when it is asked whether it is one.
pub(super) fn answers(major: u8, minor: u8) -> Vec<u8> {
    let messages = [
        FromDevice::Detected,
        FromDevice::Firmware(Firmware { major, minor }),
        FromDevice::Platform(0x80),
        FromDevice::Mcu(0x81),
    ];
    messages.iter().flat_map(says).collect()
}

pub(super) fn echo(setting: Setting) -> Vec<u8> {
    says(&FromDevice::Echo(setting))
}

pub(super) fn says(message: &FromDevice<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 1_100];
    message.encode(&mut buffer).unwrap().to_vec()
}

/// The settings in what was written.
pub(super) fn settings_in(effects: &[Effect]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut deframer = Deframer::new(600);
    for effect in effects {
        let Effect::Write(bytes) = effect else { continue };
        let mut rest = bytes.as_slice();
        while let Some(frame) = deframer.next_frame(&mut rest) {
            if let Ok(ToDevice::Set(setting)) = ToDevice::decode(frame) {
                settings.push(setting);
            }
        }
    }
    settings
}

/// The only setting in what was written.
pub(super) fn setting_in(effects: &[Effect]) -> Setting {
    let settings = settings_in(effects);
    assert_eq!(settings.len(), 1, "one at a time: {effects:?}");
    settings[0]
}

pub(super) struct Bench {
    pub(super) rnode: Rnode,
    pub(super) now: Instant,
}

impl Bench {
    pub(super) fn new(channel: Option<Channel>) -> Self {
        let settings = Settings { mode: Mode::Nexus, channel };
        Self { rnode: Rnode::new(settings), now: Instant::BOOT }
    }

    /// One that is on.
    pub(super) fn up() -> Self {
        let mut bench = Self::new(Some(channel()));
        bench.plug_in_and_set_up();
        assert_eq!(bench.rnode.condition(), Condition::On);
        bench
    }

    pub(super) fn plug_in_and_set_up(&mut self) -> Vec<Effect> {
        self.tell(Input::Plugged);
        self.set_up()
    }

    /// Answers whatever it is asked, until nothing is asked any more.
    pub(super) fn set_up(&mut self) -> Vec<Effect> {
        let mut all = self.tell(Input::Bytes(answers(1, 78)));
        let mut asked = settings_in(&all);
        while let Some(setting) = asked.pop() {
            let effects = self.tell(Input::Bytes(echo(setting)));
            asked = settings_in(&effects);
            all.extend(effects);
        }
        all
    }

    pub(super) fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut out = VecDeque::new();
        self.rnode.handle(Cx::at(self.now), input, &mut out);
        // That something was measured is told beside everything else.
        out.into_iter().filter(|effect| *effect != Effect::Measured).collect()
    }

    /// Sleeps until something is due.
    pub(super) fn sleep(&mut self) -> Vec<Effect> {
        self.now = self.rnode.next_timeout().unwrap_or(self.now);
        let mut out = VecDeque::new();
        self.rnode.handle_timeout(Cx::at(self.now), &mut out);
        out.into_iter().filter(|effect| *effect != Effect::Measured).collect()
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }
}
