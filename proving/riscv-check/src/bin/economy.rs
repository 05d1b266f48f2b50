//! What payment costs a microcontroller's processor, in instructions: counting a packet, the primitives, and both sides of the lottery per window.
//!
//! Runs as `main.rs` does, but QEMU has to count instructions (`-icount shift=0`): `README.md` beside it has the command. Lines are
//! `name instructions`.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../heap.rs"]
mod heap;
#[path = "../machine.rs"]
mod machine;

use alloc::collections::VecDeque;
use core::arch::asm;
use core::fmt::{self, Write as _};
use core::hint::black_box;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, VrfSecret};
use nexus_economy::lottery::{
    Chain, Channel, Effect, Input, Lottery, Odds, PathView, Policy, Terms, WindowKind,
};
use nexus_economy::money::{Amount, Grains};
use nexus_machine::{Cx, Duration, Instant, Key, Machine as _, Seed, Snapshot};
use nexus_network::announces::Fare;
use nexus_network::tally::{Passage, Reckoning};
use nexus_network::{LinkId, Tally};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::lottery::Offer;
use nexus_wire::nexus::path_cost::CostCode;

use crate::heap::Heap;
use crate::machine::{FAIL, PASS, Uart, end};

#[global_allocator]
static HEAP: Heap<{ 320 * 1024 }> = Heap::new();

/// A chain of tokens, as hosts have it.
const CHAIN: u16 = 1_024;
/// How many windows both sides are watched for.
const WINDOWS: u64 = 24;
const WINDOW: u64 = 64 * 4_000;
const ALPHA: [u8; 66] = [0x5a; 66];

/// Instructions retired since the processor started.
fn retired() -> u64 {
    loop {
        let (high, low, again): (u32, u32, u32);
        // SAFETY: in machine mode the counter may be read; nothing is changed.
        unsafe { asm!("csrr {0}, minstreth", "csrr {1}, minstret", "csrr {2}, minstreth", out(reg) high, out(reg) low, out(reg) again) };
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

fn cost<T>(what: impl FnOnce() -> T) -> (u64, T) {
    let before = retired();
    let result = black_box(what());
    (retired() - before, result)
}

/// Whether QEMU counts instructions: else the counter is a clock.
fn counts() -> bool {
    let [first, second] = [(), ()].map(|()| cost(|| (0..1_000_u32).map(black_box).sum::<u32>()).0);
    first.abs_diff(second) < 20 && first < 20_000
}

/// Neighbours between whom packets are counted.
const NEIGHBOURS: u16 = 16;
const PACKETS: u64 = 1_600;

/// What counting adds to a packet: where it comes, and where it leaves.
fn counting() -> fmt::Result {
    let mut tally = Tally::new(NEIGHBOURS);
    let link = |slot: u16| LinkId(Key { slot, generation: 0 });
    for slot in 0..NEIGHBOURS {
        let node = NodeId([slot.to_le_bytes()[0]; 16]);
        tally.link_up(link(slot), node);
        tally.reckon(node, Reckoning::Counted { limit: u64::MAX, mark: u64::MAX });
    }
    let code = PriceCode::nearest(20);
    let fare = Fare { quoted: CostCode::FREE, asked: CostCode::Known(code) };
    let links = || (0..NEIGHBOURS).cycle().map(link).zip(0..PACKETS);
    let (took, passed) = cost(|| {
        let take = |(link, _)| {
            let passage = Passage { link, stated: black_box(code), bytes: 200 };
            tally.take(Instant::BOOT, &passage, fare, || Some(code)).is_ok()
        };
        links().map(take).filter(|passed| *passed).count()
    });
    let (sent, ()) = cost(|| {
        links().for_each(|(link, _)| {
            let stated = tally.price(link, black_box(CostCode::Known(code)));
            tally.sent(link, stated, 200);
        });
    });
    if passed as u64 != PACKETS {
        return Err(fmt::Error);
    }
    writeln!(Uart, "packet-taken {}", took / PACKETS)?;
    writeln!(Uart, "packet-sent {}", sent / PACKETS)
}

fn primitives() -> fmt::Result {
    let secret = VrfSecret::from_seed(&[7; 32]);
    let (output, _) = cost(|| secret.output(black_box(&ALPHA)));
    let (prove, (proof, _)) = cost(|| secret.prove(black_box(&ALPHA)));
    let public = secret.public();
    let (verify, verified) = cost(|| public.verify(black_box(&ALPHA), &proof));
    if verified.is_err() {
        return Err(fmt::Error);
    }
    let (tokens, _) = cost(|| {
        let mut chain = Chain::new([9; 32], CHAIN);
        (0..=CHAIN).fold(0, |sum, number| sum ^ chain.token(number).0[0])
    });
    let offer =
        Offer { channel_id: [1; 16], number: 1, anchor: Chain::new([9; 32], CHAIN).anchor(), window: WINDOW, reward: 1_000, length: CHAIN };
    let terms = Terms::new(offer, public).ok_or(fmt::Error)?;
    let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([3; 32]));
    let (sign, signature) = cost(|| terms.sign(&identity));
    let key = identity.public().verifying();
    let (check, is_signed) = cost(|| terms.is_signed_by(&key, &signature));
    if !is_signed || !matches!(terms.odds(), Odds::Below(_)) {
        return Err(fmt::Error);
    }
    for (name, instructions) in [
        ("vrf-output", output),
        ("vrf-prove", prove),
        ("vrf-verify", verify),
        ("token-of-a-chain-of-1024", tokens / u64::from(CHAIN)),
        ("sign-terms", sign),
        ("check-terms", check),
    ] {
        writeln!(Uart, "{name} {instructions}")?;
    }
    Ok(())
}

/// One side, and what it took so far.
struct Side {
    organ: Lottery<VrfSecret>,
    id: NodeId,
    instructions: u64,
}

impl Side {
    fn new(n: u8) -> Self {
        let policy = Policy {
            neighbours: 4,
            windows: WindowKind::ByValue,
            chain: CHAIN,
            stranger_pool: Grains::new(WINDOW * 1_000),
        };
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]));
        let id = identity.node_id();
        let organ = Lottery::new(identity, VrfSecret::from_seed(&[n; 32]), policy, &Snapshot::empty(), &Seed::new([n; 32]));
        Self { organ, id, instructions: 0 }
    }
}

