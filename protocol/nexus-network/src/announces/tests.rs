mod acknowledging;
mod clear;
mod costs;
mod finding;
mod floods;
mod graphs;
mod links;
mod searches;
mod sight;
mod speaking;

use super::*;
use crate::interface::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
use crate::links::Trust;
use crate::media::Frame;
use alloc::collections::BTreeSet;
use alloc::vec;
use nexus_crypto::{IdentityHash, IdentitySeed, NameHash, RatchetPublic};
use nexus_machine::{Relaying, WallClock, Write};
use nexus_testkit::laws;
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::cost::CostRecord;
use nexus_wire::nexus::path_cost::{Hop, LatencyMs};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{Announce, Context, Hops, MTU, Packet, PathRequest, RandomHash};

const UNIX: u64 = 1_700_000_000;

#[test]
fn nothing_is_announced_before_its_emission_time_is_durable() {
    let mut node = Bench::start(&Snapshot::empty());
    let [Effect::Write { number, write }] = &node.tell(Input::Ratchet(ratchet()))[..] else {
        panic!("one write")
    };
    assert_eq!(write.value.as_deref(), Some(&UNIX.to_le_bytes()[..]));
    let number = *number;
    assert_eq!(node.tell(Input::Durable(number - 1)), []);
    let effects = node.tell(Input::Durable(number));
    let sent = announce_sent(&effects[1]);
    assert_eq!(sent.claim_time, UNIX);
    assert_eq!(effects[2], Effect::Announced { emitted_at: UNIX });
}

#[test]
fn what_an_announce_has_no_room_for_is_refused_not_cut() {
    assert!(AppData::new(&[b'x'; 275]).is_ok());
    assert_eq!(AppData::new(&[b'x'; 276]), Err(AppDataTooLong(276)));
    let full = AppData::new(&[b'x'; 275]).unwrap();
    let mut organ = Announces::new(identity(1), full, LIMITS, &Snapshot::empty(), &Seed::new([5; 32]));
    let mut out: VecDeque<Effect> = VecDeque::new();
    for input in [Input::Up(LEFT, profile(Mode::Reticulum)), Input::Ratchet(ratchet()), Input::Durable(1)] {
        organ.handle(Cx::at(Instant::BOOT), input, &mut out);
    }
    assert!(out.iter().any(|effect| matches!(effect, Effect::Send(frame) if frame.bytes.len() == 474)));
}

#[test]
fn without_a_ratchet_or_an_interface_nothing_begins() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    assert_eq!(node.tell(Input::Ratchet(ratchet())), []);
    assert_eq!(node.tell(Input::Up(NEXUS, profile(Mode::Nexus))), [], "links only: nothing is said in clear");
    assert!(matches!(node.tell(Input::Up(LEFT, profile(Mode::Reticulum)))[..], [Effect::Write { .. }]));
    let mut bare = Bench::without_interfaces(&Snapshot::empty());
    assert_eq!(
        bare.tell(Input::Up(LEFT, profile(Mode::Reticulum))),
        [],
        "an announce without ratchet is not made"
    );
}

#[test]
fn emissions_never_repeat_across_a_restart_whatever_the_clock_says() {
    let mut store = Snapshot::empty();
    let mut last = 0;
    for unix_s in [UNIX, UNIX - 5_000, UNIX - 5_000, 0, UNIX + 10, u64::MAX] {
        let mut node = Bench::start(&store);
        node.unix_s = unix_s;
        let effects = node.tell(Input::Ratchet(ratchet()));
        let [Effect::Write { number, write }] = &effects[..] else { panic!("one write, at {unix_s}") };
        store.apply(write.clone());
        let sent = announce_sent(&node.tell(Input::Durable(*number))[1]);
        assert!(sent.claim_time > last, "{} after {last}", sent.claim_time);
        last = sent.claim_time;
    }
    assert!(last < UNIX + 1_000, "a clock at the end of time did not use up the counter");
}

#[test]
fn an_own_later_emission_heard_back_raises_the_counter() {
    let mut node = Bench::start(&Snapshot::empty());
    let later = own_announce(UNIX + 9_000);
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    let [Effect::Recall(_), Effect::Write { number, .. }] = node.hear(&later)[..] else {
        panic!("announces again")
    };
    assert_eq!(
        node.tell(Input::Up(RIGHT, profile(Mode::Reticulum))),
        [],
        "what it sent before is out of date"
    );
    let sent = announce_sent(&node.tell(Input::Durable(number))[1]);
    assert_eq!(sent.claim_time, UNIX + 9_001);
    assert_eq!(node.hear(&own_announce(UNIX + 5)), [], "an older one changes nothing");
    let mut forged = own_announce(UNIX + 99_000);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(node.hear(&forged), []);
    assert_eq!(node.organ.refusals().forged, 1);
}

