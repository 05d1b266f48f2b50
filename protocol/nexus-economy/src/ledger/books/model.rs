//! Joins explored exhaustively: the shipped [`Books::record`] and [`Books::join`], every order in which three replicas hear of what there
//! is and of each other's whole state, with what was heard before and what was not.
#![allow(clippy::disallowed_macros, reason = "how many states were explored is printed")]

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use std::println;

use stateright::{Checker, Model, Property};

use super::*;

#[derive(Clone, Debug)]
struct Replica {
    books: Books,
    /// What it heard of, itself or through others.
    heard: BTreeSet<usize>,
}

impl PartialEq for Replica {
    fn eq(&self, other: &Self) -> bool {
        self.heard == other.heard && self.books == other.books
    }
}

impl Eq for Replica {}

impl Hash for Replica {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.heard.hash(state);
        for (key, entry) in self.books.iter() {
            key.hash(state);
            entry.hash(state);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Act {
    /// A replica hears of something, perhaps again.
    Hear(usize, usize),
    /// A replica takes in all that another has.
    Join(usize, usize),
    /// A replica falls back to what it was at first.
    Forget(usize),
}

struct World {
    replicas: usize,
    news: Vec<(ChannelKey, Entry)>,
}

fn node(number: u8) -> NodeId {
    NodeId([number; 16])
}

impl World {
    /// What was certified in two channels, what was settled there by two who may settle past each other, and a close.
    fn new(replicas: usize) -> Self {
        let channel = |one, other, id| ChannelKey::between(node(one), node(other), [id; 16]).expect("two");
        let (first, second) = (channel(1, 2, 1), channel(2, 3, 2));
        let news = vec![
            (first, Entry::deposited(Sums { a: 10, b: 10 })),
            (first, Entry::paid_at_least(Sums { a: 5, b: 0 })),
            (first, Entry::paid_at_least(Sums { a: 0, b: 3 })),
            (second, Entry::deposited(Sums { a: 12, b: 0 })),
            (second, Entry::paid_at_least(Sums { a: 12, b: 0 })),
            (first, Entry::closed_with(Sums { a: 6, b: 3 }).expect("small")),
        ];
        Self { replicas, news }
    }

    fn start() -> Books {
        Books::new([(node(1), Amount::from_micros(100)), (node(2), Amount::from_micros(7))], 8)
    }

    /// The books of who heard this, in the order of the list.
    fn books(&self, heard: &BTreeSet<usize>) -> Books {
        let mut books = Self::start();
        for number in heard {
            let (key, entry) = &self.news[*number];
            // Without its certificate it is not there to be heard.
            let _ = books.record(key, entry);
        }
        books
    }
}

impl Model for World {
    type State = Vec<Replica>;
    type Action = Act;

    fn init_states(&self) -> Vec<Self::State> {
        vec![vec![Replica { books: Self::start(), heard: BTreeSet::new() }; self.replicas]]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Act>) {
        for one in 0..state.len() {
            let may_hear =
                |number: &usize| state[one].books.judge(&self.news[*number].0, &self.news[*number].1).is_ok();
            actions.extend((0..self.news.len()).filter(may_hear).map(|number| Act::Hear(one, number)));
            actions.extend((0..state.len()).filter(|other| *other != one).map(|other| Act::Join(one, other)));
            if one == 0 {
                actions.push(Act::Forget(one));
            }
        }
    }

    fn next_state(&self, state: &Self::State, act: Act) -> Option<Self::State> {
        let mut next = state.clone();
        match act {
            Act::Hear(one, number) => {
                let (key, entry) = &self.news[number];
                next[one].books.record(key, entry).ok()?;
                next[one].heard.insert(number);
            }
            Act::Join(one, other) => {
                let from = state[other].clone();
                next[one].books.join(&from.books);
                next[one].heard.extend(from.heard);
            }
            Act::Forget(one) => next[one] = Replica { books: Self::start(), heard: BTreeSet::new() },
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("all balances together are what genesis gave", |_, state: &Vec<Replica>| {
                let sum = |books: &Books| books.accounts().iter().map(|node| books.net(node)).sum::<i128>();
                state.iter().all(|replica| sum(&replica.books) == 107)
            }),
            Property::always("who heard the same has the same", |world: &World, state: &Vec<Replica>| {
                state.iter().all(|replica| {
                    let alone = world.books(&replica.heard);
                    replica.books == alone && replica.books.state_hash() == alone.state_hash()
                })
            }),
            Property::always("no balance is shown that is not there", |_, state: &Vec<Replica>| {
                state.iter().all(|Replica { books, .. }| {
                    books.accounts().iter().all(|node| match books.balance(node) {
                        Balance::Known(amount) => i128::from(amount.micros()) == books.net(node),
                        Balance::Incomplete => books.net(node) < 0,
                        Balance::Unknown => false,
                    })
                })
            }),
            Property::sometimes("all know all", |world: &World, state: &Vec<Replica>| {
                state.iter().all(|replica| replica.heard.len() == world.news.len())
            }),
        ]
    }
}

#[test]
fn replicas_that_heard_the_same_agree_whatever_is_late_doubled_forgotten_or_apart() {
    let checker = World::new(2).checker().threads(2).spawn_bfs().join();
    println!("two replicas: {} states, {} unique", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
}

/// Everything but the second channel: three replicas have many more orders.
#[test]
fn three_replicas_agree_too() {
    let mut world = World::new(3);
    world.news.truncate(3);
    let checker = world.checker().threads(2).spawn_bfs().join();
    println!("three replicas: {} states, {} unique", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
}
