//! The organ obeys the laws of machines, whatever it is told.

use nexus_machine::{Instant, Snapshot, Stream};
use nexus_testkit::laws::{Organ, obeyed_by};

use super::*;
use crate::ledger::witness::{self, Request};

fn limits() -> Limits {
    let intake = intake::Limits { neighbours: 4, queued: 16, held: 16, keys: 8, turn: 8 };
    let witness = witness::Limits { asked: 8, waiting: 4, signed: 16 };
    Limits { entries: 32, shown: 12, convicted: 4, reading: 8, intake, witness }
}

#[test]
fn the_organ_obeys_the_laws() {
    let net = net();
    let make = |seed: &Seed| {
        let own = net.witness_person(0).public();
        let seat = Some(net.seat(0));
        let ledger = Ledger::new(&own, net.rules.clone(), seat, &Snapshot::empty(), seed, limits());
        Organ::new(ledger.expect("an empty disk"))
    };
    let people = [ANNA, BERT, CARL, Person(4)];
    let orders: Vec<Order> = (1..4)
        .flat_map(|number| [net.open(ANNA, number, 900, 1, BERT), net.open(BERT, number, 500, 2, CARL)])
        .chain([close((ANNA, 100), (BERT, 0), 1)])
        .collect();
    let records: Vec<_> = (1..6).map(|paid| settlement((ANNA, 100 * paid), (BERT, 0), 1)).collect();
    obeyed_by("ledger", make, |random: &mut Stream, _: Instant| {
        let any = |random: &mut Stream, count: usize| {
            usize::try_from(random.below(u64::try_from(count).expect("small"))).expect("small")
        };
        let from = neighbour(any(random, 6));
        let person = people[any(random, people.len())];
        let order = orders[any(random, orders.len())];
        let record = records[any(random, records.len())];
        match random.below(16) {
            0 => Input::Linked(from),
            1 if random.chance(1, 8) => Input::Unlinked(from),
            1..4 => Input::Apply {
                from,
                store: StoreId::CERTIFICATES,
                items: vec![item(&order), net.certificate(&order)],
            },
            4 | 5 => Input::Apply { from, store: StoreId::SETTLEMENTS, items: vec![item(&record)] },
            6 => {
                let mut bytes = vec![0; any(random, 300)];
                for byte in &mut bytes {
                    *byte = u8::try_from(random.below(256)).expect("a byte");
                }
                let store = StoreId(u8::try_from(random.below(6)).expect("small"));
                Input::Apply { from, store, items: vec![bytes] }
            }
            7 => Input::Key(person.id(), person.key().public()),
            8 => Input::Fetch {
                to: from,
                store: StoreId::SETTLEMENTS,
                ids: vec![name(&record), ItemId([1; 32])],
            },
            9 => Input::Asked {
                by: from,
                store: StoreId::CERTIFICATES,
                ids: vec![question_about(ANNA.id(), person.id())],
            },
            10 | 11 => Input::Requested(person.id(), Request::Sign(order)),
            12 => Input::Settled(record),
            13 => {
                let value = random.chance(1, 2).then(|| person.key().public().0.to_vec());
                Input::Read { number: random.below(40), value }
            }
            _ => Input::Durable(random.below(60)),
        }
    });
}
