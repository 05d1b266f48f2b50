//! A ledger with a disk and a clock, for tests: what it writes is durable when the test says so, what it reads is what is durable.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Key, Machine as _, Seed, Snapshot, TableId, WallClock, Write};
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::ledger::Order;

use super::books::Balance;
use super::fixture::{Net, Person, item};
use super::intake::Neighbour;
use super::organ::{Effect, Input, Ledger, Limits, READ_ON_DEMAND};
use super::witness::Seat;

/// The neighbour with this number.
pub(crate) fn neighbour(number: usize) -> Neighbour {
    Neighbour(Key { slot: u16::try_from(number).expect("small"), generation: 1 })
}

/// When writes are durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sync {
    /// At once.
    Prompt,
    /// When [`Host::sync`] is called.
    Later,
}

/// A node with a ledger.
pub(crate) struct Host {
    pub(crate) ledger: Ledger,
    pub(crate) disk: Snapshot,
    pub(crate) sync: Sync,
    pub(crate) pending: VecDeque<(u64, Vec<Write>)>,
    /// What left and was not looked at yet, but writes and reads.
    pub(crate) said: VecDeque<Effect>,
    pub(crate) now: Instant,
    pub(crate) written: u64,
    /// Unix time at the boot, if there is a clock.
    pub(crate) clock: Option<u64>,
    own: Person,
    limits: Limits,
    /// Whom it follows beside itself, if it does not follow all.
    few: Option<Vec<Person>>,
}

impl Host {
    pub(crate) fn new(net: &Net, own: Person) -> Self {
        Self::with(net, own, None, Limits { entries: 10_000, ..Limits::default() })
    }

    pub(crate) fn with(net: &Net, own: Person, seat: Option<Seat>, limits: Limits) -> Self {
        Self::made(net, own, seat, limits, None)
    }

    /// One with little memory, that follows these beside its own account.
    pub(crate) fn sparse(net: &Net, own: Person, few: &[Person]) -> Self {
        Self::made(net, own, None, Limits::sparse(), Some(few.to_vec()))
    }

    fn made(net: &Net, own: Person, seat: Option<Seat>, limits: Limits, few: Option<Vec<Person>>) -> Self {
        let disk = Snapshot::empty();
        let ledger = Self::start(net, own, seat, &disk, limits, few.as_deref());
        let mut host = Self {
            ledger,
            disk,
            sync: Sync::Prompt,
            pending: VecDeque::new(),
            said: VecDeque::new(),
            now: Instant::BOOT,
            written: 0,
            clock: None,
            own,
            limits,
            few,
        };
        host.begin();
        host
    }

    fn start(
        net: &Net,
        own: Person,
        seat: Option<Seat>,
        disk: &Snapshot,
        limits: Limits,
        few: Option<&[Person]>,
    ) -> Ledger {
        let mut read = Snapshot::empty();
        for (table, key, value) in disk.iter().filter(|(table, ..)| !READ_ON_DEMAND.contains(table)) {
            read.apply(Write::set(table, key, value.to_vec()));
        }
        let (seed, rules) = (Seed::new([own.0; 32]), net.rules.clone());
        match few {
            None => Ledger::new(&own.public(), rules, seat, &read, &seed, limits),
            Some(few) => {
                Ledger::sparse(&own.public(), rules, few.iter().map(|person| person.id()), &read, &seed)
            }
        }
        .expect("the same genesis")
    }

    fn begin(&mut self) {
        for number in 0..8 {
            self.tell(Input::Linked(neighbour(number)));
        }
        self.run();
    }

    /// The node stops, and begins with what is durable.
    pub(crate) fn crash(&mut self, net: &Net, seat: Option<Seat>) {
        self.pending.clear();
        self.said.clear();
        self.ledger = Self::start(net, self.own, seat, &self.disk, self.limits, self.few.as_deref());
        self.begin();
    }

    pub(crate) fn tell(&mut self, input: Input) {
        let (cx, mut effects) = (self.cx(), VecDeque::new());
        self.ledger.handle(cx, input, &mut effects);
        self.follow(effects);
    }

    fn cx(&self) -> Cx {
        let wall = self.clock.map(|unix_s| WallClock { unix_s, error_s: 0, read_at: Instant::BOOT });
        Cx { wall, ..Cx::at(self.now) }
    }

    fn follow(&mut self, effects: VecDeque<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write { number, writes } => {
                    self.written += 1;
                    self.pending.push_back((number, writes));
                    if self.sync == Sync::Prompt {
                        self.sync();
                    }
                }
                Effect::Read { number, table, key } => {
                    let value = self.stored(table, &key);
                    self.tell(Input::Read { number, value });
                }
                effect => self.said.push_back(effect),
            }
        }
    }

    pub(crate) fn stored(&self, table: TableId, key: &[u8]) -> Option<Vec<u8>> {
        self.disk.get(table, key).map(<[u8]>::to_vec)
    }

    /// The oldest write is durable, and the organ is not told.
    pub(crate) fn store_one(&mut self) -> Option<u64> {
        let (number, writes) = self.pending.pop_front()?;
        for write in writes {
            self.disk.apply(write);
        }
        Some(number)
    }

    /// All that was written is durable.
    pub(crate) fn sync(&mut self) {
        while let Some(number) = self.store_one() {
            self.tell(Input::Durable(number));
        }
    }

    /// Time passes until nothing is due within a few seconds.
    pub(crate) fn run(&mut self) {
        self.run_for(Duration::from_secs(5));
    }

    pub(crate) fn run_for(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(due) = self.ledger.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let (cx, mut effects) = (self.cx(), VecDeque::new());
            self.ledger.handle_timeout(cx, &mut effects);
            self.follow(effects);
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn hear(&mut self, from: usize, store: StoreId, items: Vec<Vec<u8>>) {
        self.tell(Input::Apply { from: neighbour(from), store, items });
    }

    /// Hears an order with its certificate.
    pub(crate) fn certify(&mut self, net: &Net, order: &Order) {
        self.hear(0, StoreId::CERTIFICATES, Vec::from([item(order), net.certificate(order)]));
        self.run();
    }

    pub(crate) fn know(&mut self, people: &[Person]) {
        for person in people {
            self.tell(Input::Key(person.id(), person.key().public()));
        }
    }

    pub(crate) fn balance(&self, person: Person) -> Balance {
        self.ledger.balance(&person.id())
    }

    /// All balances together, as far as this view goes.
    pub(crate) fn sum(&self) -> i128 {
        let books = self.ledger.books();
        books.accounts().iter().map(|node| books.net(node)).sum()
    }

    pub(crate) fn take_said(&mut self) -> Vec<Effect> {
        self.said.drain(..).collect()
    }
}
