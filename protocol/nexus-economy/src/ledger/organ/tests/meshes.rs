//! Many replicas: whatever is lost, doubled, late, torn or apart, those that heard the same have the same books.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "how many schedules are run may be chosen; rounds are printed"
)]

use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::VerifyingKey;
use nexus_machine::Stream;

use super::*;
use crate::ledger::entry::Entry;
use crate::ledger::growing::Join as _;
use crate::ledger::shown::Change;

/// What everybody may hear: orders with certificates and what was settled, by four, in two dozen channels.
struct World {
    net: Net,
    items: Vec<(StoreId, Vec<u8>)>,
    people: Vec<Person>,
}

fn below(random: &mut Stream, count: usize) -> usize {
    usize::try_from(random.below(u64::try_from(count).expect("small"))).expect("small")
}

impl World {
    fn new(random: &mut Stream) -> Self {
        let people: Vec<Person> = (1..5).map(Person).collect();
        let net = Net::new("many", 4, &people);
        let mut items = Vec::new();
        for (place, owner) in people.iter().enumerate() {
            for number in 1..4_u8 {
                let peer = people[(place + usize::from(number)) % people.len()];
                let channel = 10 * u8::try_from(place).expect("small") + number;
                let order = net.open(*owner, u32::from(number), 1_000, channel, peer);
                items.push((StoreId::CERTIFICATES, item(&order)));
                items.push((StoreId::CERTIFICATES, net.certificate(&order)));
                for _ in 0..2 {
                    let paid = 1 + random.below(999);
                    items.push((StoreId::SETTLEMENTS, item(&settlement((*owner, paid), (peer, 0), channel))));
                }
                if number == 3 {
                    let end = close((*owner, 999), (peer, 0), channel);
                    items.push((StoreId::CERTIFICATES, item(&end)));
                    items.push((StoreId::CERTIFICATES, net.certificate(&end)));
                }
            }
        }
        Self { net, items, people }
    }

    fn hear(&self, host: &mut Host, number: usize) {
        let (store, word) = &self.items[number];
        host.hear(0, *store, vec![word.clone()]);
        host.know(&self.people);
        host.run();
        assert_eq!(host.sum(), 4_000_000, "in every view");
    }
}

/// `NEXUS_SCHEDULES=100000` makes it the count of the specification, `NEXUS_FIRST` lets it be done in parts.
fn schedules() -> core::ops::Range<u64> {
    let given = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = given("NEXUS_FIRST").unwrap_or(0);
    first..first + given("NEXUS_SCHEDULES").unwrap_or(60)
}

/// What a replica hears next.
#[derive(Clone, Copy)]
enum Word {
    Item(usize),
    Key(usize),
}

/// A replica on its way through a schedule, and all that it was seen to know.
struct Replica<'a> {
    world: &'a World,
    keys: &'a [(NodeId, VerifyingKey)],
    host: Host,
    seen: BTreeMap<ChannelKey, Entry>,
}

impl<'a> Replica<'a> {
    fn new(world: &'a World, keys: &'a [(NodeId, VerifyingKey)], own: Person) -> Self {
        Self { world, keys, host: Host::new(&world.net, own), seen: BTreeMap::new() }
    }

    /// Hears this from a neighbour, what is of one store together.
    fn hear(&mut self, words: &[Word], from: usize) {
        let mut items = BTreeMap::<StoreId, Vec<Vec<u8>>>::new();
        for word in words {
            match word {
                Word::Item(number) => {
                    let (store, item) = &self.world.items[*number];
                    items.entry(*store).or_default().push(item.clone());
                }
                Word::Key(number) => self.host.tell(Input::Key(self.keys[*number].0, self.keys[*number].1)),
            }
        }
        for (store, items) in items {
            self.host.hear(from, store, items);
        }
        self.host.run();
        self.is_sound();
    }

    /// Money is conserved, what is shown is no number below 0, and what was known is known: in every view.
    fn is_sound(&mut self) {
        assert_eq!(self.host.sum(), 4_000_000, "in every view");
        let books = self.host.ledger.books();
        for (node, _) in self.keys {
            let shown = match self.host.ledger.balance(node) {
                Balance::Known(amount) => i128::from(amount.micros()),
                Balance::Incomplete => books.net(node).min(-1),
                Balance::Unknown => panic!("it follows all"),
            };
            assert_eq!(shown, books.net(node), "nothing is frozen, and what is below 0 is not shown");
        }
        for (key, seen) in &self.seen {
            let entry = books.entry(key).expect("it stays");
            let mut joined = *entry;
            joined.join(seen);
            assert_eq!(joined, *entry, "nothing is taken back");
        }
        self.seen = books.iter().map(|(key, entry)| (*key, *entry)).collect();
    }

    fn crash(&mut self) {
        self.host.crash(&self.world.net, None);
        // What was not durable may be heard again.
        self.seen.clear();
        self.is_sound();
    }

    /// Everything in any order, eight times something twice; some of it is durable late, or never.
    fn through(&mut self, random: &mut Stream) {
        let items = self.world.items.len();
        let keys = (0..self.keys.len()).map(Word::Key);
        let mut words: Vec<Word> = (0..items).map(Word::Item).chain(keys).collect();
        words.extend((0..8).map(|_| Word::Item(below(random, items))));
        for at in (1..words.len()).rev() {
            words.swap(at, below(random, at + 1));
        }
        let mut words = &words[..];
        while !words.is_empty() {
            let (some, others) = words.split_at(words.len().min(1 + below(random, 8)));
            words = others;
            self.host.sync = if random.chance(1, 4) { Sync::Later } else { Sync::Prompt };
            self.hear(some, below(random, 8));
            if self.host.sync == Sync::Prompt {
                self.host.sync();
            }
            if random.chance(1, 10) {
                self.crash();
            }
        }
        // What waited in memory when it crashed comes again, as with gossip. Keys are taken once they are asked for: behind what needs them.
        self.host.sync = Sync::Prompt;
        self.host.sync();
        let items: Vec<Word> = (0..items).map(Word::Item).collect();
        let keys: Vec<Word> = (0..self.keys.len()).map(Word::Key).collect();
        for some in items.chunks(16) {
            self.hear(some, 0);
            self.hear(&keys, 0);
        }
    }
}

