//! Scripts that reach something, for a fuzzer to begin with.

use nexus_machine::Duration;

use super::super::script::{Writing, span_of};
use super::{ACTS, Act};

type Script = Writing<Act>;

/// Whether words are changed on their way.
const HONEST: u8 = 0;
const TAMPERED: u8 = 1;

fn on(kind: u8) -> Script {
    Script::begin(kind, &ACTS)
}

impl Script {
    fn run(self, span: Duration) -> Self {
        self.then(Act::Run, &[span_of(span)])
    }

    /// Windows of packets from one to another, each time with ten minutes after it.
    fn carry(mut self, from: u8, to: u8, windows: usize) -> Self {
        for _ in 0..windows {
            self = self.then(Act::Carry, &[from, step(from, to), 63]).run(Duration::from_secs(600));
        }
        self
    }

    /// The same, with a word at a time and a write at a time, in the order in which they come.
    fn slowly(mut self, from: u8, to: u8, act: impl Fn(Self, u8) -> Self) -> Self {
        for nth in 0..12 {
            self = self.then(Act::Carry, &[from, step(from, to), 63]);
            for _ in 0..4 {
                self = self.then(Act::Deliver, &[0]).then(Act::Sync, &[0]).then(Act::Sync, &[1]);
            }
            self = act(self, nth);
        }
        self
    }

    fn open(self, from: u8, to: u8, line: u8, deposit: u8) -> Self {
        self.then(Act::Open, &[from, step(from, to), line, deposit]).run(Duration::from_secs(10))
    }
}

/// How scripts name the second of two.
const fn step(from: u8, to: u8) -> u8 {
    (to + 3 - from) % 3 - 1
}

/// See the module.
pub(in super::super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let minute = Duration::from_secs(60);
    let paid = || on(HONEST).carry(0, 1, 10).carry(1, 2, 5);
    let all: [(&str, Script); 11] = [
        ("paid", on(HONEST).carry(0, 1, 30).carry(1, 2, 30)),
        ("both-ways", on(HONEST).carry(0, 1, 10).carry(1, 0, 10).carry(0, 1, 10).carry(1, 0, 10)),
        ("settled", {
            let opened = on(HONEST).open(0, 1, 40, 60).then(Act::Certify, &[0, 0]);
            opened.carry(0, 1, 20).then(Act::Settle, &[1, step(1, 0)]).run(minute).carry(0, 1, 10)
        }),
        ("closed", paid().then(Act::Close, &[0, 0]).run(minute).carry(0, 1, 10)),
        (
            "closed-alone",
            paid().then(Act::LinkDown, &[0, 0]).then(Act::CloseAlone, &[1, step(1, 0)]).run(minute),
        ),
        ("crash", {
            let crashing = on(HONEST).open(0, 1, 50, 0).carry(0, 1, 4).slowly(0, 1, |script, nth| {
                let act = if nth % 2 == 0 { Act::Crash } else { Act::CrashAfterWrite };
                script.then(act, &[nth % 2])
            });
            crashing.carry(0, 1, 4)
        }),
        (
            "lossy",
            on(HONEST).open(1, 2, 50, 0).slowly(1, 2, |script, nth| {
                script.then(Act::Lose, &[0]).then(Act::Replay, &[nth]).then(Act::Sync, &[2]).run(minute)
            }),
        ),
        ("fallen-back", {
            let before = on(HONEST).carry(0, 1, 12).then(Act::Image, &[]).carry(0, 1, 12).carry(1, 0, 12);
            before.then(Act::Reload, &[]).run(minute).carry(0, 1, 12)
        }),
        ("fallen-back-far", {
            let before = on(HONEST).then(Act::Image, &[]).carry(0, 1, 12);
            before.then(Act::Reload, &[]).run(minute).carry(0, 1, 4)
        }),
        (
            "tampered",
            on(TAMPERED).carry(0, 1, 10).slowly(0, 1, |script, nth| {
                script.then(Act::Mutate, &[nth, 0, 1 + nth, 0, 0x10]).then(Act::Mutate, &[nth, 2, 20, 0])
            }),
        ),
        ("tampered-closing", {
            let closing = on(TAMPERED).carry(0, 1, 20).then(Act::Settle, &[0, 0]).run(minute);
            let changed = closing.then(Act::Mutate, &[0, 0, 30, 0, 1]).then(Act::Mutate, &[1, 0, 30, 0, 1]);
            changed.then(Act::Close, &[0, 0]).run(minute).then(Act::Mutate, &[0, 0, 89, 0, 1])
        }),
    ];
    all.into_iter().map(|(name, script)| (name, script.bytes)).collect()
}
