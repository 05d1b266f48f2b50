//! Two ends of a link in virtual time, the hosts that answer them, and what the link does to packets.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::TokenKey;
use nexus_machine::{Cx, Duration, Instant, Machine as _, MemoryBound as _, Seed, Stream};
use nexus_testkit::heap;
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::{Context, LinkId};

use crate::resource::{Arrival, Command, Compression, Effect, Event, Input, Offer, Purpose, Resources};
use crate::{Bytes, Handle, Measures};

/// What the link does to packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Medium {
    /// Of a hundred packets.
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) delay: Duration,
    /// At most so much more, each packet differently: they overtake one another.
    pub(super) jitter: Duration,
    pub(super) bytes_a_second: u64,
    /// What waits for it, in bytes; more is lost.
    pub(super) queue: u64,
}

pub(super) const CABLE: Medium = Medium {
    lost: 0,
    doubled: 0,
    delay: Duration::from_millis(1),
    jitter: Duration::ZERO,
    bytes_a_second: 10_000_000,
    queue: u64::MAX,
};

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Left,
    Right,
}

/// An end, and its host.
pub(super) struct End {
    machine: Resources,
    key: TokenKey,
    random: Stream,
    /// What it has to send.
    pub(super) data: BTreeMap<Handle, Vec<u8>>,
    /// What came.
    pub(super) arrived: BTreeMap<Arrival, Vec<u8>>,
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) events: Vec<Event>,
    pub(super) accepts: Accepts,
    pub(super) held_most: isize,
    held: isize,
    pub(super) said: BTreeMap<u8, usize>,
}

/// What a host does with offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    All,
    None,
    Undecided,
}

/// Both ends, and what is on its way.
pub(super) struct World {
    pub(super) ends: BTreeMap<Side, End>,
    medium: Medium,
    random: Stream,
    pub(super) now: Instant,
    /// When the link is free again, each way.
    free: BTreeMap<Side, Instant>,
    flying: BTreeMap<(Instant, u64), (Side, Context, Vec<u8>)>,
    number: u64,
    /// Packets of these contexts to this side are lost, so many.
    pub(super) swallowed: Vec<(Side, Context, usize)>,
}

impl World {
    pub(super) fn new(medium: Medium, rtt: Duration, part_len: u32) -> Self {
        let seed = Seed::new([5; 32]);
        let measures = measures(rtt, part_len);
        let end = |name: &str| {
            let (machine, held) =
                heap::growth_of(|| Resources::new(LinkId([6; 16]), measures, &seed.fork_seed(name)));
            let (key, random) = (TokenKey::from_bytes(&[9; 64]), seed.fork(name));
            End {
                machine,
                key,
                random,
                data: BTreeMap::new(),
                arrived: BTreeMap::new(),
                metadata: None,
                events: Vec::new(),
                accepts: Accepts::All,
                held_most: 0,
                held,
                said: BTreeMap::new(),
            }
        };
        Self {
            ends: [(Side::Left, end("left")), (Side::Right, end("right"))].into(),
            medium,
            random: seed.fork("medium"),
            now: Instant::BOOT,
            free: BTreeMap::new(),
            flying: BTreeMap::new(),
            number: 0,
            swallowed: Vec::new(),
        }
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        self.ends.get_mut(&side).unwrap()
    }

    /// Offers data at the left.
    pub(super) fn offer(
        &mut self,
        handle: u64,
        data: Vec<u8>,
        compression: Compression,
        metadata: Option<Vec<u8>>,
    ) {
        let len = u64::try_from(data.len()).unwrap();
        self.end(Side::Left).data.insert(Handle(handle), data);
        let offer = Offer { len, metadata, purpose: Purpose::Data, compression };
        self.tell(Side::Left, Input::Command(Command::Offer(Handle(handle), offer)));
    }

    /// Tells an end something, and lets its host answer until nothing is left to do.
    pub(super) fn tell(&mut self, side: Side, input: Input) {
        let (now, mut inputs) = (self.now, VecDeque::from([input]));
        while let Some(input) = inputs.pop_front() {
            let effects = self.end(side).act(|machine, out| machine.handle(Cx::at(now), input, out));
            self.answer(side, effects, &mut inputs);
        }
    }

    fn wake(&mut self, side: Side) {
        let now = self.now;
        let effects = self.end(side).act(|machine, out| machine.handle_timeout(Cx::at(now), out));
        let mut inputs = VecDeque::new();
        self.answer(side, effects, &mut inputs);
        for input in inputs {
            self.tell(side, input);
        }
    }

    fn answer(&mut self, side: Side, effects: VecDeque<Effect>, inputs: &mut VecDeque<Input>) {
        for effect in effects {
            match effect {
                Effect::Say(context, _, bytes) => self.carry(side, context, &bytes),
                effect => inputs.extend(self.end(side).host(effect)),
            }
        }
    }

