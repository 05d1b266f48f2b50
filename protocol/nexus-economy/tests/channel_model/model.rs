//! Two parties, the disk of each, and a network that loses, repeats and reorders: every step is the shipped one.
//!
//! A signature is who signed what, so nobody can forge one. A step is written, then durable, then heard of; a crash comes before or
//! after it is durable. From every state that is reached, a fair schedule is run to its end, and must pay every win.

use std::cell::RefCell;
use std::collections::BTreeMap;

use nexus_crypto::NodeId;
use nexus_economy::Amount;
use nexus_economy::channels::account::{Account, Agreed, Letter, Own, Phase, Step, Terms, Ticket, Win, Word};
use nexus_economy::channels::figures::Brought;
use nexus_economy::channels::keys::{Both, Keys, Side, Signed};
use nexus_economy::channels::resuming::Skip;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, ChannelNonce};
use nexus_wire::nexus::channel_messages::{ChannelSlot, RefuseCode};
use stateright::{Model, Property};

/// Who signed what.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sig(Side, Box<Signed>);

/// One party's keys, and what was signed with them in one step.
struct Pen {
    side: Side,
    signed: RefCell<Vec<Signed>>,
}

impl Pen {
    fn of(side: Side) -> Self {
        Self { side, signed: RefCell::default() }
    }
}

impl Keys for Pen {
    type Sig = Sig;

    fn sign(&self, what: &Signed) -> Sig {
        self.signed.borrow_mut().push(*what);
        Sig(self.side, Box::new(*what))
    }

    fn verify(&self, by: Side, what: &Signed, sig: &Sig) -> bool {
        sig.0 == by && *sig.1 == *what
    }
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Wins of either side.
    pub(crate) wins: Both<u8>,
    /// Letters on their way to either side; a further one pushes the oldest out.
    pub(crate) letters: usize,
    /// Crashes of either side.
    pub(crate) crashes: u8,
    /// Claims that a lottery refuses.
    pub(crate) refusals: u8,
    /// Settlements that are asked for.
    pub(crate) settlements: u8,
    /// Disks that fall back to what they were at first.
    pub(crate) fallen_back: u8,
    /// Whether deposits are certified at first; if not, either side hears in two steps, whenever it does, what is certified of those that pay.
    pub(crate) certified: Certified,
}

/// What is certified of what was declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Certified {
    /// All of it, from the beginning.
    AtFirst,
    /// Nothing at first; then as much as a win of the other's; and then all.
    ByAndBy,
}

/// What a party is paid for a win: its count can be read from any balance.
const REWARDS: Both<u64> = Both { a: 1, b: 1_000 };
const FIRST: u64 = 100_000;

/// One party.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Party {
    account: Account<Sig>,
    /// Written, not yet durable: what follows, whether a win was taken for it, and what was signed.
    written: Option<Written>,
    unclaimed: u8,
    accepted: u8,
    refused: u8,
    /// How many certificates of either deposit it has heard of.
    heard: Both<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Written {
    next: Account<Sig>,
    letters: Vec<Letter<Sig>>,
    words: Vec<Word<Sig>>,
    took_a_win: bool,
    signed: Vec<Signed>,
}

/// Both of them, and what is between.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct World {
    parties: Both<Party>,
    /// By who it goes to.
    letters: Both<Vec<Letter<Sig>>>,
    /// What was signed and may have been heard of, by signer and number.
    signed: BTreeMap<(Side, u64), ChannelBody>,
    signed_twice: bool,
    crashes: u8,
    refusals: u8,
    settlements: u8,
    fallen_back: u8,
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Act {
    /// A party wins.
    Win(Side),
    /// A party's write is durable, and what depends on it is sent.
    Durable(Side),
    /// A party stops before its write is durable.
    CrashBefore(Side),
    /// A party stops between its write and what it would send.
    CrashAfter(Side),
    /// A letter arrives.
    Deliver(Side, usize),
    /// A letter arrives, and will arrive again.
    Repeat(Side, usize),
    /// A claim arrives, and the lottery refuses it.
    Refuse(Side, usize),
    /// A party repeats what is unanswered.
    Again(Side),
    /// A party's link comes up.
    LinkUp(Side),
    /// A party wants a settlement.
    Settle(Side),
    /// A party's disk falls back to the beginning, and it knows.
    FallBack(Side),
    /// A party hears that more of a deposit is certified: whose.
    Certify(Side, Side),
}