#[test]
fn an_emission_that_was_surpassed_while_it_waited_for_the_disk_does_not_leave() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Ratchet(ratchet()));
    let heard = node.hear(&own_announce(UNIX + 9_000));
    assert!(matches!(heard[..], [Effect::Recall(_)]), "one emission at a time waits for the disk");
    let [Effect::Write { number, .. }] = node.tell(Input::Durable(1))[..] else {
        panic!("begins a later one")
    };
    let sent = announce_sent(&node.tell(Input::Durable(number))[1]);
    assert_eq!(sent.claim_time, UNIX + 9_001);
}

#[test]
fn a_verified_announce_is_passed_on_once_behind_this_nodes_transport_id() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    let other = announce_of(7, UNIX);
    let heard = node.hear(&other);
    let [Effect::Recall(_), Effect::Reached(Sighting { destination, emitted_at, hops, iface })] = heard[..]
    else {
        panic!("reached")
    };
    assert_eq!((destination, emitted_at, hops, iface), (identity(7).node_id().into(), UNIX, 1, LEFT));
    let sent = frames(node.wait());
    let said: Vec<InterfaceId> = sent.iter().map(|frame| frame.iface).collect();
    assert_eq!(
        said,
        [LEFT, RIGHT, LEFT, RIGHT],
        "where it came from too, and once more as nobody took it up"
    );
    let relayed = Packet::decode(&sent[0].bytes).unwrap();
    assert!(sent.iter().all(|frame| frame.bytes == sent[0].bytes));
    assert_eq!(relayed.flags().byte(), 0x71);
    assert_eq!((relayed.hops.get(), relayed.transport), (1, Some(identity(1).public().hash())));
    assert_eq!(Announce::from_packet(&relayed).unwrap().verify(), Ok(()));
    assert_eq!(node.hear(&other), [], "a second copy is not");
    assert_eq!(node.organ.refusals().stale, 1);
    assert_eq!(frames(node.wait()), []);
}

#[test]
fn on_a_shared_medium_it_is_passed_on_where_it_came_from_too() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Up(LEFT, Profile { reach: Reach::Shared, ..profile(Mode::Reticulum) }));
    node.hear(&announce_of(7, UNIX));
    assert!(!frames(node.wait()).is_empty());
}

#[test]
fn an_older_emission_never_follows_a_newer_one() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    node.hear(&announce_of(7, UNIX));
    node.hear(&announce_of(7, UNIX + 1));
    assert_eq!(node.hear(&announce_of(7, UNIX)), []);
    let sent: Vec<Effect> = frames(node.wait()).into_iter().map(Effect::Send).collect();
    assert_eq!(sent.len(), 4, "the older one that waited was replaced");
    assert!(sent.iter().all(|sent| announce_sent(sent).claim_time == UNIX + 1));
}

#[test]
fn what_does_not_verify_is_counted_and_changes_nothing() {
    let mut node = Bench::start(&Snapshot::empty());
    let genuine = announce_of(7, UNIX);
    // Everything from the destination on is signed, but for the context byte.
    for at in (2..genuine.len()).filter(|at| *at != 18) {
        let mut flipped = genuine.clone();
        flipped[at] ^= 0x10;
        assert_eq!(node.hear(&flipped), [], "byte {at}");
        node.now = node.now.after(Duration::from_secs(1));
    }
    assert_eq!(node.organ.refusals().forged, u64::try_from(genuine.len() - 3).unwrap());
    assert_eq!(node.organ.known().count(), 0);
    assert!(
        matches!(node.hear(&genuine)[..], [Effect::Recall(_), Effect::Reached(_)]),
        "and the genuine one is still believed"
    );
}

#[test]
fn nothing_is_believed_on_an_interface_for_links_only() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(NEXUS, profile(Mode::Nexus)));
    assert_eq!(node.tell(Input::Heard { iface: NEXUS, bytes: announce_of(7, UNIX) }), []);
    assert_eq!(node.tell(Input::Heard { iface: InterfaceId(99), bytes: announce_of(7, UNIX) }), []);
    assert_eq!(node.organ.refusals().closed, 2);
}

#[test]
fn what_relays_could_not_carry_is_known_but_not_passed_on() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    let long = signed(&identity(7), UNIX, &[b'x'; 290]);
    assert!(matches!(node.hear(&long)[..], [Effect::Recall(_), Effect::Reached(_)]));
    assert_eq!(frames(node.wait()), []);
    assert_eq!(node.organ.refusals().too_long, 1);
}

