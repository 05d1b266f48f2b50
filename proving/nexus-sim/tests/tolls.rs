//! Payer, relay and recipient, whole nodes with disks: whatever crashes, forgets or is cut off, money is neither made nor lost, and payment
//! goes on.

use nexus_machine::{Duration, Seed, Snapshot, Stream};
use nexus_node::economy::Amount;
use nexus_node::economy::layer::{Command as ChannelCommand, Policy};
use nexus_node::economy::lottery::WindowKind;
use nexus_sim::tolls::{Disk, Tolls};

const PRICE: u64 = 20;
const LINE: u64 = 1_000_000;
const PAYER: usize = 0;
const RELAY: usize = 1;
const RECIPIENT: usize = 2;
/// What is done in a schedule, and then done without faults.
const STEPS: usize = 40;
const HEALED: usize = 40;

/// How many schedules are run: few among the tests of every change, as many as is said otherwise.
fn schedules() -> u64 {
    std::env::var("NEXUS_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(80)
}

#[test]
fn after_any_crashes_forgetting_and_cuts_the_account_is_one_and_payment_goes_on() {
    let (mut crashes, mut stale, mut wins) = (0, 0, 0);
    for number in 0..schedules() {
        let ran = Schedule::new(number).run();
        crashes += ran.crashes;
        stale += ran.stale;
        wins += ran.wins;
    }
    println!("{} schedules: {crashes} crashes, {stale} of them with an older disk, {wins} wins", schedules());
    assert!(crashes > schedules() && stale > 0 && wins > 0);
}

struct Schedule {
    number: u64,
    tolls: Tolls,
    random: Stream,
    images: [Option<Snapshot>; 2],
    crashes: u64,
    stale: u64,
    wins: u64,
}

impl Schedule {
    fn new(number: u64) -> Self {
        let line = Some(Amount::from_micros(LINE));
        let policy = Policy { windows: WindowKind::PerPacket, line, ..Policy::default() };
        let mut tolls = Tolls::line(&[policy, Policy { price: PRICE, ..policy }, policy]);
        let open = ChannelCommand::Open { line: Amount::from_micros(LINE), deposit: Amount::ZERO };
        tolls.command(RELAY, PAYER, open);
        tolls.run(Duration::from_secs(1));
        let random = Seed::new([0x70; 32]).fork_index("schedule", number).fork("steps");
        Self { number, tolls, random, images: [None, None], crashes: 0, stale: 0, wins: 0 }
    }

    fn run(mut self) -> Self {
        for _ in 0..STEPS {
            self.step();
        }
        self.tolls.cut(None);
        self.tolls.run(Duration::from_secs(900));
        let before = self.sequence();
        for _ in 0..HEALED {
            self.packet(Duration::from_secs(60));
        }
        self.tolls.run(Duration::from_secs(900));
        self.judge(before);
        self
    }

    fn packet(&mut self, every: Duration) {
        self.tolls.packet(PAYER, RECIPIENT);
        self.tolls.run(every);
    }

    fn step(&mut self) {
        let who = if self.random.chance(1, 2) { PAYER } else { RELAY };
        match self.random.below(20) {
            0 | 1 => {
                self.crashes += 1;
                self.tolls.crash(who, Disk::AsItWas);
            }
            2 => {
                if let Some(image) = self.images[who].clone() {
                    self.crashes += 1;
                    self.stale += 1;
                    self.tolls.crash(who, Disk::Older(image));
                }
            }
            3 => self.images[who] = Some(self.tolls.disk(who)),
            4 => self.tolls.cut(Some(who)),
            5 | 6 => self.tolls.cut(None),
            7 => {
                // Between a write and what follows from it.
                self.tolls.packet(PAYER, RECIPIENT);
                let moment = Duration::from_micros(self.random.below(12_000));
                self.tolls.run(moment);
                self.crashes += 1;
                self.tolls.crash(who, Disk::AsItWas);
            }
            _ => {
                let every = Duration::from_millis(20_000 + self.random.below(40_000));
                self.packet(every);
            }
        }
        let pause = Duration::from_millis(self.random.below(5_000));
        self.tolls.run(pause);
    }

    fn sequence(&self) -> u64 {
        let mut accounts = self.tolls.node(RELAY).economy().accounts();
        accounts.next().map_or(0, |(_, account)| account.agreed.body.sequence)
    }

    /// Both hold one account, no money was made, the relay is ahead by no more than it may be, and what came after the faults was drawn.
    fn judge(&mut self, before: u64) {
        let number = self.number;
        let (own, theirs) = self.tolls.balances(PAYER, RELAY).expect("a channel stands");
        assert_eq!(own + theirs, 2 * LINE, "schedule {number}: money was made");
        assert_eq!(self.tolls.balances(RELAY, PAYER), Some((theirs, own)), "schedule {number}: two accounts");
        let income = self.tolls.income(RELAY, PAYER);
        let sums = [PAYER, RELAY].map(|n| {
            let (own, other) = (self.tolls.node(n).network(), self.tolls.id(PAYER + RELAY - n));
            (own.tally().sums(&other), own.tally().reckoning(&other), *own.forwarding().drops())
        });
        assert!(income.drawn > 0, "schedule {number} is stuck: {income:?} {sums:?}");
        let ahead = income.counted.get().saturating_sub(income.expected.get());
        let window = income.expected.get() / income.drawn;
        // Terms in mid-window, three windows beyond those that are settled, and a crash of the payer.
        assert!(ahead <= 8 * window, "schedule {number}: the relay is {ahead} ahead: {income:?}");
        assert!(self.sequence() >= before, "schedule {number}");
        self.wins += income.won;
    }
}