const SIDES: [Side; 2] = [Side::A, Side::B];

fn get<T>(both: &mut Both<T>, side: Side) -> &mut T {
    match side {
        Side::A => &mut both.a,
        Side::B => &mut both.b,
    }
}

fn begun(side: Side, certified: Certified) -> Account<Sig> {
    let (a, b) = (NodeId([1; 16]), NodeId([2; 16]));
    let channel = ChannelId::of(a, b, ChannelNonce([3; 16]), ChannelNonce([4; 16]));
    let deposit = Amount::from_micros(FIRST);
    let deposits = Both { a: deposit, b: deposit };
    let brought = Brought { lines: Both::default(), deposits };
    let body =
        ChannelBody { channel, party_a: a, party_b: b, balance_a: FIRST, balance_b: FIRST, sequence: 0 };
    let sig = |side| Sig(side, Box::new(Signed::State(body)));
    let state = Agreed { body, sigs: Both { a: sig(Side::A), b: sig(Side::B) } };
    let terms = Terms { channel, side, slot: ChannelSlot(0), brought };
    let opened = Account::opened(terms, state, 0);
    match certified {
        Certified::AtFirst => Account { certified: deposits, ..opened },
        Certified::ByAndBy => opened,
    }
}

/// What is certified of a party's deposit after so many certificates: a win of the other's, then as much as was declared.
fn deposit(of: Side, certificates: u8) -> Amount {
    Amount::from_micros(match certificates {
        0 => 0,
        1 => *REWARDS.get(of.other()),
        _ => FIRST,
    })
}

impl World {
    fn first(bounds: Bounds) -> Self {
        let party = |side: Side| Party {
            account: begun(side, bounds.certified),
            written: None,
            unclaimed: *bounds.wins.get(side),
            accepted: 0,
            refused: 0,
            heard: Both::default(),
        };
        Self {
            parties: Both { a: party(Side::A), b: party(Side::B) },
            letters: Both::default(),
            signed: BTreeMap::new(),
            signed_twice: false,
            crashes: 0,
            refusals: 0,
            settlements: 0,
            fallen_back: 0,
        }
    }

    fn won(side: Side) -> Win {
        let reward = Amount::from_micros(*REWARDS.get(side));
        Win { reward, ticket: Ticket { from: 1, w: 1, proof: None } }
    }

    /// Takes what follows: written if the account is another, else done at once.
    fn follow(&mut self, bounds: Bounds, side: Side, step: Step<Sig>, pen: Pen, took_a_win: bool) {
        let signed = pen.signed.into_inner();
        let Step { next, letters, words } = step;
        let next = next.unwrap_or_else(|| self.parties.get(side).account.clone());
        let party = get(&mut self.parties, side);
        let written = Written { next, letters, words, took_a_win, signed };
        if written.next == party.account && !took_a_win {
            self.perform(bounds, side, written, Heard::Yes);
        } else {
            party.written = Some(written);
        }
    }

