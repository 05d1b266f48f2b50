//! Scripts that reach something, for a fuzzer to begin with.

use nexus_machine::Duration;

use super::super::script::{Writing, span_of};
use super::{ACTS, Act};

/// Interfaces that stay down, a bit each.
const ALL: u8 = 0;
const CABLE: u8 = 0b1110;
const NETWORK: u8 = 0b1101;
const RADIO: u8 = 0b1011;
const IN_CLEAR: u8 = 0b0111;
const LINKS: u8 = 0b1000;

type Script = Writing<Act>;

fn without(unplugged: u8) -> Script {
    Script::begin(unplugged, &ACTS)
}

impl Script {
    fn run(self, seconds: u64) -> Self {
        self.then(Act::Run, &[span_of(Duration::from_secs(seconds))])
    }

    fn jump(self, seconds: u64) -> Self {
        self.then(Act::Jump, &[span_of(Duration::from_secs(seconds))])
    }

    /// A signed text of so many bytes, for ten minutes.
    fn write(self, from: u8, to: u8, len: u8) -> Self {
        self.then(Act::Write, &[from, 0, to << 1, span_of(Duration::from_secs(600)), len / 2])
    }

    /// The latest frames arrive again, from where they came and from elsewhere, as they were and changed.
    fn attack(mut self, iface: u8) -> Self {
        for nth in 0..6 {
            for node in 0..2 {
                self = self.then(Act::Replay, &[nth, node, iface, 1 - node]);
                self = self.then(Act::Replay, &[nth, 2, (iface + 1) % 4, 4]);
                self = self.then(Act::Mutate, &[nth, 0, 3 + 9 * nth, 0, 0x10, node, iface, 1 - node]);
                self = self.then(Act::Mutate, &[nth, 2, 40, 0, node, iface, 5]);
            }
        }
        self
    }
}

const FIRST: &[u8] = b"\x91\x21\x43\0\0\0\0ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const BEACON: &[u8] = b"\x97\x01\x02\x03\x04\x01";

/// What arrives is made up.
fn made_up(bytes: &[u8], node: u8, iface: u8) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("short")][..], bytes, &[node, iface, 4]].concat()
}

/// Letters go both ways, and a probe.
fn letters(script: Script) -> Script {
    script.write(0, 1, 100).write(1, 0, 30).then(Act::Ping, &[0, 0, 1]).run(30)
}

/// See the module.
pub(in super::super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let all = calm().into_iter().chain(hostile()).chain(troubled()).chain(handled());
    all.map(|(name, script)| (name, script.bytes)).collect()
}

/// Nothing goes wrong.
fn calm() -> Vec<(&'static str, Script)> {
    vec![
        ("all", letters(without(ALL).run(30)).run(60)),
        ("cable", letters(without(CABLE).run(10))),
        ("network", letters(without(NETWORK).run(30)).write(0, 2, 50).run(30)),
        ("radio", letters(without(RADIO).run(300)).run(600)),
        ("clear", without(IN_CLEAR).run(30).then(Act::Announce, &[0, 0, 0]).run(60)),
        ("links", letters(without(LINKS).run(30)).run(60)),
        ("relay", letters(without(LINKS).then(Act::Down, &[2, 2, 0]).run(60)).write(0, 2, 200).run(30)),
        (
            "rekey",
            letters(without(CABLE).run(5)).jump(3_700).run(20).jump(3_700).run(20).write(0, 1, 9).run(9),
        ),
    ]
}

/// Frames are repeated and changed.
fn hostile() -> Vec<(&'static str, Script)> {
    vec![
        ("attack-cable", letters(without(CABLE).run(10)).attack(0).run(30)),
        ("attack-network", letters(without(NETWORK).run(30)).attack(1).run(30)),
        ("attack-radio", letters(without(RADIO).run(300)).attack(2).run(60)),
        ("attack-clear", without(IN_CLEAR).run(30).attack(3).run(60)),
    ]
}

/// Disks, clocks and entropy fail.
fn troubled() -> Vec<(&'static str, Script)> {
    vec![
        (
            "crash",
            letters(without(CABLE).run(10))
                .then(Act::Restart, &[1])
                .run(10)
                .write(0, 1, 70)
                .then(Act::Restart, &[0])
                .run(60),
        ),
        (
            "slow-disk",
            without(CABLE)
                .then(Act::Disk, &[1])
                .run(10)
                .then(Act::Disk, &[0x03])
                .then(Act::Disk, &[0x13])
                .run(5)
                .then(Act::Disk, &[0x0f])
                .then(Act::Disk, &[0x1e])
                .write(0, 1, 20)
                .run(60),
        ),
        (
            "no-entropy",
            without(NETWORK)
                .then(Act::Entropy, &[1])
                .run(30)
                .then(Act::WallClock, &[0, 0x0a])
                .run(60)
                .then(Act::Entropy, &[0])
                .then(Act::Entropy, &[2])
                .run(60),
        ),
        (
            "clocks",
            letters(without(NETWORK).run(20))
                .then(Act::WallClock, &[0, 0x0f])
                .run(60)
                .then(Act::WallClock, &[0, 0x0b])
                .then(Act::WallClock, &[1, 0xfe])
                .then(Act::Announce, &[0, 0, 0])
                .run(60),
        ),
        (
            "policy",
            without(NETWORK)
                .run(20)
                .then(Act::SetPolicy, &[0, 0, 2])
                .run(5)
                .then(Act::SetPolicy, &[0, 0, 0])
                .run(90),
        ),
    ]
}

/// Operators, carriers and drivers are not at rest.
fn handled() -> Vec<(&'static str, Script)> {
    vec![
        (
            "dial",
            without(NETWORK)
                .then(Act::Dial, &[0, 1, 1])
                .then(Act::Dial, &[0, 1, 6])
                .run(20)
                .then(Act::Undial, &[0, 1, 1])
                .run(30),
        ),
        (
            "carrier",
            without(CABLE)
                .run(5)
                .then(Act::Down, &[0, 0, 0])
                .run(1)
                .then(Act::Up, &[0, 0, 0])
                .run(5)
                .then(Act::Up, &[1, 0, 5])
                .run(30),
        ),
        (
            "drivers",
            without(ALL)
                .then(Act::Driver, &[1])
                .run(10)
                .then(Act::Driver, &[3])
                .then(Act::OutOfTurn, &[0, 2, 2])
                .run(60)
                .then(Act::Driver, &[0])
                .run(60),
        ),
        (
            "strangers",
            without(NETWORK)
                .run(20)
                .then(Act::MadeUp, &made_up(FIRST, 0, 1))
                .then(Act::MadeUp, &made_up(BEACON, 1, 1))
                .run(60),
        ),
        (
            "asleep",
            without(ALL)
                .run(20)
                .jump(604_800)
                .run(20)
                .then(Act::WallClock, &[0, 0])
                .jump(2_000_000)
                .run(60)
                .then(Act::Forget, &[0, 0, 9]),
        ),
        (
            "lossy",
            without(CABLE)
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