/// What is on its way, and to whom: 0 pays, 1 relays.
type Queue = VecDeque<(usize, Input)>;

struct Run {
    sides: [Side; 2],
    queue: Queue,
    sent: Grains,
    wins: u64,
    now: Instant,
}

impl Run {
    fn settle(&mut self) {
        while let Some((to, input)) = self.queue.pop_front() {
            let mut out: VecDeque<Effect> = VecDeque::new();
            let (cx, side) = (Cx::at(self.now), &mut self.sides[to]);
            let (instructions, ()) = cost(|| side.organ.handle(cx, input, &mut out));
            side.instructions += instructions;
            out.into_iter().for_each(|effect| self.act(to, effect));
        }
    }

    fn act(&mut self, by: usize, effect: Effect) {
        let (from, other) = (self.sides[by].id, 1 - by);
        let next = match effect {
            Effect::EntropyWanted => (by, Input::Entropy([5; 32])),
            Effect::Write { number, .. } => (by, Input::Durable(number)),
            Effect::Terms { offer, signature, before, .. } => {
                (other, Input::Terms { peer: from, offer, signature, before })
            }
            Effect::Due { due, .. } => (other, Input::Due { peer: from, due, sent: self.sent }),
            Effect::Token { token, .. } => (other, Input::Token { peer: from, token }),
            Effect::Propose { claim, .. } => (other, Input::Claim { peer: from, claim }),
            Effect::Countersign { peer, claim, .. } => {
                self.wins += 1;
                self.queue.push_back((by, Input::Countersigned { peer, to: claim.to }));
                (other, Input::Accepted(from))
            }
            Effect::Grant { .. } | Effect::RefuseTerms { .. } | Effect::AnswerAgain { .. } | Effect::RefuseClaim { .. } => return,
        };
        self.queue.push_back(next);
    }

    fn both(&self) -> [u64; 2] {
        [0, 1].map(|n| self.sides[n].instructions)
    }
}

/// Both sides of the lottery, window by window.
fn windows() -> fmt::Result {
    HEAP.restart_peak();
    let mut run = Run { sides: [Side::new(1), Side::new(2)], queue: Queue::new(), sent: Grains::ZERO, wins: 0, now: Instant::BOOT };
    let path = PathView { round_trip: Duration::from_millis(20), bandwidth_bps: 1_000_000 };
    let key = |n: u8| NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32])).public().verifying();
    let [payer, relay] = [0, 1].map(|n| run.sides[n].id);
    let channel = Channel { id: [1; 16], slot: 0, balance: Amount::from_micros(1 << 40) };
    let vrf = VrfSecret::from_seed(&[2; 32]).public();
    run.queue.push_back((0, Input::LinkUp { peer: relay, key: key(2), path }));
    run.queue.push_back((1, Input::LinkUp { peer: payer, key: key(1), path }));
    run.queue.push_back((1, Input::Charge { peer: payer, channel, reference: Grains::new(WINDOW) }));
    run.queue.push_back((0, Input::Pay { peer: relay, channel, vrf, typical: Grains::new(4_000) }));
    run.settle();
    if run.sides[1].organ.relaying_terms(&payer).is_none() {
        return Err(fmt::Error);
    }
    let terms = run.both();
    let (mut lost, mut won, mut losing, mut winning) = ([0; 2], [0; 2], 0, 0);
    for window in 1..=WINDOWS {
        let (before, wins) = (run.both(), run.wins);
        run.sent = Grains::new(window * WINDOW);
        run.queue.push_back((1, Input::Counted { peer: payer, total: run.sent }));
        run.settle();
        let after = run.both();
        let (sums, count) = if run.wins > wins { (&mut won, &mut winning) } else { (&mut lost, &mut losing) };
        *count += 1;
        (0..2).for_each(|n| sums[n] += after[n] - before[n]);
    }
    if losing == 0 || winning == 0 {
        return Err(fmt::Error);
    }
    for (n, who) in ["payer", "relay"].into_iter().enumerate() {
        writeln!(Uart, "{who}-terms {}", terms[n])?;
        writeln!(Uart, "{who}-losing-window {} ({losing} of them)", lost[n] / losing)?;
        writeln!(Uart, "{who}-winning-window {} ({winning} of them)", won[n] / winning)?;
    }
    writeln!(Uart, "heap {} bytes handed out", HEAP.peak())
}

// SAFETY: the only symbol of this name; the entry code jumps to it with a valid stack.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    if !counts() {
        // A UART that cannot print has nobody to tell.
        let _ = writeln!(Uart, "QEMU counts no instructions: run it with -icount shift=0");
        end(FAIL);
    }
    end(if counting().and_then(|()| primitives()).and_then(|()| windows()).is_ok() { PASS } else { FAIL })
}