    fn perform(&mut self, bounds: Bounds, side: Side, written: Written, heard: Heard) {
        let party = get(&mut self.parties, side);
        party.account = written.next;
        party.unclaimed -= u8::from(written.took_a_win);
        for word in &written.words {
            match word {
                Word::Accepted(_) => party.accepted += 1,
                Word::Refused(..) => party.refused += 1,
                Word::Paid(_)
                | Word::Agreed(_)
                | Word::Settled(_)
                | Word::NothingToSettle
                | Word::Certified
                | Word::Disputed(_)
                | Word::Outdated(_)
                | Word::Closed { .. }
                | Word::Forgot
                | Word::OtherForgot => {}
            }
        }
        for signed in &written.signed {
            let Signed::State(body) = signed else { continue };
            if self.signed.insert((side, body.sequence), *body).is_some_and(|before| before != *body) {
                self.signed_twice = true;
            }
        }
        if heard == Heard::Yes {
            for letter in written.letters {
                self.send(bounds, side.other(), letter);
            }
        }
    }

    fn send(&mut self, bounds: Bounds, to: Side, letter: Letter<Sig>) {
        let letters = get(&mut self.letters, to);
        if letters.contains(&letter) {
            return;
        }
        letters.push(letter);
        if letters.len() > bounds.letters {
            letters.remove(0);
        }
    }

    fn receive(&mut self, bounds: Bounds, side: Side, letter: Letter<Sig>, verdict: Verdict) {
        let pen = Pen::of(side);
        let account = &self.parties.get(side).account;
        let step = match letter {
            Letter::Claim(claim) => judge(account, &pen, &claim, verdict),
            Letter::Cosign { sequence, sig, carried } => {
                let step = account.cosigned(&pen, sequence, &sig, carried.as_ref(), 0);
                if let Some(claim) = carried {
                    // It is handled when what the signature makes is durable: like a letter that came right after it.
                    self.send(bounds, side, Letter::Claim(claim));
                }
                step
            }
            Letter::Refuse { sequence, code } => account.refused(&pen, sequence, code),
            Letter::Settle { body, sig } => account.asked_to_settle(&pen, &body, &sig),
            Letter::Settled(record) => account.shown_settled(&pen, record),
            Letter::Latest(latest) => account.shown(&pen, &latest, SKIP, 0),
            Letter::Close { body, sig, stage } => account.asked_to_close(&pen, &body, &sig, stage),
        };
        self.follow(bounds, side, step, pen, false);
    }

    fn act(&mut self, bounds: Bounds, act: Act) {
        match act {
            Act::Win(side) => {
                let pen = Pen::of(side);
                let Some(step) = self.parties.get(side).account.win(&pen, Self::won(side)) else { return };
                self.follow(bounds, side, step, pen, true);
            }
            Act::Durable(side) => {
                let written =
                    get(&mut self.parties, side).written.take().expect("offered only if there is one");
                self.perform(bounds, side, written, Heard::Yes);
            }
            Act::CrashBefore(side) => {
                get(&mut self.parties, side).written = None;
                self.crashes += 1;
            }
            Act::CrashAfter(side) => {
                let written =
                    get(&mut self.parties, side).written.take().expect("offered only if there is one");
                self.perform(bounds, side, written, Heard::No);
                self.crashes += 1;
            }
            Act::Deliver(side, place) => {
                let letter = get(&mut self.letters, side).remove(place);
                self.receive(bounds, side, letter, Verdict::Paid);
            }
            Act::Repeat(side, place) => {
                let letter = self.letters.get(side)[place].clone();
                self.receive(bounds, side, letter, Verdict::Paid);
            }
            Act::Refuse(side, place) => {
                let letter = get(&mut self.letters, side).remove(place);
                self.refusals += 1;
                self.receive(bounds, side, letter, Verdict::Refused);
            }
            Act::Again(side) => {
                let pen = Pen::of(side);
                let step = self.parties.get(side).account.again(&pen);
                self.follow(bounds, side, step, pen, false);
            }
            Act::LinkUp(side) => {
                let step = self.parties.get(side).account.link_up();
                self.follow(bounds, side, step, Pen::of(side), false);
            }
            Act::Settle(side) => {
                self.settlements += 1;
                let pen = Pen::of(side);
                let step = self.parties.get(side).account.settle(&pen);
                self.follow(bounds, side, step, pen, false);
            }
            Act::Certify(side, of) => {
                let party = get(&mut self.parties, side);
                let certificates = party.heard.get(of) + 1;
                party.heard = Both::of(of, certificates, *party.heard.get(of.other()));
                let deposits = Both::of(of, deposit(of, certificates), Amount::ZERO);
                let pen = Pen::of(side);
                let step = party.account.certify(&pen, &deposits);
                self.follow(bounds, side, step, pen, false);
            }
            Act::FallBack(side) => {
                self.fallen_back += 1;
                let pen = Pen::of(side);
                let party = get(&mut self.parties, side);
                party.account = begun(side, bounds.certified);
                party.heard = Both::default();
                party.written = None;
                let step = party.account.forgot(SKIP);
                self.follow(bounds, side, step, pen, false);
            }
        }
    }