#[test]
fn a_leaf_a_path_response_and_the_last_hop_are_not_passed_on() {
    let mut leaf = Bench::start(&Snapshot::empty());
    leaf.relaying = Relaying::Off;
    leaf.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    assert!(matches!(leaf.hear(&announce_of(7, UNIX))[..], [Effect::Recall(_), Effect::Reached(_)]));
    let mut relay = Bench::start(&Snapshot::empty());
    relay.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    let mut response = announce_of(7, UNIX);
    response[18] = Context::PATH_RESPONSE.0;
    assert!(matches!(relay.hear(&response)[..], [Effect::Recall(_), Effect::Reached(_)]));
    let mut far = announce_of(8, UNIX);
    far[1] = 126;
    assert!(matches!(relay.hear(&far)[..], [Effect::Recall(_), Effect::Reached(Sighting { hops: 127, .. })]));
    assert_eq!((frames(leaf.wait()), frames(relay.wait())), (vec![], vec![]));
}

#[test]
fn an_interface_that_comes_up_hears_the_same_emission() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Ratchet(ratchet()));
    let first = sent_frame(node.tell(Input::Durable(1)).swap_remove(1));
    let second = sent_frame(node.tell(Input::Up(RIGHT, profile(Mode::Reticulum))).swap_remove(0));
    assert_eq!((second.iface, second.bytes), (RIGHT, first.bytes));
}

#[test]
fn the_announce_is_refreshed_hourly_with_a_later_emission() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    let due = node.organ.next_timeout().unwrap();
    assert!(due >= Instant::BOOT.after(REFRESH) && due < Instant::BOOT.after(REFRESH).after(REFRESH_SPREAD));
    let [Effect::Write { number, .. }] = node.wait()[..] else { panic!("one write") };
    assert!(announce_sent(&node.tell(Input::Durable(number))[1]).claim_time > UNIX);
}

#[test]
fn a_crowd_of_destinations_stays_within_the_bounds() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    for n in 20..60 {
        node.hear(&announce_of(n, UNIX));
    }
    assert_eq!(node.organ.known().count(), LIMITS.known);
    assert!(node.organ.refusals().crowded > 0);
    let said: BTreeSet<Vec<u8>> = frames(node.wait()).into_iter().map(|frame| frame.bytes).collect();
    assert!((LIMITS.relays..=LIMITS.known + 24).contains(&said.len()), "{}", said.len());
    assert_eq!(node.organ.known().count(), LIMITS.known);
}

#[test]
fn announces_obey_the_laws() {
    let genuine: Vec<Vec<u8>> = (0..24)
        .map(|n| announce_of(30 + n % 12, UNIX + u64::from(n)))
        .chain([own_announce(UNIX + 7)])
        .collect();
    laws::obeyed_by(
        "announces",
        |seed| laws::Organ::new(organ(&Snapshot::empty(), seed)),
        |random, _| {
            let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
            match random.below(19) {
                0 if random.chance(1, 4) => Input::Up(iface, profile(Mode::Nexus)),
                0 => Input::Up(iface, profile(Mode::Reticulum)),
                1 if random.chance(1, 3) => Input::Up(InterfaceId(0), speaking::radio(Reach::Shared)),
                1 if random.chance(1, 3) => Input::Up(InterfaceId(0), speaking::radio(Reach::Addressed)),
                1 if random.chance(1, 4) => Input::Down(iface),
                2 => Input::Ratchet(ratchet()),
                3 => Input::Announce,
                4 => Input::Durable(random.below(40)),
                5 => Input::Heard { iface, bytes: mangled(random, &genuine) },
                6..=11 => links::input(random, &genuine),
                12..=14 => finding::input(random, &genuine),
                _ => Input::Heard { iface, bytes: pick(random, &genuine).clone() },
            }
        },
    );
}

// ───────────── helpers ─────────────

const LEFT: InterfaceId = InterfaceId(1);
const RIGHT: InterfaceId = InterfaceId(2);
const NEXUS: InterfaceId = InterfaceId(0);
const LIMITS: Limits = Limits { known: 8, relays: 4, links: 4, paths: 12, cache_bytes: 2_000 };

struct Bench {
    organ: Announces,
    now: Instant,
    unix_s: u64,
    relaying: Relaying,
    /// When something was last said where many hear it.
    last_said_at: Instant,
}

impl Bench {
    fn without_interfaces(snapshot: &Snapshot) -> Self {
        let organ = organ(snapshot, &Seed::new([5; 32]));
        let (now, last_said_at) = (Instant::BOOT, Instant::BOOT);
        Self { organ, now, unix_s: UNIX, relaying: Relaying::On, last_said_at }
    }

    fn start(snapshot: &Snapshot) -> Self {
        let mut bench = Self::without_interfaces(snapshot);
        bench.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
        bench
    }

