//! What a neighbour that cheats gains, beside the bound: one test for each trick.
//!
//! The cheat holds its own keys, and may say anything. What it gains is what the honest side would have to pay, or lost, beyond what
//! the cheat truly won.

use nexus_crypto::{IdentitySeed, NodeIdentity, NotAVrfKey, Signature, VerifyingKey, VrfPublicKey};
use nexus_economy::Amount;
use nexus_economy::channels::account::{
    Account, Agreed, Answer, Claim, Latest, Letter, Own, Phase, Standing, Ticket, Word,
};
use nexus_economy::channels::figures::paid;
use nexus_economy::channels::keys::{Both, Keyring, Keys, PublicKeys, Side, Signed};
use nexus_economy::channels::letters::{Bringing, Offered, Said, Saying};
use nexus_economy::channels::{Input, ROUND};
use nexus_machine::Duration;
use nexus_wire::nexus::channel::{ChannelBody, ChannelState};
use nexus_wire::nexus::channel_messages::{ChannelSlot, CloseStage, RefuseCode};

use crate::world::{Policy, REWARD, World};

/// The honest node is the first, the lower id; the cheat is the second.
const HONEST: usize = 0;
const CHEAT: usize = 1;

/// What the cheat signs with.
struct CheatsPen(NodeIdentity, VerifyingKey);

impl CheatsPen {
    fn of(world: &World) -> Self {
        let seed = world.nodes[CHEAT].seed;
        let honest = NodeIdentity::from_seed(IdentitySeed::from_bytes(world.nodes[HONEST].seed));
        Self(NodeIdentity::from_seed(IdentitySeed::from_bytes(seed)), honest.public().verifying())
    }

    fn sign(&self, what: &Signed) -> Signature {
        let public = PublicKeys(Both { a: self.1, b: self.0.public().verifying() });
        Keyring { own: &self.0, public }.sign(what)
    }
}

fn account(world: &World) -> &Account<Signature> {
    world.nodes[HONEST].account()
}

fn say(world: &mut World, said: Said) {
    let slot = account(world).terms.slot;
    let peer = world.nodes[CHEAT].id;
    world.tell(HONEST, Input::Said(peer, Saying { slot, said }));
    while world.sync(HONEST) {}
}

fn claim(base: &ChannelBody, body: ChannelBody, sig: Signature) -> Said {
    let ticket = Ticket { from: 1, w: 1, proof: None };
    Said::Letter(Letter::Claim(Claim { ticket, base_sequence: base.sequence, sequence: body.sequence, sig }))
}

/// What the cheat has beyond what it had, in the honest side's eyes.
#[track_caller]
fn gains(trick: &str, world: &World, before: &ChannelBody, bound: u64) {
    let now = account(world).agreed.body;
    let gain = now.balance_b.saturating_sub(before.balance_b);
    println!("{trick}: gains {gain} µNXS, bound {bound}");
    assert!(gain <= bound, "{trick} gains {gain}");
    assert_eq!(now.balance_a + now.balance_b, before.balance_a + before.balance_b);
}

fn refused(world: &mut World) -> Option<RefuseCode> {
    let mut code = None;
    for bytes in world.link[CHEAT].drain(..) {
        for message in nexus_wire::nexus::message::Messages::new(&bytes).flatten() {
            if let Ok(Some(Saying { said: Said::Letter(Letter::Refuse { code: said, .. }), .. })) =
                Saying::parse(&message)
            {
                code = Some(said);
            }
        }
    }
    code
}

fn won_some() -> World {
    let mut world = World::opened();
    world.win([5, 3]);
    world.run();
    world
}

#[test]
fn a_forged_signature_pays_nothing() {
    let mut world = won_some();
    let base = account(&world).agreed.body;
    let body = paid(&base, Side::B, Amount::from_micros(REWARD), base.sequence + 9 - base.sequence % 2)
        .expect("funds");
    say(&mut world, claim(&base, body, Signature([7; 64])));
    assert_eq!(refused(&mut world), Some(RefuseCode::SIGNATURE));
    gains("forged signature", &world, &base, 0);
}