    /// The higher of the two agreed states.
    fn top(&self) -> &ChannelBody {
        let [a, b] = [&self.parties.a, &self.parties.b].map(|party| &party.account.agreed.body);
        if a.sequence >= b.sequence { a } else { b }
    }

    /// How often `side` was paid in `body`.
    fn payments(body: &ChannelBody, side: Side) -> i64 {
        let to_a = body.balance_a.cast_signed() - FIRST.cast_signed();
        // to_a = wins of a − 1,000 × wins of b, and neither is above a hundred.
        let of_b = (500 - to_a).div_euclid(1_000);
        match side {
            Side::A => to_a + 1_000 * of_b,
            Side::B => of_b,
        }
    }

    /// Runs a fair schedule to its end: nothing is lost any more, and nobody stops.
    fn healed(&self, bounds: Bounds) -> Self {
        let mut world = self.clone();
        let bounds = Bounds { letters: 100, ..bounds };
        for round in 0..60 {
            for side in SIDES {
                if world.parties.get(side).written.is_some() {
                    world.act(bounds, Act::Durable(side));
                }
                if world.parties.get(side).unclaimed > 0 && round > 2 {
                    world.act(bounds, Act::Win(side));
                } else {
                    world.act(bounds, Act::Again(side));
                }
                if world.parties.get(side).written.is_some() {
                    world.act(bounds, Act::Durable(side));
                }
                while !world.letters.get(side).is_empty() {
                    world.act(bounds, Act::Deliver(side, 0));
                    if world.parties.get(side).written.is_some() {
                        world.act(bounds, Act::Durable(side));
                    }
                }
            }
            if world.is_at_rest() {
                break;
            }
        }
        world
    }

    fn is_at_rest(&self) -> bool {
        SIDES.iter().all(|side| {
            let party = self.parties.get(*side);
            party.unclaimed == 0
                && party.account.own == Own::AwaitingWin
                && party.account.phase == Phase::Open
                && self.letters.get(*side).is_empty()
        })
    }
}

/// A party that forgot skips this many numbers: more than there are wins.
const SKIP: Skip = Skip(50);
/// Up to this number states are explored where proposals may be refused without end: four proposals of either side.
const PROPOSED: u64 = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    No,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Paid,
    Refused,
}

fn judge(
    account: &Account<Sig>,
    pen: &Pen,
    claim: &nexus_economy::channels::account::Claim<Sig>,
    verdict: Verdict,
) -> Step<Sig> {
    match account.look(claim) {
        Some(step) => step,
        None => match verdict {
            Verdict::Paid => account.countersign(pen, claim, World::won(pen.side.other()), 0),
            Verdict::Refused => account.refuse(claim, RefuseCode::WINDOW),
        },
    }
}

/// What is explored.
#[derive(Clone, Debug)]
pub(crate) struct Channel(pub(crate) Bounds);

