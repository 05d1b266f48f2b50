//! What is known of the modem, and what is done next.

use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::reticulum::DroppedFrames;
use nexus_wire::reticulum::kiss::{Command, Frame};
use nexus_wire::reticulum::rnode::{
    DETECT_SEQUENCE, DeviceError, Firmware, FromDevice, RadioState, Setting, ToDevice,
};

use super::condition::{Condition, Fault};
use super::sending::Sending;
use super::setting_up::{Progress, SettingUp};
use super::statistics::Statistics;
use super::{Device, Effect, Settings, write};

/// How long an answer may take before the question is repeated,
const ANSWER: Duration = Duration::from_secs(1);
/// and how often it is asked: many a board restarts when its port is opened, and takes seconds for it.
const ASKED: u8 = 10;
/// How long nothing is tried after a fault.
const REST: Duration = Duration::from_secs(30);

/// The modem behind the port.
#[derive(Debug)]
pub(super) struct Radio {
    settings: Settings,
    state: State,
    condition: Condition,
    device: Option<Device>,
    statistics: Statistics,
    /// Whether the statistics changed since they were told.
    measured: bool,
}

/// What is going on.
#[derive(Clone, Copy, Debug)]
enum State {
    /// There is no port, or the host left.
    Away,
    /// It was asked, so many times, whether it is an RNode.
    Detecting { asked: u8, until: Instant, answers: Answers },
    /// It is one, and nobody chose a channel.
    Idle,
    /// Its settings are being made.
    SettingUp(SettingUp),
    /// Its radio is on.
    On(Sending),
    /// Something is wrong; it is tried again.
    Resting { until: Instant },
}

/// What it answered so far.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    detected: bool,
    firmware: Option<Firmware>,
    platform: Option<u8>,
    mcu: Option<u8>,
}

impl Answers {
    /// The modem, once it said what must be known.
    fn device(self) -> Option<Device> {
        let firmware = self.firmware.filter(|_| self.detected)?;
        Some(Device { firmware, platform: self.platform, mcu: self.mcu })
    }

    const fn are_complete(self) -> bool {
        self.detected && self.firmware.is_some() && self.platform.is_some() && self.mcu.is_some()
    }
}