#[test]
fn a_signature_of_another_kind_pays_nothing() {
    let mut world = won_some();
    let pen = CheatsPen::of(&world);
    let base = account(&world).agreed.body;
    let sequence = Side::B.next_above(base.sequence).expect("room");
    let body = paid(&base, Side::B, Amount::from_micros(REWARD), sequence).expect("funds");
    let bytes: [u64; 3] = [body.balance_a, body.balance_b, body.sequence];
    let as_settlement = nexus_wire::nexus::channel::SettlementBody {
        channel: body.channel,
        party_a: body.party_a,
        party_b: body.party_b,
        paid_a: bytes[0],
        paid_b: bytes[1],
        final_sequence: bytes[2],
    };
    say(&mut world, claim(&base, body, pen.sign(&Signed::Close(as_settlement))));
    assert_eq!(refused(&mut world), Some(RefuseCode::SIGNATURE), "the same 72 bytes, under another tag");
    gains("wrong tag", &world, &base, 0);
}

#[test]
fn more_than_the_lottery_says_is_not_signed() {
    let mut world = won_some();
    let pen = CheatsPen::of(&world);
    let base = account(&world).agreed.body;
    let sequence = Side::B.next_above(base.sequence).expect("room");
    let body = paid(&base, Side::B, Amount::from_micros(REWARD * 1_000), sequence).expect("funds");
    say(&mut world, claim(&base, body, pen.sign(&Signed::State(body))));
    assert_eq!(refused(&mut world), Some(RefuseCode::SIGNATURE));
    gains("overstated reward", &world, &base, 0);
}

#[test]
fn a_sequence_at_the_end_of_numbers_or_in_the_wrong_lane_is_refused() {
    let mut world = won_some();
    let pen = CheatsPen::of(&world);
    let base = account(&world).agreed.body;
    let even = Side::A.next_above(base.sequence).expect("room");
    for sequence in [u64::MAX, u64::MAX - 2, (1 << 63) + 1, even] {
        let body = paid(&base, Side::B, Amount::from_micros(REWARD), sequence).expect("funds");
        say(&mut world, claim(&base, body, pen.sign(&Signed::State(body))));
        assert_eq!(refused(&mut world), Some(RefuseCode::SEQUENCE), "{sequence}");
    }
    gains("sequence u64::MAX", &world, &base, 0);
    world.win([1, 1]);
    world.run();
    assert_eq!((world.nodes[0].accepted, world.nodes[1].accepted), (6, 4), "the channel goes on");
}

/// Two bodies at one number of the cheat's lane: one is signed, and the other convicts the cheat alone.
#[test]
fn two_bodies_at_one_number_pay_once() {
    let mut world = won_some();
    let pen = CheatsPen::of(&world);
    let base = account(&world).agreed.body;
    let sequence = Side::B.next_above(base.sequence).expect("room");
    let paid_once = paid(&base, Side::B, Amount::from_micros(REWARD), sequence).expect("funds");
    let paid_more = paid(&base, Side::B, Amount::from_micros(REWARD * 7), sequence).expect("funds");
    let mut signed = Vec::new();
    for body in [paid_once, paid_more, paid_once, paid_more] {
        say(&mut world, claim(&base, body, pen.sign(&Signed::State(body))));
        let agreed = account(&world).agreed.clone();
        signed.extend((agreed.body.sequence == sequence).then_some(agreed.body));
    }
    assert_eq!(signed, [paid_once; 4], "whichever comes first, and nothing else at that number");
    gains("two bodies at one number", &world, &base, REWARD);
}

#[test]
fn amounts_that_overflow_open_no_channel() {
    let mut world = World::new();
    world.link_up();
    let peer = world.nodes[CHEAT].id;
    for (line, deposit) in [(0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX)] {
        let bringing = Bringing {
            nonce: nexus_wire::nexus::channel::ChannelNonce([9; 16]),
            line: Amount::from_micros(line),
            deposit: Amount::from_micros(deposit),
            vrf_key: CheatsPen::of(&world).0.vrf_public(),
        };
        world.tell(HONEST, Input::Said(peer, Saying { slot: ChannelSlot(1), said: Said::Open(bringing) }));
        assert_eq!(refused(&mut world), Some(RefuseCode::TERMS));
    }
    assert_eq!(world.nodes[HONEST].organ.channels().count(), 0);
}