impl Model for Channel {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        vec![World::first(self.0)]
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        let bounds = self.0;
        for side in SIDES {
            let party = world.parties.get(side);
            if party.written.is_some() {
                acts.push(Act::Durable(side));
                if world.crashes < bounds.crashes {
                    acts.extend([Act::CrashBefore(side), Act::CrashAfter(side)]);
                }
                continue;
            }
            if party.unclaimed > 0 {
                acts.push(Act::Win(side));
            }
            acts.extend([Act::Again(side), Act::LinkUp(side)]);
            for (place, letter) in world.letters.get(side).iter().enumerate() {
                acts.extend([Act::Deliver(side, place), Act::Repeat(side, place)]);
                if world.refusals < bounds.refusals && matches!(letter, Letter::Claim(_)) {
                    acts.push(Act::Refuse(side, place));
                }
            }
            if world.settlements < bounds.settlements {
                acts.push(Act::Settle(side));
            }
            if world.fallen_back < bounds.fallen_back {
                acts.push(Act::FallBack(side));
            }
            if bounds.certified == Certified::ByAndBy {
                // Of deposits out of which something will be paid.
                let pays = |of: &Side| *bounds.wins.get(of.other()) > 0;
                let more = |of: &Side| pays(of) && *party.heard.get(*of) < 2;
                acts.extend(SIDES.into_iter().filter(more).map(|of| Act::Certify(side, of)));
            }
        }
    }

    fn next_state(&self, world: &World, act: Act) -> Option<World> {
        let mut next = world.clone();
        next.act(self.0, act);
        (next != *world).then_some(next)
    }

    /// Whoever has no money refuses each proposal anew, and a refusal that is lost has the next number proposed: that goes on for ever.
    fn within_boundary(&self, world: &World) -> bool {
        let tried = |side: &Side| world.parties.get(*side).account.used;
        self.0.certified == Certified::AtFirst || SIDES.iter().all(|side| tried(side) <= PROPOSED)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nobody signs two bodies at one sequence", |_, world: &World| {
                !world.signed_twice
            }),
            Property::always("value is conserved", |_, world: &World| {
                SIDES.iter().all(|side| {
                    let body = &world.parties.get(*side).account.agreed.body;
                    body.balance_a + body.balance_b == 2 * FIRST
                })
            }),
            Property::always("nobody pays what was not certified to both", |_, world: &World| {
                let body = world.top();
                SIDES.iter().all(|side| {
                    let known = SIDES.map(|by| *world.parties.get(by).account.certified.get(*side));
                    let least = FIRST - known[0].min(known[1]).micros();
                    world.fallen_back > 0
                        || *Both { a: body.balance_a, b: body.balance_b }.get(*side) >= least
                })
            }),
            Property::always("no acknowledged win is lost", |_, world: &World| {
                world.fallen_back > 0
                    || SIDES.iter().all(|side| {
                        World::payments(world.top(), *side) >= i64::from(world.parties.get(*side).accepted)
                    })
            }),
            Property::always("whoever lost nothing believes so", |_, world: &World| {
                world.fallen_back > 0
                    || SIDES
                        .iter()
                        .all(|side| world.parties.get(*side).account.phase != Phase::AwaitingResume)
            }),
            Property::always("all wins can still be paid", |model: &Self, world: &World| {
                let end = world.healed(model.0);
                end.is_at_rest()
                    && !end.signed_twice
                    && end.parties.a.account.agreed == end.parties.b.account.agreed
                    && (end.fallen_back > 0
                        || SIDES.iter().all(|side| {
                            let party = end.parties.get(*side);
                            let paid = World::payments(end.top(), *side);
                            paid == i64::from(party.accepted)
                                && party.accepted + party.refused == *model.0.wins.get(*side)
                        }))
            }),
            Property::sometimes("both are paid all", |model: &Self, world: &World| {
                SIDES.iter().all(|side| world.parties.get(*side).accepted == *model.0.wins.get(*side))
            }),
        ]
    }
}
