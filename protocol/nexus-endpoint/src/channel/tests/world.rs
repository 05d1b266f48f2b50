//! Two ends of a channel in virtual time, and what the link between them does to packets and proofs.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Stream};
use nexus_wire::reticulum::channel::Packing;

use crate::channel::{Channel, Command, Effect, Event, Failure, Input, Number};
use crate::{Bytes, Measures};

/// How much plaintext a packet carries.
pub(super) const DATA_LEN: u32 = 431;

/// What is on its way.
#[derive(Clone)]
enum Flying {
    Message(Number, Vec<u8>),
    Proof(Number),
}

/// Both ends, each the other's peer.
pub(super) struct World {
    ends: [Channel; 2],
    pub(super) events: [Vec<Event>; 2],
    pub(super) torn_down: Vec<(usize, Failure)>,
    pub(super) now: Instant,
    /// Of a hundred packets, and of a hundred proofs.
    pub(super) lost: u64,
    rtt: Duration,
    jitter: Duration,
    random: Stream,
    flying: BTreeMap<(Instant, u64), (usize, Flying)>,
    count: u64,
    /// Messages that were said, again ones included.
    pub(super) said: usize,
    /// The most packets on their way at once.
    pub(super) most: usize,
}

impl World {
    pub(super) fn new(rtt: Duration, lost: u64, jitter: Duration) -> Self {
        Self {
            ends: [Channel::new(measures(rtt)), Channel::new(measures(rtt))],
            events: [Vec::new(), Vec::new()],
            torn_down: Vec::new(),
            now: Instant::BOOT,
            lost,
            rtt,
            jitter,
            random: Seed::new([4; 32]).fork("channel"),
            flying: BTreeMap::new(),
            count: 0,
            said: 0,
            most: 0,
        }
    }

    pub(super) fn command(&mut self, end: usize, command: Command) {
        self.tell(end, Input::Command(command), None);
    }

    /// Tells an end something; `heard` is what the packet that it hears is called at the other.
    fn tell(&mut self, end: usize, input: Input, heard: Option<Number>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = VecDeque::new();
            self.ends[end].handle(Cx::at(self.now), input, &mut out);
            inputs.extend(self.answer(end, out, heard));
        }
    }

    fn answer(&mut self, end: usize, effects: VecDeque<Effect>, heard: Option<Number>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for effect in effects {
            match effect {
                Effect::Say(number, bytes) => {
                    self.said += 1;
                    self.fly(1 - end, &Flying::Message(number, bytes));
                }
                Effect::Prove => self.fly(1 - end, &Flying::Proof(heard.unwrap())),
                Effect::Pack(data) => inputs.push(match packed(&data.0) {
                    Some(shorter) => Input::Packed(Packing::Compressed, Bytes(shorter)),
                    None => Input::Packed(Packing::Plain, data),
                }),
                Effect::Unpack(data, most) => {
                    inputs
                        .push(Input::Unpacked(unpacked(&data.0, usize::try_from(most).unwrap()).map(Bytes)));
                }
                Effect::TearDown(why) => self.torn_down.push((end, why)),
                Effect::Event(event) => self.events[end].push(event),
            }
        }
        inputs
    }

    fn fly(&mut self, to: usize, what: &Flying) {
        if self.random.chance(self.lost, 100) {
            return;
        }
        for _ in 0..if self.random.chance(1, 10) { 2 } else { 1 } {
            let jitter = self.random.below(self.jitter.as_micros().max(1));
            let half = Duration::from_micros(self.rtt.as_micros() / 2 + jitter);
            self.count += 1;
            self.flying.insert((self.now.after(half), self.count), (to, what.clone()));
        }
        self.most = self.most.max(self.flying.len());
    }

    /// Lets time pass until nothing is left to happen.
    pub(super) fn run(&mut self) {
        for _ in 0..1_000_000 {
            let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
            let wakes = self.ends.iter().filter_map(Channel::next_timeout).min();
            let Some(next) = [arrival, wakes].into_iter().flatten().min() else { return };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (to, what)) = self.flying.pop_first().unwrap();
                match what {
                    Flying::Message(number, bytes) => self.tell(to, Input::Heard(bytes), Some(number)),
                    Flying::Proof(number) => self.tell(to, Input::Proved(number), None),
                }
            } else {
                for end in [0, 1] {
                    let mut out = VecDeque::new();
                    self.ends[end].handle_timeout(Cx::at(self.now), &mut out);
                    assert_eq!(self.answer(end, out, None), []);
                }
            }
        }
        panic!("it never ends");
    }
}

pub(super) fn measures(rtt: Duration) -> Measures {
    Measures { rtt, mtu: 500, data_len: DATA_LEN, part_len: 464 }
}

/// Stands for bzip2: bytes that are all the same, by their number.
fn packed(data: &[u8]) -> Option<Vec<u8>> {
    let one = *data.first()?;
    let is_same = data.iter().all(|byte| *byte == one);
    is_same.then(|| [&[one][..], &u32::try_from(data.len()).unwrap().to_be_bytes()].concat())
}

fn unpacked(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let (one, len) = packed.split_first()?;
    let len = usize::try_from(u32::from_be_bytes(len.try_into().ok()?)).ok()?;
    (len <= most).then(|| alloc::vec![*one; len])
}