    fn cx(&self) -> Cx {
        let mut cx = Cx::at(self.now);
        cx.wall = Some(WallClock { unix_s: self.unix_s, error_s: 0, read_at: Instant::BOOT });
        cx.config.relaying = self.relaying;
        cx
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.organ.handle(self.cx(), input, &mut out);
        self.leave(&out, 0);
        out.into()
    }

    /// What is due at this moment is done, and what is said leaves at once.
    fn wake(&mut self, out: &mut VecDeque<Effect>) {
        let before = out.len();
        self.organ.handle_timeout(self.cx(), out);
        self.leave(out, before);
    }

    /// What was said, but for the first of it, leaves.
    fn leave(&mut self, said: &VecDeque<Effect>, from: usize) {
        let mut left = Vec::new();
        for effect in said.iter().skip(from) {
            let iface = match effect {
                Effect::Tell { link, .. } | Effect::Say { to: Outlet::Link(link), .. } => {
                    self.organ.links.get(*link).map(|other| other.iface)
                }
                Effect::Say { to: Outlet::Hearers(iface), .. } | Effect::Broadcast { iface, .. } => {
                    Some(*iface)
                }
                _ => None,
            };
            left.extend(iface.map(|iface| Input::Waits(iface, Duration::ZERO)));
        }
        let mut nothing: VecDeque<Effect> = VecDeque::new();
        for input in left {
            self.organ.handle(self.cx(), input, &mut nothing);
        }
        assert!(nothing.is_empty(), "nothing follows from leaving");
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Effect> {
        self.tell(Input::Heard { iface: LEFT, bytes: bytes.to_vec() })
    }

    /// Lets everything happen that is due until something does.
    fn wait(&mut self) -> Vec<Effect> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let until = self.now.after(Duration::from_secs(4_000));
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.wake(&mut out);
        }
        out.into()
    }
}

fn organ(snapshot: &Snapshot, seed: &Seed) -> Announces {
    Announces::new(identity(1), AppData::default(), LIMITS, snapshot, seed)
}

pub(crate) fn profile(mode: Mode) -> Profile {
    Profile {
        mode,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: 1_000_000,
        frame_size: 508,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]))
}

fn ratchet() -> RatchetPublic {
    RatchetPublic([9; 32])
}

fn announce_of(n: u8, unix_s: u64) -> Vec<u8> {
    signed(&identity(n), unix_s, b"N\x01")
}

fn own_announce(unix_s: u64) -> Vec<u8> {
    announce_of(1, unix_s)
}

fn signed(identity: &NodeIdentity, unix_s: u64, app_data: &[u8]) -> Vec<u8> {
    let claim = Claim {
        public: *identity.public().identity(),
        name: NameHash::NEXUS_NODE,
        random_hash: RandomHash::new([1, 2, 3, 4, 5], unix_s),
        ratchet: Some(ratchet()),
        app_data,
    };
    let announce = claim.sign(identity.as_reticulum());
    let mut buffer = [0; MTU];
    announce.encode_behind(&announce.originating_header(Occasion::Periodic), &mut buffer).unwrap().to_vec()
}

struct Sent {
    claim_time: u64,
}

fn sent_frame(effect: Effect) -> Frame {
    match effect {
        Effect::Send(frame) => frame,
        Effect::Tell { .. }
        | Effect::Broadcast { .. }
        | Effect::Say { .. }
        | Effect::Recall(_)
        | Effect::Write { .. }
        | Effect::Reached(_)
        | Effect::Probe { .. }
        | Effect::PathFound { .. }
        | Effect::PathNotFound { .. }
        | Effect::Announced { .. } => {
            panic!("sends: {effect:?}")
        }
    }
}

/// The frames among what is wanted.
fn frames(effects: Vec<Effect>) -> Vec<Frame> {
    effects.into_iter().filter(|effect| matches!(effect, Effect::Send(_))).map(sent_frame).collect()
}

/// The announce in a sent frame, verified.
fn announce_sent(effect: &Effect) -> Sent {
    let frame = sent_frame(effect.clone());
    let packet = Packet::decode(&frame.bytes).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    announce.verify().unwrap();
    Sent { claim_time: announce.claim.random_hash.emitted_at() }
}

fn pick<'a>(random: &mut Stream, from: &'a [Vec<u8>]) -> &'a Vec<u8> {
    &from[usize::try_from(random.below(u64::try_from(from.len()).unwrap())).unwrap()]
}

fn mangled(random: &mut Stream, from: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = pick(random, from).clone();
    let at = usize::try_from(random.below(u64::try_from(bytes.len()).unwrap())).unwrap();
    if random.chance(1, 2) {
        bytes.truncate(at);
    } else {
        bytes[at] ^= 1 << random.below(8);
    }
    bytes
}
