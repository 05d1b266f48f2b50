//! What befalls a payer and a relay by chance, and what must be true of their account afterwards.

use nexus_machine::{Duration, Seed, Snapshot, Stream};
use nexus_node::economy::Amount;
use nexus_node::economy::layer::{Command as ChannelCommand, Policy};
use nexus_node::economy::lottery::{Income, WindowKind};

use super::{Disk, Tolls};

const PRICE: u64 = 20;
const LINE: u64 = 1_000_000;
const PAYER: usize = 0;
const RELAY: usize = 1;
const RECIPIENT: usize = 2;
/// What is done in a schedule, and then done without faults.
const STEPS: usize = 40;
const HEALED: usize = 40;

/// What happened in a schedule that ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// How often a node stopped without a word.
    pub crashes: u64,
    /// How often it came back with an older disk.
    pub stale: u64,
    /// Windows that were paid.
    pub wins: u64,
    /// How far the relay was ahead of what was drawn, in thousandths of a window.
    pub ahead: u64,
}

/// A payer, a relay and a recipient, whole nodes: forty steps of packets, crashes between a write and what follows from it, older disks and
/// words that are lost, then time to heal and forty packets more.
#[derive(Debug)]
pub struct Schedule {
    tolls: Tolls,
    random: Stream,
    images: [Option<Snapshot>; 2],
    ran: Ran,
    told: bool,
}

impl Schedule {
    /// The schedule with this number. One that is `told` prints its steps.
    #[must_use]
    pub fn new(number: u64, told: bool) -> Self {
        let line = Some(Amount::from_micros(LINE));
        let policy = Policy { windows: WindowKind::PerPacket, line, ..Policy::default() };
        let mut tolls = Tolls::line(&[policy, Policy { price: PRICE, ..policy }, policy]);
        let open = ChannelCommand::Open { line: Amount::from_micros(LINE), deposit: Amount::ZERO };
        tolls.command(RELAY, PAYER, open);
        tolls.run(Duration::from_secs(1));
        let random = Seed::new([0x70; 32]).fork_index("schedule", number).fork("steps");
        Self { tolls, random, images: [None, None], ran: Ran::default(), told }
    }

    /// Runs it.
    ///
    /// # Errors
    /// What is not true afterwards: that both hold one account, that no money was made, that the relay is ahead by no more than it may be,
    /// and that what came after the faults was drawn.
    pub fn run(mut self) -> Result<Ran, String> {
        for _ in 0..STEPS {
            self.step();
        }
        self.tolls.cut(None);
        self.tolls.run(Duration::from_secs(900));
        let before = self.sequence();
        let drawn = self.income().drawn;
        for _ in 0..HEALED {
            self.packet(Duration::from_secs(60));
            self.tell("healed");
        }
        self.tolls.run(Duration::from_secs(900));
        self.judge(before, drawn)?;
        Ok(self.ran)
    }

    fn packet(&mut self, every: Duration) {
        self.tolls.packet(PAYER, RECIPIENT);
        self.tolls.run(every);
    }

    fn step(&mut self) {
        let who = if self.random.chance(1, 2) { PAYER } else { RELAY };
        let done = match self.random.below(20) {
            0 | 1 => {
                self.crash(who, Disk::AsItWas);
                "crash"
            }
            2 => {
                if let Some(image) = self.images.get(who).cloned().flatten() {
                    self.ran.stale += 1;
                    self.crash(who, Disk::Older(image));
                }
                "older disk"
            }
            3 => {
                let disk = self.tolls.disk(who);
                if let Some(image) = self.images.get_mut(who) {
                    *image = Some(disk);
                }
                "image"
            }
            4 => {
                self.tolls.cut(Some(who));
                "cut"
            }
            5 | 6 => {
                self.tolls.cut(None);
                "whole"
            }
            7 => {
                // Between a write and what follows from it.
                self.tolls.packet(PAYER, RECIPIENT);
                let moment = Duration::from_micros(self.random.below(12_000));
                self.tolls.run(moment);
                self.crash(who, Disk::AsItWas);
                "crash in mid-packet"
            }
            _ => {
                let every = Duration::from_millis(20_000 + self.random.below(40_000));
                self.packet(every);
                "packet"
            }
        };
        let pause = Duration::from_millis(self.random.below(5_000));
        self.tolls.run(pause);
        self.tell(&format!("{done} {who}"));
    }

    fn crash(&mut self, who: usize, disk: Disk) {
        self.ran.crashes += 1;
        self.tolls.crash(who, disk);
    }

    fn tell(&self, done: &str) {
        if self.told {
            let income = self.income();
            println!("{:?} {done}: {income:?} {:?}", self.tolls.now, self.sums());
        }
    }

    fn income(&self) -> Income {
        self.tolls.income(RELAY, PAYER)
    }

    /// What both sides counted, how each is reckoned by the other, and what each dropped.
    fn sums(&self) -> impl std::fmt::Debug + use<> {
        [PAYER, RELAY].map(|n| {
            let (own, other) = (self.tolls.node(n).network(), self.tolls.id(PAYER + RELAY - n));
            (own.tally().sums(&other), own.tally().reckoning(&other), *own.forwarding().drops())
        })
    }

    fn sequence(&self) -> u64 {
        let mut accounts = self.tolls.node(RELAY).economy().accounts();
        accounts.next().map_or(0, |(_, account)| account.agreed.body.sequence)
    }

    fn judge(&mut self, before: u64, drawn: u64) -> Result<(), String> {
        let (own, theirs) = self.tolls.balances(PAYER, RELAY).ok_or("no channel stands")?;
        if own + theirs != 2 * LINE {
            return Err(format!("money was made: {own} and {theirs}"));
        }
        let other = self.tolls.balances(RELAY, PAYER);
        if other != Some((theirs, own)) {
            return Err(format!("two accounts: {own} and {theirs}, {other:?}"));
        }
        let income = self.income();
        if income.drawn == drawn {
            return Err(format!("stuck: {income:?} {:?}", self.sums()));
        }
        let ahead = income.counted.get().saturating_sub(income.expected.get());
        let window = income.expected.get().checked_div(income.drawn).unwrap_or(0);
        // Terms in mid-window, three windows beyond those that are settled, and a crash of the payer.
        if ahead > 8 * window {
            return Err(format!("the relay is {ahead} ahead: {income:?}"));
        }
        if self.sequence() < before {
            return Err(format!("the account went back from {before} to {}", self.sequence()));
        }
        self.ran.wins = income.won;
        self.ran.ahead = (ahead * 1_000).checked_div(window).unwrap_or(0);
        Ok(())
    }
}
