//! What the store keeps, refuses and lets go.

use alloc::collections::VecDeque;
use alloc::vec;

use nexus_crypto::{IdentitySeed, NodeIdentity};
use nexus_machine::{Key, Seed};
use nexus_testkit::format::hex;
use nexus_testkit::laws;

use super::*;

const LIMITS: Limits = Limits { keys: 6, links: 3 };

#[test]
fn the_name_of_a_key_is_that_of_the_specification() {
    // The public key of RFC 8032's first test; computed by Python's `blake3` package over "nexus/key/v1" padded to 16, and the key.
    let key = VerifyingKey([
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ]);
    assert_eq!(hex(&id_of(&key).0), "ca69293ac451e31430c1876bf8618b7c0a040a7e236a48bd6d703128d4120d0c");
}

#[test]
fn with_the_first_link_this_nodes_own_key_and_its_peers_are_published() {
    let mut keys = store();
    assert_eq!(link_up(&mut keys, 1, 10), [Effect::Published(id(0)), Effect::Published(id(10))]);
    assert_eq!(link_up(&mut keys, 2, 11), [Effect::Published(id(11))]);
    assert_eq!(link_up(&mut keys, 3, 10), [], "what is held is not published again");
    assert_eq!(keys.get(&public(10).node_id()), Some(&public(10)));
    assert_eq!(store().get(&public(0).node_id()), Some(&public(0)), "its own is known without a link");
}

#[test]
fn a_good_key_is_held_and_handed_out_and_everything_else_is_bad() {
    let mut keys = store();
    link_up(&mut keys, 1, 10);
    let mut alias = item(20);
    alias[31] ^= 0x80;
    alias[0] ^= 1;
    let judged = apply(&mut keys, 1, &[item(20), item(20), vec![0; 32], vec![1; 31], alias, item(10)]);
    let held = vec![id(20), id(20), id(10)];
    assert_eq!(judged, [Effect::Published(id(20)), Effect::Judged { from: link(1), held, bad: 3 }]);
    let fetched = tell(&mut keys, Input::Fetch { to: link(1), ids: vec![id(20), id(77), id(10)] });
    assert_eq!(fetched, [Effect::Bodies { to: link(1), bodies: vec![item(20), item(10)] }]);
    let Counts { learnt, known, bad, crowded, evicted } = *keys.counts();
    assert_eq!((learnt, known, bad, crowded, evicted), (1, 2, 3, 0, 0));
}

#[test]
fn at_the_bound_whoever_brought_most_gives_way_and_of_its_keys_the_longest_unnamed() {
    let mut keys = store();
    link_up(&mut keys, 1, 10);
    link_up(&mut keys, 2, 11);
    apply(&mut keys, 1, &[item(20)]);
    apply(&mut keys, 2, &[item(30), item(31)]);
    assert_eq!(keys.len(), 6);
    tell(&mut keys, Input::Named(public(30).node_id()));
    let judged = apply(&mut keys, 2, &[item(32)]);
    assert!(judged.contains(&Effect::Retired(id(31))), "{judged:?}");
    assert!((33..60).all(|n| !apply(&mut keys, 2, &[item(n)]).contains(&Effect::Retired(id(20)))));
    for n in [0, 10, 11, 20, 59] {
        assert!(keys.get(&public(n).node_id()).is_some(), "{n}");
    }
    assert_eq!(keys.len(), 6);
}

#[test]
fn neighbours_keys_are_kept_as_long_as_they_are_linked() {
    let mut keys = store();
    link_up(&mut keys, 1, 10);
    link_up(&mut keys, 2, 11);
    link_up(&mut keys, 3, 12);
    for n in 20..22 {
        apply(&mut keys, 1, &[item(n)]);
    }
    for n in 30..50 {
        apply(&mut keys, 1, &[item(n)]);
    }
    assert!([0, 10, 11, 12].iter().all(|n| keys.get(&public(*n).node_id()).is_some()));
    tell(&mut keys, Input::Unlinked(link(2)));
    for n in 50..60 {
        apply(&mut keys, 1, &[item(n)]);
    }
    assert!(
        keys.get(&public(11).node_id()).is_some(),
        "one that brought one does not give way to whoever brings many"
    );
}

#[test]
fn a_full_store_says_that_it_is_part_of_what_there_is() {
    let mut keys = store();
    link_up(&mut keys, 1, 10);
    let effects = apply(&mut keys, 1, &[item(20), item(21), item(22), item(23)]);
    assert!(effects.contains(&Effect::Holds(Extent::Part)), "{effects:?}");
}

#[test]
fn who_asks_for_a_nodes_key_is_told_its_name() {
    let mut keys = store();
    link_up(&mut keys, 1, 10);
    apply(&mut keys, 1, &[item(20)]);
    let ask = |keys: &mut Keys, ids: Vec<ItemId>| tell(keys, Input::Asked { by: link(1), ids });
    let questions = vec![question(&public(20).node_id()), question(&public(30).node_id()), ItemId([7; 32])];
    assert_eq!(ask(&mut keys, questions), [Effect::Answered { to: link(1), ids: vec![id(20)] }]);
    assert_eq!(ask(&mut keys, vec![question(&public(30).node_id())]), []);
}

#[test]
fn nothing_is_taken_from_whom_there_is_no_link() {
    let mut keys = store();
    assert_eq!(apply(&mut keys, 1, &[item(20)]), []);
    assert_eq!(keys.len(), 0);
}

#[test]
fn the_keys_obey_the_laws() {
    laws::obeyed_by(
        "keys",
        |_: &Seed| laws::Organ::new(store()),
        |random, _| {
            let n = u8::try_from(random.below(40)).unwrap();
            let link = link(u16::try_from(random.below(4)).unwrap());
            match random.below(8) {
                0 => Input::Linked { link, peer: public(n) },
                1 => Input::Unlinked(link),
                2 => Input::Named(public(n).node_id()),
                3 => Input::Fetch { to: link, ids: vec![id(n), id(n + 1)] },
                4 => Input::Apply { from: link, items: vec![random.bytes::<32>().to_vec(), vec![]] },
                _ => Input::Apply { from: link, items: vec![item(n)] },
            }
        },
    );
}

fn store() -> Keys {
    Keys::new(public(0), LIMITS)
}

fn public(n: u8) -> NodePublic {
    *NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32])).public()
}

fn item(n: u8) -> Vec<u8> {
    public(n).verifying().0.to_vec()
}

fn id(n: u8) -> ItemId {
    id_of(&public(n).verifying())
}

fn link(slot: u16) -> LinkId {
    LinkId(Key { slot, generation: 1 })
}

fn tell(keys: &mut Keys, input: Input) -> Vec<Effect> {
    let mut out: VecDeque<Effect> = VecDeque::new();
    keys.handle(Cx::at(Instant::BOOT), input, &mut out);
    // Whose a published key is stands beside it.
    let learnt = out.iter().filter(|effect| matches!(effect, Effect::Learnt(_))).count();
    let published = out.iter().filter(|effect| matches!(effect, Effect::Published(_))).count();
    assert_eq!(learnt, published);
    out.into_iter().filter(|effect| !matches!(effect, Effect::Learnt(_))).collect()
}

fn link_up(keys: &mut Keys, n: u16, peer: u8) -> Vec<Effect> {
    tell(keys, Input::Linked { link: link(n), peer: public(peer) })
}

fn apply(keys: &mut Keys, from: u16, items: &[Vec<u8>]) -> Vec<Effect> {
    tell(keys, Input::Apply { from: link(from), items: items.to_vec() })
}