/// Keys with which no draw could be checked: a channel of one would stand, and never pay.
fn no_keys() -> [VrfPublicKey; 4] {
    let (mut neutral, mut above_the_field) = ([0; 32], [0xff; 32]);
    (neutral[0], above_the_field[31]) = (1, 0x7f);
    let keys = [neutral, [0; 32], above_the_field, [2; 32]].map(VrfPublicKey);
    let [small, none] = [NotAVrfKey::SmallOrder, NotAVrfKey::NotCanonical].map(Err);
    assert_eq!(keys.map(|key| key.check()), [small, small, none, none]);
    keys
}

#[test]
fn a_key_that_proves_nothing_opens_no_channel_from_either_side() {
    for key in no_keys() {
        let mut world = World::new();
        world.link_up();
        let peer = world.nodes[CHEAT].id;
        let nonce = nexus_wire::nexus::channel::ChannelNonce([9; 16]);
        let line = Amount::from_micros(1_000);
        let bringing = Bringing { nonce, line, deposit: Amount::ZERO, vrf_key: key };
        world.tell(HONEST, Input::Said(peer, Saying { slot: ChannelSlot(1), said: Said::Open(bringing) }));
        while world.sync(HONEST) {}
        assert_eq!(refused(&mut world), Some(RefuseCode::TERMS));
        assert_eq!(world.nodes[HONEST].organ.channels().count(), 0, "{key:?}");

        // What the cheat accepts is signed as it should be, but for the key, which the signature does not cover.
        world.tell(HONEST, Input::Open { peer, line, deposit: Amount::ZERO });
        assert!(world.deliver(CHEAT));
        while world.sync(CHEAT) {}
        let accept = world.link[HONEST].pop_front().expect("it accepts");
        let mut messages = nexus_wire::nexus::message::Messages::new(&accept).flatten();
        let saying = messages.find_map(|message| Saying::parse(&message).ok().flatten());
        let Some(Saying { slot, said: Said::Accept(bringing, sig) }) = saying else { panic!("{saying:?}") };
        let accepted = |vrf_key| Saying { slot, said: Said::Accept(Bringing { vrf_key, ..bringing }, sig) };
        world.tell(HONEST, Input::Said(peer, accepted(key)));
        while world.sync(HONEST) {}
        assert_eq!(refused(&mut world), Some(RefuseCode::TERMS));
        assert_eq!(world.nodes[HONEST].refused_to_open, [RefuseCode::TERMS], "whoever wanted it is told");
        assert_eq!(world.nodes[HONEST].organ.channels().count(), 0, "{key:?}");
        // Said again it is of no channel, also with a key that is one: the offer was taken back, and both can begin again.
        world.tell(HONEST, Input::Said(peer, accepted(bringing.vrf_key)));
        assert!(world.deliver(CHEAT), "it is refused");
        assert_eq!([HONEST, CHEAT].map(|own| world.nodes[own].organ.channels().count()), [0, 0]);
        world.tell(HONEST, Input::Open { peer, line, deposit: Amount::ZERO });
        world.run();
        assert_eq!((world.nodes[HONEST].opened, world.nodes[CHEAT].opened), (1, 1));
    }
    println!("no key: gains 0 µNXS, bound 0");
}

#[test]
fn a_deposit_that_nobody_certified_cannot_be_spent_or_settled() {
    let mut world = World::new();
    world.link_up();
    let peer = world.nodes[HONEST].id;
    let fortune = Amount::from_micros(1_000_000_000_000);
    world.tell(CHEAT, Input::Open { peer, line: Amount::ZERO, deposit: fortune });
    world.run();
    let granted = 1_000_000_000;
    let spendable = world.nodes[HONEST].organ.spendable(world.nodes[CHEAT].id);
    assert_eq!(spendable, Some(Amount::from_micros(granted)), "the line alone");
    world.win([1, 0]);
    world.run();
    world.tell(HONEST, Input::Settle(world.nodes[CHEAT].id));
    world.run();
    assert!(world.nodes[HONEST].words.contains(&Word::NothingToSettle));
    println!("unfunded mint: settles 0 µNXS, bound 0");
}

