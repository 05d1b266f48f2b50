//! Channels that one party closes alone: witnesses are shown what they came to, again and again, until they are closed.
//! Source: spec/economy.md#closing-alone.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Sink, Write};
use nexus_wire::nexus::channel::{ChannelBody, ChannelId};
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::ledger::WitnessIndex;

use super::{Effect, LONGEST_PATIENCE, PATIENCE, PURSE, Purse, Then, Timer, WAITING, bytes_of};
use crate::ledger::entry::ChannelKey;

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Showing {
    courses: BTreeMap<ChannelId, (Course, Duration)>,
}

impl Showing {
    /// What they take at most, in bytes.
    pub(super) const MEMORY_BOUND: usize = WAITING * 2 * size_of::<(ChannelId, (Course, Duration))>();

    /// What was durable.
    pub(super) fn restore(&mut self, course: &Course) -> ChannelId {
        let channel = course.last().body.channel;
        self.courses.insert(channel, (*course, PATIENCE));
        channel
    }

    /// The channels.
    pub(super) fn keys(&self) -> impl Iterator<Item = ChannelKey> {
        self.courses.values().filter_map(|(course, _)| key_of(&course.last().body))
    }
}

fn key_of(body: &ChannelBody) -> Option<ChannelKey> {
    ChannelKey::new(body.party_a, body.party_b, body.channel.0)
}

impl Purse {
    /// A channel is to be shown from here on; a lower state than the one that is shown already is not.
    pub(super) fn show(&mut self, cx: Cx, course: &Course, out: &mut impl Sink<Effect>) {
        let body = &course.last().body;
        let channel = body.channel;
        if key_of(body).and_then(|key| key.side_of(&self.own)).is_none() {
            return;
        }
        let held = self.showing.courses.get(&channel);
        if held.is_some_and(|(held, _)| held.last().body.sequence >= body.sequence) {
            // Whoever reminds of it finds that witnesses do not know it.
            return self.show_again(cx, channel, out);
        }
        if held.is_none() && self.showing.courses.len() >= WAITING {
            return;
        }
        if let Ok(number) = self.gate.hold(Then::Show(channel)) {
            let writes = Vec::from([Write::set(PURSE, &row(channel), bytes_of(course))]);
            self.showing.courses.insert(channel, (*course, PATIENCE));
            out.push(Effect::Write { number, writes });
        }
    }

    /// All witnesses are shown a channel.
    pub(super) fn show_again(&mut self, cx: Cx, channel: ChannelId, out: &mut impl Sink<Effect>) {
        let Some((course, patience)) = self.showing.courses.get_mut(&channel) else { return };
        self.deadlines.set(Timer::Show(channel), cx.now.after(*patience));
        *patience = patience.times(2).min(LONGEST_PATIENCE);
        let witnesses = (0..u8::MAX).map(WitnessIndex).zip(&self.rules.witnesses);
        for node in witnesses.filter_map(|(index, _)| self.rules.witness_node(index)) {
            out.push(Effect::Show(node, Box::new(*course)));
        }
    }

    /// A channel is closed: it is shown no more.
    pub(super) fn shown_enough(&mut self, channel: ChannelId, out: &mut impl Sink<Effect>) {
        if self.showing.courses.remove(&channel).is_none() {
            return;
        }
        self.deadlines.cancel(Timer::Show(channel));
        // Without room it stays on disk, and is found to be closed after the next start.
        if let Ok(number) = self.gate.hold(Then::Nothing) {
            out.push(Effect::Write { number, writes: Vec::from([Write::delete(PURSE, &row(channel))]) });
        }
    }
}

/// Where it lies.
fn row(channel: ChannelId) -> Vec<u8> {
    [&[3][..], &channel.0].concat()
}