impl Radio {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Away,
            condition: Condition::Unplugged,
            device: None,
            statistics: Statistics::default(),
            measured: false,
        }
    }

    pub(super) const fn condition(&self) -> Condition {
        self.condition
    }

    pub(super) const fn device(&self) -> Option<Device> {
        self.device
    }

    pub(super) const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub(super) fn plugged(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        self.go_down(out);
        self.detect(now, 0, Answers::default(), out);
    }

    pub(super) fn unplugged(&mut self, out: &mut impl Sink<Effect>) {
        self.go_down(out);
        self.become_so(Condition::Unplugged, out);
    }

    pub(super) fn leave(&mut self, out: &mut impl Sink<Effect>) {
        if matches!(self.state, State::On(_) | State::SettingUp(_)) {
            write(ToDevice::Set(Setting::RadioState(RadioState::OFF)), out);
            write(ToDevice::Leave, out);
        }
        self.unplugged(out);
    }

    pub(super) fn transmit(&mut self, now: Instant, frame: &[u8], out: &mut impl Sink<Effect>) {
        match &mut self.state {
            State::On(sending) => sending.transmit(now, frame, out),
            State::Away
            | State::Detecting { .. }
            | State::Idle
            | State::SettingUp(_)
            | State::Resting { .. } => out.push(Effect::Lost),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Away | State::Idle => None,
            State::Detecting { until, .. } | State::Resting { until } => Some(*until),
            State::SettingUp(setting_up) => Some(setting_up.until()),
            State::On(sending) => sending.until(),
        }
    }

    pub(super) fn timeout(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        if self.next_timeout().is_none_or(|until| until > now) {
            return;
        }
        match self.state {
            State::Away | State::Idle => {}
            State::Resting { .. } => self.detect(now, 0, Answers::default(), out),
            State::Detecting { asked, answers, .. } => match answers.device() {
                // It does not say on what it is built, which is not needed.
                Some(device) => self.found(now, device, out),
                None if asked < ASKED => self.detect(now, asked, answers, out),
                None if answers.detected => self.fail(now, Fault::NoFirmware, out),
                None => self.fail(now, Fault::Silent, out),
            },
            State::SettingUp(setting_up) => {
                let progress = setting_up.unanswered(now, out);
                self.proceed(now, progress, out);
            }
            State::On(mut sending) => {
                self.measured |= sending.overdue(&mut self.statistics.counters, out);
                self.state = State::On(sending);
            }
        }
    }

    pub(super) fn hear(&mut self, now: Instant, frame: Frame<'_>, out: &mut impl Sink<Effect>) {
        let Ok(message) = FromDevice::decode(frame) else {
            self.statistics.counters.count_malformed(1);
            self.measured = true;
            return;
        };
        match message {
            FromDevice::Detected => self.answered(now, |answers| answers.detected = true, out),
            FromDevice::Firmware(version) => {
                self.answered(now, |answers| answers.firmware = Some(version), out);
            }
            FromDevice::Platform(platform) => {
                self.answered(now, |answers| answers.platform = Some(platform), out);
            }
            FromDevice::Mcu(mcu) => self.answered(now, |answers| answers.mcu = Some(mcu), out),
            FromDevice::Echo(setting) => self.echoed(now, setting, out),
            FromDevice::Data(frame) => self.frame_arrived(frame, out),
            FromDevice::Ready(_) => {
                if let State::On(sending) = &mut self.state {
                    self.measured |= sending.ready(now, &mut self.statistics.counters, out);
                }
            }
            FromDevice::Error(error) => self.went_wrong(now, error, out),
            FromDevice::Other(Frame { command: Command::RESET, .. }) => self.said_to_restart(now, out),
            FromDevice::Received(_)
            | FromDevice::Sent(_)
            | FromDevice::Rssi(_)
            | FromDevice::Snr(_)
            | FromDevice::Other(_) => self.measured |= self.statistics.take(&message),
        }
    }

    pub(super) fn note_dropped(&mut self, dropped: DroppedFrames) {
        self.measured |= self.statistics.note_dropped(dropped);
    }

    pub(super) const fn forget_dropped(&mut self) {
        self.statistics.forget_dropped();
    }

    pub(super) fn tell_measured(&mut self, out: &mut impl Sink<Effect>) {
        if core::mem::take(&mut self.measured) {
            out.push(Effect::Measured);
        }
    }

    fn detect(&mut self, now: Instant, asked: u8, answers: Answers, out: &mut impl Sink<Effect>) {
        out.push(Effect::Write(DETECT_SEQUENCE.to_vec()));
        self.state = State::Detecting { asked: asked.saturating_add(1), until: now.after(ANSWER), answers };
        self.become_so(Condition::Detecting, out);
    }

    fn answered(&mut self, now: Instant, note: impl FnOnce(&mut Answers), out: &mut impl Sink<Effect>) {
        match &mut self.state {
            State::Detecting { answers, .. } => {
                note(answers);
                let answers = *answers;
                if let Some(device) = answers.device().filter(|_| answers.are_complete()) {
                    self.found(now, device, out);
                }
            }
            // Every question was answered before the radio went on: it says by itself who it is, as it does when it starts.
            State::On(_) => self.restarted(now, out),
            // The same question was asked more than once.
            State::SettingUp(_) | State::Idle | State::Resting { .. } | State::Away => {}
        }
    }

    fn found(&mut self, now: Instant, device: Device, out: &mut impl Sink<Effect>) {
        self.device = Some(device);
        self.measured = true;
        if device.firmware < Firmware::OLDEST {
            return self.fail(now, Fault::OldFirmware(device.firmware), out);
        }
        let Some(channel) = self.settings.channel else {
            self.state = State::Idle;
            return self.become_so(Condition::NoChannel, out);
        };
        self.state = State::SettingUp(SettingUp::begin(now, channel, out));
        self.become_so(Condition::SettingUp, out);
    }

    fn echoed(&mut self, now: Instant, echo: Setting, out: &mut impl Sink<Effect>) {
        match &self.state {
            State::SettingUp(setting_up) => {
                let progress = setting_up.echoed(now, echo, out);
                self.proceed(now, progress, out);
            }
            State::On(sending) if !sending.is_as_set(echo) => self.restarted(now, out),
            State::On(_) | State::Away | State::Detecting { .. } | State::Idle | State::Resting { .. } => {}
        }
    }

    fn proceed(&mut self, now: Instant, progress: Progress, out: &mut impl Sink<Effect>) {
        match progress {
            Progress::GoesOn(setting_up) => self.state = State::SettingUp(setting_up),
            Progress::Fails(fault) => self.fail(now, fault, out),
            Progress::Done(channel) => {
                self.state = State::On(Sending::new(channel));
                self.become_so(Condition::On, out);
                if let Some(profile) = self.settings.profile() {
                    out.push(Effect::Up(profile));
                }
            }
        }
    }

    fn frame_arrived(&mut self, frame: &[u8], out: &mut impl Sink<Effect>) {
        if !matches!(self.state, State::On(_)) || frame.is_empty() {
            return;
        }
        let signal = self.statistics.frame_arrived();
        self.measured = true;
        out.push(Effect::Received { frame: frame.to_vec(), signal });
    }

    fn went_wrong(&mut self, now: Instant, error: DeviceError, out: &mut impl Sink<Effect>) {
        self.statistics.counters.count_error(error);
        self.measured = true;
        match (error, &mut self.state) {
            (DeviceError::TX_FAILED | DeviceError::QUEUE_FULL, State::On(sending)) => sending.refused(now),
            (
                DeviceError::RADIO_INIT
                | DeviceError::EEPROM
                | DeviceError::MEMORY_LOW
                | DeviceError::MODEM_TIMEOUT,
                State::On(_) | State::SettingUp(_),
            ) => self.fail(now, Fault::Modem(error), out),
            _ => {}
        }
    }

    fn said_to_restart(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        match self.state {
            State::On(_) | State::SettingUp(_) | State::Idle => self.restarted(now, out),
            State::Away | State::Detecting { .. } | State::Resting { .. } => {}
        }
    }

    /// The modem lost its settings by itself.
    fn restarted(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        self.statistics.counters.count_restart();
        self.measured = true;
        self.go_down(out);
        self.become_so(Condition::Restarted, out);
        self.detect(now, 0, Answers::default(), out);
    }

    /// Goes down if it was up, and tries again later.
    fn fail(&mut self, now: Instant, fault: Fault, out: &mut impl Sink<Effect>) {
        self.go_down(out);
        self.state = State::Resting { until: now.after(REST) };
        self.become_so(Condition::Faulty(fault), out);
    }

    fn go_down(&mut self, out: &mut impl Sink<Effect>) {
        if matches!(self.state, State::On(_)) {
            out.push(Effect::Down);
        }
        self.state = State::Away;
    }

    /// Says how things are, if that is news. That it is tried once more after a fault is not, until it helped.
    fn become_so(&mut self, condition: Condition, out: &mut impl Sink<Effect>) {
        let tries = matches!(condition, Condition::Detecting | Condition::SettingUp);
        let failed = matches!(self.condition, Condition::Faulty(_) | Condition::Restarted);
        if condition != self.condition && !(tries && failed) {
            self.condition = condition;
            out.push(Effect::Condition(condition));
        }
    }
}
