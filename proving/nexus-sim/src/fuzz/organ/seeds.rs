//! Scripts that reach something, for a fuzzer to begin with.

use nexus_machine::Duration;

use super::super::script::{Writing, span_of};
use super::{ACTS, Act};

/// Two cables; two local networks; two slow cables with short frames; two radio channels.
const CABLES: u8 = 0;
const NETWORKS: u8 = 1 + 6;
const SLOW_CABLES: u8 = 2 + 6 * 2;
const RADIOS: u8 = 5 + 6 * 5;

type Script = Writing<Act>;

fn on(media: u8) -> Script {
    Script::begin(media, &ACTS)
}

impl Script {
    fn run(self, seconds: u64) -> Self {
        self.then(Act::Run, &[span_of(Duration::from_secs(seconds))])
    }

    fn jump(self, seconds: u64) -> Self {
        self.then(Act::Jump, &[span_of(Duration::from_secs(seconds))])
    }

    /// A node says this over its first link, as often as `times`.
    fn say(self, node: u8, times: u8, plaintext: &[u8]) -> Self {
        let len = u8::try_from(plaintext.len()).expect("short");
        self.then(Act::Say, &[&[node, 0, times - 1, len][..], plaintext].concat())
    }

    /// Frames arrive one by one, and each first, changed, at both ends: whoever waits for one meets its forgery before.
    fn forestall(mut self) -> Self {
        for _ in 0..20 {
            for node in 0..2 {
                self = self.then(Act::Mutate, &[0, 0, 20, 0, 0x10, node, 0, 1 - node]);
            }
            self = self.then(Act::DeliverOne, &[0]);
        }
        self
    }

    /// The latest frames arrive again at both ends, from where they came and from elsewhere, as they were and changed.
    fn attack(mut self) -> Self {
        for nth in 0..6 {
            for node in 0..2 {
                self =
                    self.then(Act::Replay, &[nth, node, 0, 1 - node]).then(Act::Replay, &[nth, node, 1, 4]);
                self = self.then(Act::Mutate, &[nth, 0, 3 + 5 * nth, 0, 0x10, node, 0, 1 - node]);
                self = self.then(Act::Mutate, &[nth, 2, 30, 0, node, 0, 5]);
            }
        }
        self
    }
}

const PACKET: &[u8] = b"\x81\0\0a packet of nothing in particular";
/// PING with token and clock, twice.
const PINGS: &[u8] = b"\x84\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x04\x0c\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c";
/// REKEY of a key that anybody can make up, and an answer that nobody asked for.
const REKEYS: &[u8] = b"\x87\x07\x07ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// A first message with a key of nobody, to whoever hears it.
const FIRST: &[u8] = b"\x91\x21\x43\0\0\0\0ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const BEACON: &[u8] = b"\x97\x01\x02\x03\x04\x01";

/// What arrives is made up.
fn made_up(node: u8, from: u8, bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("short")][..], bytes, &[node, 0, from]].concat()
}

/// Packets go both ways, and questions.
fn packets(script: Script) -> Script {
    script.say(0, 1, PACKET).say(1, 2, PACKET).say(0, 1, PINGS).run(2)
}

/// See the module.
pub(in super::super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let all = calm().into_iter().chain(hostile()).chain(troubled());
    all.map(|(name, script)| (name, script.bytes)).collect()
}

/// Nothing goes wrong.
fn calm() -> Vec<(&'static str, Script)> {
    vec![
        ("cable", packets(on(CABLES).run(5))),
        ("network", packets(on(NETWORKS).run(20)).run(60)),
        ("radio", packets(on(RADIOS).run(300)).run(600)),
        ("pieces", on(SLOW_CABLES).run(10).say(0, 4, &[0x81; 110]).run(1).say(1, 4, &[0x81; 120]).run(5)),
        (
            "rekey",
            packets(on(CABLES).run(5)).jump(3_700).run(20).jump(3_700).run(20).say(1, 1, PACKET).run(5),
        ),
        ("offers", on(CABLES).run(5).say(0, 1, REKEYS).run(1).say(1, 2, REKEYS).run(30)),
    ]
}

/// Frames are repeated and changed.
fn hostile() -> Vec<(&'static str, Script)> {
    vec![
        ("attack-cable", packets(on(CABLES).run(5)).attack().run(30)),
        ("attack-network", packets(on(NETWORKS).run(20)).attack().run(30)),
        ("attack-radio", packets(on(RADIOS).run(300)).attack().run(60)),
        (
            "attack-handshake",
            on(CABLES).then(Act::Run, &[0x91]).attack().then(Act::Run, &[0x71]).attack().run(10),
        ),
        (
            "forestalled",
            on(CABLES).then(Act::Jump, &[span_of(Duration::from_millis(400))]).forestall().run(10),
        ),
    ]
}

/// Hosts, clocks, carriers and operators are not at rest.
fn troubled() -> Vec<(&'static str, Script)> {
    vec![
        ("restart", on(CABLES).run(5).then(Act::Restart, &[1]).run(5).then(Act::Restart, &[0]).run(60)),
        (
            "clocks",
            on(NETWORKS)
                .run(20)
                .then(Act::Entropy, &[1])
                .then(Act::ClocksParted, &[0])
                .run(30)
                .then(Act::Entropy, &[2])
                .run(30),
        ),
        (
            "policy",
            on(NETWORKS).run(20).then(Act::SetPolicy, &[0, 2]).run(5).then(Act::SetPolicy, &[0, 0]).run(90),
        ),
        (
            "dial",
            on(NETWORKS)
                .then(Act::Dial, &[0, 0, 1, 1])
                .then(Act::Dial, &[0, 0, 4, 3])
                .run(20)
                .then(Act::Undial, &[0, 0, 4])
                .run(60),
        ),
        (
            "carrier",
            on(CABLES)
                .run(5)
                .then(Act::Down, &[0, 0])
                .run(1)
                .then(Act::Up, &[0, 0, 0])
                .run(5)
                .then(Act::Up, &[1, 0, 2])
                .run(20),
        ),
        (
            "held",
            on(CABLES)
                .run(5)
                .then(Act::HoldFrames, &[1])
                .say(0, 1, PACKET)
                .say(1, 1, PACKET)
                .then(Act::Restart, &[1])
                .then(Act::HoldFrames, &[0])
                .run(9),
        ),
        (
            "strangers",
            on(NETWORKS)
                .run(20)
                .then(Act::MadeUp, &made_up(0, 4, FIRST))
                .then(Act::MadeUp, &made_up(1, 3, BEACON))
                .run(60),
        ),
        ("asleep", on(NETWORKS).run(20).jump(604_800).run(20).jump(2_000_000).run(60)),
        (
            "lossy",
            on(CABLES)
                .then(Act::Run, &[0x80])
                .then(Act::Lose, &[0])
                .then(Act::WakeEarly, &[0])
                .run(2)
                .then(Act::DeliverOne, &[1])
                .then(Act::Lose, &[1])
                .run(30),
        ),
    ]
}