/// Replicas hear what there is in any order, some of it twice, some of it only when all is told; some of them crash on the way. There are three or
/// four of them, and up to fifty now and then.
#[test]
fn random_schedules_end_in_one_state_and_conserve_money_in_every_view() {
    let seed = Seed::new([0x5c; 32]);
    let worlds: Vec<World> =
        (0..16).map(|n| World::new(&mut seed.fork_index("world", n).fork("items"))).collect();
    let (schedules, mut replicas) = (schedules(), 0);
    for schedule in schedules.clone() {
        let mut random = seed.fork_index("schedule", schedule).fork("order");
        let world = &worlds[usize::try_from(schedule % 16).expect("small")];
        let keys: Vec<_> = world.people.iter().map(|person| (person.id(), person.key().public())).collect();
        let many = random.chance(1, 64);
        let count = 3 + below(&mut random, if many { 48 } else { 2 });
        let mut states = BTreeSet::new();
        for replica in 0..count {
            let own = Person(20 + u8::try_from(replica).expect("small"));
            let mut replica = Replica::new(world, &keys, own);
            replica.through(&mut random);
            let host = &replica.host;
            assert_eq!(host.ledger.waiting(), (0, 0), "schedule {schedule}: nothing is left waiting");
            states.insert(host.ledger.books().state_hash().0);
            assert!(world.people.iter().all(|person| matches!(host.balance(*person), Balance::Known(_))));
        }
        assert_eq!(states.len(), 1, "schedule {schedule}");
        replicas += count;
    }
    std::println!("schedules {schedules:?}: {replicas} replicas");
}

/// So many replicas that tell their neighbours what they show, one round after another.
struct Mesh {
    world: World,
    hosts: Vec<Host>,
}

impl Mesh {
    fn new(count: usize) -> Self {
        let world = World::new(&mut Seed::new([4; 32]).fork("mesh"));
        let hosts = (0..count).map(|n| Host::new(&world.net, Person(20 + u8::try_from(n).expect("few"))));
        Self { hosts: hosts.collect(), world }
    }

    fn names(host: &Host) -> BTreeSet<(StoreId, ItemId)> {
        let name = |change| match change {
            Change::Published(store, id, _) => Some((store, id)),
            Change::Retired(..) => None,
        };
        host.ledger.shown.iter().filter_map(name).collect()
    }

    /// Each pair that hears each other brings over what the other lacks.
    fn round(&mut self, hears: impl Fn(usize, usize) -> bool) {
        let count = self.hosts.len();
        for one in 0..count {
            for other in [(one + 1) % count, (one + 3) % count] {
                if one == other || !hears(one, other) {
                    continue;
                }
                for (from, to) in [(one, other), (other, one)] {
                    let held = Self::names(&self.hosts[to]);
                    let lacking: Vec<_> = Self::names(&self.hosts[from]).difference(&held).copied().collect();
                    for (store, id) in lacking {
                        let spot = self.hosts[from].ledger.shown.spot(store, id).expect("shown");
                        let body = self.hosts[from].stored(BODIES, &spot.to_bytes()).expect("durable");
                        self.hosts[to].hear(0, store, vec![body]);
                    }
                    self.hosts[to].know(&self.world.people);
                    self.hosts[to].run_for(Duration::from_millis(200));
                }
            }
        }
    }

    fn states(&self) -> BTreeSet<[u8; 16]> {
        self.hosts.iter().map(|host| host.ledger.books().state_hash().0).collect()
    }
}

/// Two and five parts for a month of rounds of an hour, in which things are settled in each of them; then they meet again.
#[test]
fn parts_that_were_apart_for_a_month_agree_in_a_few_rounds_and_nothing_is_lost_or_counted_twice() {
    for parts in [2, 5] {
        let mut mesh = Mesh::new(20);
        let mut random = Seed::new([9; 32]).fork("month");
        let mut told = 0;
        for hour in 0..24 * 30 {
            if hour % 12 == 0 && told < mesh.world.items.len() {
                let at = below(&mut random, mesh.hosts.len());
                // What is certified in a channel is said where it is settled: a half alone would only wait.
                for number in told..(told + 2).min(mesh.world.items.len()) {
                    mesh.world.hear(&mut mesh.hosts[at], number);
                }
                told += 2;
            }
            if hour % 24 == 0 {
                mesh.round(|one, other| one % parts == other % parts);
            }
        }
        assert!(told >= mesh.world.items.len());
        let told = mesh.world.items.len();
        assert!(mesh.states().len() > 1, "they are apart");
        assert!(mesh.hosts.iter().all(|host| host.sum() == 4_000_000));
        let mut rounds = 0;
        while mesh.states().len() > 1 {
            mesh.round(|_, _| true);
            rounds += 1;
            assert!(rounds <= 12, "{parts} parts");
        }
        std::println!("{parts} parts of 20: one state {rounds} rounds after they met");
        let mut all = Host::new(&mesh.world.net, Person(90));
        (0..2).for_each(|_| (0..told).for_each(|number| mesh.world.hear(&mut all, number)));
        assert_eq!(
            mesh.states(),
            BTreeSet::from([all.ledger.books().state_hash().0]),
            "nothing lost, nothing twice"
        );
    }
}