    fn carry(&mut self, from: Side, context: Context, bytes: &[u8]) {
        *self.end(from).said.entry(context.0).or_default() += 1;
        let to = if from == Side::Left { Side::Right } else { Side::Left };
        if let Some((.., left)) =
            self.swallowed.iter_mut().find(|(at, what, left)| (*at, *what) == (to, context) && *left > 0)
        {
            *left -= 1;
            return;
        }
        let takes = u64::try_from(bytes.len() + 36).unwrap() * 1_000_000 / self.medium.bytes_a_second;
        let free = self.free.entry(from).or_insert(Instant::BOOT);
        let waiting = free.since(self.now).as_micros().saturating_mul(self.medium.bytes_a_second) / 1_000_000;
        if waiting > self.medium.queue {
            return;
        }
        *free = (*free).max(self.now).after(Duration::from_micros(takes));
        let sent = *free;
        let copies = if self.random.chance(self.medium.lost, 100) {
            0
        } else if self.random.chance(self.medium.doubled, 100) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let jitter = Duration::from_micros(self.random.below(self.medium.jitter.as_micros().max(1)));
            self.number += 1;
            let at = sent.after(self.medium.delay).after(jitter);
            self.flying.insert((at, self.number), (to, context, bytes.to_vec()));
        }
    }

    /// Lets time pass until nothing is left to happen, or so long.
    pub(super) fn run(&mut self, at_most: Duration) {
        let end = self.now.after(at_most);
        loop {
            let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
            let wakes = self.ends.values().filter_map(|end| end.machine.next_timeout()).min();
            let Some(next) = [arrival, wakes].into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (to, context, bytes)) = self.flying.pop_first().unwrap();
                self.tell(to, Input::Heard(context, bytes));
            } else {
                self.wake(Side::Left);
                self.wake(Side::Right);
            }
        }
    }
}

impl End {
    /// Lets the machine act, and measures what it holds.
    fn act(&mut self, act: impl FnOnce(&mut Resources, &mut VecDeque<Effect>)) -> VecDeque<Effect> {
        let before = heap::held();
        let mut effects = VecDeque::new();
        act(&mut self.machine, &mut effects);
        let room = isize::try_from(effects.capacity() * size_of::<Effect>()).unwrap();
        let bytes: usize = effects.iter().map(len).sum();
        self.held += heap::held() - before - room - isize::try_from(bytes).unwrap();
        self.held_most = self.held_most.max(self.held);
        assert!(
            self.held <= isize::try_from(self.machine.memory_bound()).unwrap(),
            "{} bytes held",
            self.held
        );
        effects
    }

    fn host(&mut self, effect: Effect) -> Option<Input> {
        Some(match effect {
            Effect::Say(..) => return None,
            Effect::Read(handle, from, len) => {
                let from = usize::try_from(from).unwrap();
                let data = self
                    .data
                    .get(&handle)
                    .and_then(|data| data.get(from..from + usize::try_from(len).unwrap()));
                Input::Read(handle, data.map(|data| Bytes(data.to_vec())))
            }
            Effect::Pack(handle, data) => match packed(&data.0) {
                Some(shorter) => Input::Packed(handle, Packing::Compressed, Bytes(shorter)),
                None => Input::Packed(handle, Packing::Plain, data),
            },
            Effect::Seal(handle, blob) => Input::Sealed(handle, self.key.encrypt(&blob.0, &mut self.random)),
            Effect::Open(arrival, token) => Input::Opened(arrival, self.key.decrypt(&token).ok().map(Bytes)),
            Effect::Unpack(arrival, data, most) => {
                Input::Unpacked(arrival, unpacked(&data.0, usize::try_from(most).unwrap()).map(Bytes))
            }
            Effect::Event(event) => return self.told(event),
        })
    }

    fn told(&mut self, event: Event) -> Option<Input> {
        let answer = match &event {
            Event::Offered(arrival, _) => match self.accepts {
                Accepts::All => Some(Command::Accept(*arrival)),
                Accepts::None => Some(Command::Refuse(*arrival)),
                Accepts::Undecided => None,
            },
            Event::Segment(arrival, segment) => {
                self.arrived.entry(*arrival).or_default().extend_from_slice(&segment.data.0);
                if let Some(metadata) = &segment.metadata {
                    self.metadata = Some(metadata.0.clone());
                }
                Some(Command::Kept(*arrival))
            }
            Event::Sent(_) | Event::NotSent(..) | Event::Arrived(_) | Event::NotArrived(..) => None,
        };
        if !matches!(event, Event::Segment(..)) {
            self.events.push(event);
        }
        answer.map(Input::Command)
    }
}

fn len(effect: &Effect) -> usize {
    match effect {
        Effect::Say(_, _, bytes) | Effect::Open(_, bytes) => bytes.capacity(),
        Effect::Pack(_, payload) | Effect::Seal(_, payload) | Effect::Unpack(_, payload, _) => {
            payload.0.capacity()
        }
        Effect::Event(Event::Segment(_, segment)) => {
            segment.data.0.capacity() + segment.metadata.as_ref().map_or(0, |metadata| metadata.0.capacity())
        }
        Effect::Read(..) | Effect::Event(_) => 0,
    }
}

/// Stands for bzip2: runs of one byte as the byte and a count of four bytes, where that is shorter.
pub(super) fn packed(data: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = data
        .chunk_by(|one, other| one == other)
        .flat_map(|run| [&run[..1], &u32::try_from(run.len()).unwrap().to_be_bytes()].concat())
        .collect();
    (packed.len() < data.len()).then_some(packed)
}

fn unpacked(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    for run in packed.chunks(5) {
        let (byte, len) = (run.first()?, u32::from_be_bytes(run.get(1..)?.try_into().ok()?));
        let len = data.len() + usize::try_from(len).unwrap();
        if len > most {
            return None;
        }
        data.resize(len, *byte);
    }
    Some(data)
}

/// Does not become shorter.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut bytes = alloc::vec![0; len];
    Seed::new([3; 32]).fork("noise").fill(&mut bytes);
    bytes
}

pub(super) fn measures(rtt: Duration, part_len: u32) -> Measures {
    Measures { rtt, mtu: part_len + 36, data_len: (part_len - 32) / 16 * 16 - 1, part_len }
}