#[test]
fn an_old_state_changes_nothing_and_is_answered_with_the_higher_one() {
    let mut world = World::opened();
    let old = account(&world).agreed.clone();
    world.win([5, 0]);
    world.run();
    let base = account(&world).agreed.body;
    let latest = Latest {
        state: old.clone(),
        highest: Both::default(),
        standing: Standing::Disputed,
        answer: Answer::Wanted,
    };
    say(&mut world, Said::Letter(Letter::Latest(latest)));
    assert_eq!(account(&world).agreed.body, base);
    let state = ChannelState { body: old.body, sig_a: old.sigs.a, sig_b: old.sigs.b };
    world.tell(HONEST, Input::Seen(Box::new(state)));
    let shown =
        world.nodes[HONEST].words.iter().any(|word| *word == Word::Outdated(account(&world).agreed.clone()));
    assert!(shown, "the ledger gets the higher one");
    world.link[CHEAT].clear();
    world.pass(ROUND.times(2_881));
    let Phase::Closed { body, .. } = account(&world).phase else { panic!("the window is over") };
    assert_eq!(body.final_sequence, base.sequence);
    gains("old state", &world, &base, 0);
}

#[test]
fn a_higher_state_from_a_third_node_takes_the_place_of_the_one_closed_upon() {
    let mut world = won_some();
    let before = world.nodes[CHEAT].account().agreed.clone();
    let disk = world.nodes[CHEAT].disk.clone();
    world.win([4, 0]);
    world.run();
    let top = account(&world).agreed.clone();
    // The cheat closes on the state before; whoever has the higher one shows it.
    world.nodes[CHEAT].disk = disk;
    world.nodes[CHEAT].restart();
    world.tell(CHEAT, Input::CloseAlone(world.nodes[HONEST].id));
    world.sync(CHEAT);
    assert_eq!(world.nodes[CHEAT].account().agreed, before);
    let state = ChannelState { body: top.body, sig_a: top.sigs.a, sig_b: top.sigs.b };
    world.tell(CHEAT, Input::Seen(Box::new(state)));
    world.sync(CHEAT);
    assert_eq!(world.nodes[CHEAT].account().agreed, top);
    assert!(matches!(world.nodes[CHEAT].account().phase, Phase::AwaitingWindow { .. }));
}

#[test]
fn a_close_below_what_was_paid_is_not_signed() {
    let mut world = won_some();
    let pen = CheatsPen::of(&world);
    let base = account(&world).agreed.body;
    for (paid_a, paid_b) in [(0, 1), (1_000, 0), (u64::MAX, u64::MAX)] {
        let body = nexus_wire::nexus::channel::SettlementBody {
            channel: base.channel,
            party_a: base.party_a,
            party_b: base.party_b,
            paid_a,
            paid_b,
            final_sequence: base.sequence,
        };
        let offered =
            |sig| Offered { final_sequence: base.sequence, paid: Both { a: paid_a, b: paid_b }, sig };
        say(&mut world, Said::Close(offered(pen.sign(&Signed::Close(body))), CloseStage::Proposed));
        say(&mut world, Said::Settle(offered(pen.sign(&Signed::Settlement(body)))));
    }
    assert_eq!(account(&world).phase, Phase::Open);
    assert_eq!(account(&world).settled, None);
    gains("close below paid", &world, &base, 0);
}

#[test]
fn a_neighbour_that_refuses_for_ever_pays_nothing_and_takes_nothing() {
    let mut world = won_some();
    let base = account(&world).agreed.body;
    world.nodes[CHEAT].policy = Policy::RefusesAll;
    world.win([50, 0]);
    world.run();
    assert_eq!(world.nodes[HONEST].refused, 50, "each is told to the lottery, which stops relaying");
    gains("refusal", &world, &base, 0);
    world.tell(HONEST, Input::CloseAlone(world.nodes[CHEAT].id));
    world.run();
    world.pass(ROUND.times(2_881));
    assert!(matches!(account(&world).phase, Phase::Closed { .. }));
}

