//! Everything that was on the air: what judges read, and an independent meter of airtime.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nexus_machine::{Duration, Instant};

use crate::channel::{Channel, RadioId, Signal};
use crate::rnode::split::Reassembly;

/// One transmission, when it was over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmission {
    /// Who sent.
    pub sender: RadioId,
    /// How it was tuned.
    pub channel: Channel,
    /// When its signal began.
    pub start: Instant,
    /// When its signal ended.
    pub end: Instant,
    /// What was sent, an RNode's header included.
    pub bytes: Arc<[u8]>,
    /// Whether all of it was sent.
    pub extent: Extent,
    /// What became of it at each radio that was tuned to it and in reach, in the order of radios.
    pub receptions: Vec<Reception>,
}

/// The packets in these transmissions, as somebody in reach of everyone has them: both halves of a split one together,
/// headers removed. A half that stayed alone is left out.
#[must_use]
pub fn packets(transmissions: &[Transmission]) -> Vec<(RadioId, Vec<u8>)> {
    let mut slots: BTreeMap<RadioId, Reassembly> = BTreeMap::new();
    let whole = transmissions.iter().filter(|transmission| transmission.extent == Extent::Whole);
    let packet = |transmission: &Transmission| {
        let packet = slots.entry(transmission.sender).or_default().take(&transmission.bytes)?;
        Some((transmission.sender, packet))
    };
    whole.filter_map(packet).collect()
}

/// How much of a transmission was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its sender was switched off in the middle: nobody can use it.
    CutOff,
}

/// What became of a transmission at one radio.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reception {
    /// Which radio.
    pub radio: RadioId,
    /// With what signal it arrived.
    pub signal: Signal,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a transmission at a radio in reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was received, its checksum right.
    Received,
    /// Another transmission destroyed it.
    Collided,
    /// The radio was itself transmitting, or tuned in when it was too late.
    Deaf,
    /// The radio was busy with another transmission, on which it had locked before.
    Locked,
    /// The medium lost it, as the caller's faults ask.
    Lost,
    /// The sender broke off.
    CutOff,
}

/// What one radio did and met with.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Meter {
    /// Transmissions sent, those that were cut off included.
    pub sent: u64,
    /// How long its signal was on the air.
    pub airtime: Duration,
    /// Transmissions received.
    pub received: u64,
    /// Transmissions in reach that others destroyed.
    pub collided: u64,
    /// Transmissions in reach that came while it was not listening.
    pub deaf: u64,
    /// Transmissions in reach that came while it was busy with another one.
    pub locked: u64,
    /// Transmissions that the medium lost.
    pub lost: u64,
    /// Transmissions in reach whose sender broke off.
    pub cut_off: u64,
}

impl Meter {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Received => &mut self.received,
            Outcome::Collided => &mut self.collided,
            Outcome::Deaf => &mut self.deaf,
            Outcome::Locked => &mut self.locked,
            Outcome::Lost => &mut self.lost,
            Outcome::CutOff => &mut self.cut_off,
        };
        *counter = counter.saturating_add(1);
    }
}

/// How much of what was on the air is kept for reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recording {
    /// Nothing.
    Off,
    /// The last so many transmissions.
    Last(usize),
}

/// The transmissions that are kept.
#[derive(Debug)]
pub(crate) struct Record {
    kept: VecDeque<Transmission>,
    most: usize,
    forgotten: u64,
}

impl Record {
    pub(crate) fn new(recording: Recording) -> Self {
        let most = match recording {
            Recording::Off => 0,
            Recording::Last(most) => most,
        };
        Self { kept: VecDeque::new(), most, forgotten: 0 }
    }

    pub(crate) fn push(&mut self, transmission: &Transmission) {
        if self.most == 0 {
            return;
        }
        if self.kept.len() >= self.most {
            self.kept.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.kept.push_back(transmission.clone());
    }

    pub(crate) fn take(&mut self) -> Vec<Transmission> {
        self.kept.drain(..).collect()
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use nexus_network::lora::Modulation;
    use nexus_wire::reticulum::rnode::Hertz;

    use super::*;

    #[test]
    fn halves_are_put_together_by_sender_however_they_lie_among_each_other() {
        let modulation = Modulation::new(125_000, 7, 5).unwrap();
        let channel = Channel { frequency: Hertz(867_200_000), modulation, power_dbm: 7 };
        let sent = |sender: u16, extent, bytes: &[u8]| Transmission {
            sender: RadioId(sender),
            channel,
            start: Instant::BOOT,
            end: Instant::BOOT,
            bytes: bytes.into(),
            extent,
            receptions: Vec::new(),
        };
        let on_air = [
            sent(0, Extent::Whole, &[0x31, 1, 2]),
            sent(1, Extent::Whole, &[0x31, 7]),
            sent(2, Extent::Whole, &[0x40, 5]),
            sent(0, Extent::Whole, &[0x31, 3]),
            sent(1, Extent::CutOff, &[0x31, 8]),
        ];
        assert_eq!(packets(&on_air), [(RadioId(2), vec![5]), (RadioId(0), vec![1, 2, 3])]);
    }
}
