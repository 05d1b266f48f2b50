use super::*;
use alloc::vec;
use nexus_crypto::NodeId;
use nexus_crypto::exchange::RecipientPublic;
use nexus_machine::WallClock;
use nexus_wire::nexus::end_to_end::Service;
use nexus_wire::reticulum::Packet;

use crate::envelope::{Letter, seal};
use nexus_testkit::laws;

const UNIX: u64 = 1_700_000_000;

#[test]
fn a_ratchet_is_made_after_entropy_and_told_after_the_disk() {
    let mut node = Bench::resume(&Snapshot::empty());
    assert_eq!(node.tell(Input::Start), [Effect::EntropyWanted]);
    let [Effect::Write { number, writes }] = &node.tell(Input::Entropy([7; 32]))[..] else {
        panic!("one write")
    };
    assert_eq!((writes.len(), node.organ.newest()), (1, None));
    let [Effect::Ready(public)] = node.tell(Input::Durable(*number))[..] else { panic!("ready") };
    assert_eq!(node.organ.newest(), Some(public));
    assert_eq!(node.organ.next_timeout(), Some(Instant::BOOT.after(ROTATION)));
}

#[test]
fn unasked_entropy_makes_no_key_but_changes_the_next() {
    let mut with = Bench::resume(&Snapshot::empty());
    let mut without = Bench::resume(&Snapshot::empty());
    assert_eq!(with.tell(Input::Entropy([1; 32])), []);
    assert_ne!(with.first_ratchet(), without.first_ratchet());
}

#[test]
fn entropy_that_does_not_come_is_asked_for_again() {
    let mut node = Bench::resume(&Snapshot::empty());
    node.tell(Input::Start);
    assert_eq!(node.wait(), [Effect::EntropyWanted]);
    assert_eq!(node.wait(), [Effect::EntropyWanted]);
}

#[test]
fn the_newest_survives_a_restart_and_keeps_its_age() {
    let mut store = Snapshot::empty();
    let mut node = Bench::resume(&store);
    node.tell(Input::Start);
    let [Effect::Write { writes, .. }] = &node.tell(Input::Entropy([7; 32]))[..] else { panic!("one write") };
    apply(&mut store, writes);
    let mut lost = Bench::resume(&Snapshot::empty());
    assert_eq!(lost.tell(Input::Start), [Effect::EntropyWanted], "what was not durable does not exist");
    let mut again = Bench::resume(&store);
    again.unix_s = UNIX + 3_600;
    let [Effect::Ready(public)] = again.tell(Input::Start)[..] else { panic!("ready at once") };
    assert_eq!(Some(public), again.organ.newest());
    assert_eq!(
        again.organ.next_timeout(),
        Some(Instant::BOOT.after(ROTATION.minus(Duration::from_secs(3_600))))
    );
}

#[test]
fn thirty_days_are_kept_and_the_rest_is_deleted_from_the_store() {
    let mut store = Snapshot::empty();
    let mut node = Bench::resume(&store);
    node.tell(Input::Start);
    for day in 0..40_u8 {
        let [Effect::Write { number, writes }] = &node.tell(Input::Entropy([day; 32]))[..] else {
            panic!("a write")
        };
        apply(&mut store, writes);
        assert!(matches!(node.tell(Input::Durable(*number))[..], [Effect::Ready(_), ..]));
        assert_eq!(node.wait(), [Effect::EntropyWanted]);
    }
    assert_eq!(store.scan(RATCHETS).count(), KEPT);
    let kept: Vec<RatchetPublic> = node.organ.secrets().map(RatchetSecret::public).collect();
    let resumed: Vec<RatchetPublic> =
        Ratchets::new(&store, &Seed::new([0; 32])).secrets().map(RatchetSecret::public).collect();
    assert_eq!(kept.len(), KEPT);
    assert_eq!(kept, resumed, "newest first, in memory as from the store");
}

#[test]
fn a_damaged_value_in_the_store_is_passed_over() {
    let mut store = Snapshot::empty();
    store.apply(Write::set(RATCHETS, &[1], vec![0; 40]));
    store.apply(Write::set(RATCHETS, &2_u64.to_be_bytes(), vec![0; 39]));
    store.apply(Write::set(RATCHETS, &3_u64.to_be_bytes(), vec![0; 41]));
    let mut node = Bench::resume(&store);
    assert_eq!(node.tell(Input::Start), [Effect::EntropyWanted]);
}