#[test]
fn a_neighbour_that_vanishes_leaves_one_win_open_and_the_channel_ends_without_it() {
    let mut world = won_some();
    let base = account(&world).agreed.body;
    world.nodes[CHEAT].policy = Policy::SaysNothing;
    world.win([50, 0]);
    world.run();
    let outstanding = match &account(&world).own {
        Own::AwaitingCosign { win, .. } => win.reward.micros(),
        Own::AwaitingWin | Own::AwaitingTurn(_) => panic!("a claim is outstanding"),
    };
    println!("vanishing: {outstanding} µNXS claimed and unpaid, bound {REWARD}");
    assert!(outstanding <= REWARD, "one win at a time");
    assert_eq!(world.nodes[HONEST].wins, 49, "the lottery keeps the others");
    let bytes = world.sent_bytes;
    world.pass(Duration::from_secs(24 * 3_600));
    assert!(world.sent_bytes - bytes < 100_000, "repetition slows down: {}", world.sent_bytes - bytes);
    world.pass(ROUND.times(40_320 + 2_881));
    assert!(matches!(account(&world).phase, Phase::Closed { .. }), "abandoned, then closed");
    gains("vanishing", &world, &base, 0);
}

#[test]
fn a_neighbour_that_lies_about_the_highest_sequence_costs_numbers_and_no_money() {
    let mut world = won_some();
    let base = account(&world).agreed.body;
    let state = account(&world).agreed.clone();
    let lies = [u64::MAX, 1 << 62, 1 << 40, 12_345, 0];
    for lie in lies {
        for standing in [Standing::Sound, Standing::Resumed] {
            let highest = Both { a: lie, b: lie };
            let latest = Latest { state: state.clone(), highest, standing, answer: Answer::Wanted };
            say(&mut world, Said::Letter(Letter::Latest(latest)));
            world.run();
        }
    }
    world.link_up();
    world.run();
    world.win([2, 2]);
    world.run();
    world.pass(Duration::from_secs(600));
    assert_eq!((world.nodes[0].accepted, world.nodes[1].accepted), (7, 5), "the channel goes on");
    gains("lying about numbers", &world, &base, 2 * REWARD);
}

#[test]
fn a_neighbour_with_a_stale_disk_is_shown_the_latest_and_never_signs_twice() {
    let mut world = won_some();
    let disk = world.nodes[CHEAT].disk.clone();
    world.win([4, 4]);
    world.run();
    let top: Agreed<ChannelBody, Signature> = account(&world).agreed.clone();
    world.nodes[CHEAT].disk = disk;
    world.nodes[CHEAT].restart();
    // Its lottery fell back too; what it would claim again, the honest one's would refuse as claimed.
    world.nodes[CHEAT].wins = 0;
    world.link_up();
    world.run();
    assert_eq!(world.nodes[CHEAT].account().agreed, top);
    assert!(world.nodes[CHEAT].words.contains(&Word::Forgot));
    assert!(world.nodes[CHEAT].account().used > top.body.sequence + (1 << 32));
    world.win([1, 1]);
    world.run();
    world.pass(Duration::from_secs(600));
    assert_eq!((world.nodes[0].accepted, world.nodes[1].accepted), (10, 8));
    gains("stale disk", &world, &top.body, REWARD);
}

#[test]
fn a_restored_backup_never_brings_an_old_state_back() {
    let mut world = won_some();
    let backup = world.nodes[HONEST].disk.clone();
    world.win([6, 0]);
    world.run();
    let top = account(&world).agreed.clone();
    let peer = world.nodes[CHEAT].id;
    world.nodes[HONEST].disk = backup;
    let mark = nexus_machine::Write::set(nexus_economy::channels::RESTORED, &peer.0, Vec::new());
    world.nodes[HONEST].disk.apply(mark);
    world.nodes[HONEST].restart();
    world.tell(HONEST, Input::CloseAlone(peer));
    assert!(world.nodes[HONEST].waiting.is_empty(), "nothing is done on a state that may be old");
    world.link_up();
    world.run();
    assert_eq!(account(&world).agreed, top);
    assert!(world.nodes[HONEST].disk.get(nexus_economy::channels::RESTORED, &peer.0).is_none());
}