#[test]
fn ratchets_obey_the_laws() {
    laws::obeyed_by(
        "ratchets",
        |seed| laws::Organ::new(Ratchets::new(&Snapshot::empty(), seed)),
        |random, _| match random.below(6) {
            0 => Input::Start,
            1 => Input::Entropy(random.bytes()),
            2 => Input::Open(sealed_to(&RatchetPublic([9; 32]), random)),
            3 => Input::Retire(RatchetId(random.bytes())),
            _ => Input::Durable(random.below(100)),
        },
    );
}

#[test]
fn what_was_sealed_to_an_older_ratchet_opens_until_searches_are_used_up() {
    let mut store = Snapshot::empty();
    for day in 1..=4_u8 {
        store.apply(Write::set(RATCHETS, &u64::from(day).to_be_bytes(), [&[0; 8][..], &[day; 32]].concat()));
    }
    let mut node = Bench::resume(&store);
    let mut random = Seed::new([3; 32]).fork("sealing");
    let (newest, oldest) = (secret(4).public(), secret(1).public());
    for _ in 0..SEARCH_BURST {
        let opened = node.tell(Input::Open(sealed_to(&oldest, &mut random)));
        assert!(matches!(&opened[..], [Effect::Opened { with, .. }] if *with == oldest.id()));
    }
    let refused = node.tell(Input::Open(sealed_to(&oldest, &mut random)));
    assert!(matches!(refused[..], [Effect::Unopened(_)]));
    assert_eq!(node.organ.unsearched(), 1);
    let opened = node.tell(Input::Open(sealed_to(&newest, &mut random)));
    assert!(matches!(&opened[..], [Effect::Opened { with, .. }] if *with == newest.id()));
}

#[test]
fn a_retired_ratchet_opens_nothing_and_the_newest_is_replaced() {
    let mut node = Bench::resume(&Snapshot::empty());
    let first = node.first_ratchet();
    let effects = node.tell(Input::Retire(first.id()));
    assert!(matches!(&effects[..], [Effect::Write { number: 2, writes }, Effect::EntropyWanted]
        if writes.iter().all(|write| write.value.is_none())));
    let mut random = Seed::new([3; 32]).fork("sealing");
    let opened = node.tell(Input::Open(sealed_to(&first, &mut random)));
    assert!(matches!(opened[..], [Effect::Unopened(_)]), "at once, not only when the disk knows");
    assert_eq!(node.tell(Input::Durable(2)), [Effect::Retired(first.id())]);
    let made = node.tell(Input::Entropy([8; 32]));
    assert!(matches!(made[..], [Effect::Write { number: 3, .. }]));
    assert!(matches!(node.tell(Input::Durable(3))[..], [Effect::Ready(second)] if second != first));
}

fn secret(n: u8) -> RatchetSecret {
    RatchetSecret::from_bytes(&[n; 32])
}

fn sealed_to(ratchet: &RatchetPublic, random: &mut Stream) -> SealedPacket {
    let letter = Letter { service: Service::PING, reply_to: None, request_id: 1, body: &[] };
    let to = NodeId([1; 16]);
    let bytes = seal(&letter, &to, RecipientPublic::Ratchet(ratchet), None, random).unwrap();
    SealedPacket::read(&Packet::decode(&bytes).unwrap(), &to, nexus_network::Class::Standard).unwrap()
}

fn apply(store: &mut Snapshot, writes: &[Write]) {
    for write in writes {
        store.apply(write.clone());
    }
}

struct Bench {
    organ: Ratchets,
    now: Instant,
    unix_s: u64,
}

impl Bench {
    fn resume(snapshot: &Snapshot) -> Self {
        Self { organ: Ratchets::new(snapshot, &Seed::new([5; 32])), now: Instant::BOOT, unix_s: UNIX }
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: self.unix_s, error_s: 0, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.organ.handle(self.cx(), input, &mut out);
        out.into()
    }

    fn wait(&mut self) -> Vec<Effect> {
        self.now = self.organ.next_timeout().expect("something is due");
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.organ.handle_timeout(self.cx(), &mut out);
        out.into()
    }

    fn first_ratchet(&mut self) -> RatchetPublic {
        self.tell(Input::Start);
        self.tell(Input::Entropy([7; 32]));
        self.tell(Input::Durable(1));
        self.organ.newest().expect("made")
    }
}
