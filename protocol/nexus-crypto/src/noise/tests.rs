use super::primitives::{Ephemeral, Primitives};
use super::state::{Handshake, Pattern, Role};
use super::*;

use alloc::format;
use alloc::vec::Vec;

use curve25519_dalek::constants::EIGHT_TORSION;
use nexus_machine::{Seed, Stream};
use nexus_testkit::format::unhex;
use proptest::prelude::*;
use snow::params::DHChoice;
use snow::resolvers::CryptoResolver as _;
use zeroize::ZeroizeOnDrop;

use crate::EdwardsSign;
use crate::aead::{Nonce, Tag};
use crate::exchange::{EphemeralPublic, ExchangeSecret};
use crate::identity::{IdentitySeed, NodeIdentity, NodePublic};

const PROLOGUE: &[u8] = b"NEXUS link 1 and seven";
const OF_RESPONDER: &[u8; REPLY_PAYLOAD_LEN] = b"reply me";
const OF_INITIATOR: &[u8; FINISH_PAYLOAD_LEN] = b"finish";

/// `cacophony`'s published vectors, made by another implementation. Both sides' keys and prologue are these; so are the
/// six payloads, of which the first messages' belong to the handshake and the rest follow under its keys.
mod cacophony {
    pub(super) const PROLOGUE: &[u8] = b"John Galt";
    pub(super) const INITIATOR: &str = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
    pub(super) const RESPONDER: &str = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
    pub(super) const OF_INITIATOR: &str = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
    pub(super) const OF_RESPONDER: &str = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
    pub(super) const PAYLOADS: [&str; 6] = [
        "4c756477696720766f6e204d69736573",
        "4d757272617920526f746862617264",
        "462e20412e20486179656b",
        "4361726c204d656e676572",
        "4a65616e2d426170746973746520536179",
        "457567656e2042f6686d20766f6e2042617765726b",
    ];
    pub(super) const XX_HASH: &str = "8cf47d7b3cb5804c0109d48e8bcdbee2cbb65687d8ea2c92994ca361fb86151a";
    pub(super) const XX: [&str; 6] = [
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088430505b6745ce64a5f33f0e8e3b83f11ce8802bca507f4f2d8\
         b564dbe277e1966116e132faa2dfd70b8b077b9f94b913df5056ae1319469b824a98d54bbaa82c325595587064f978c4b6d104f7596e6f",
        "99579e1c1ee15e422a57ddd6b16d37087b17558e8369c18991b4b2ca3a824abf904cdcf5458b5431a75af034ca9e9b982de039eaaf156775\
         e2d580cd4e5ebae89c3f8cb2594b556d8a8169",
        "fc56eea290b3f3a21aac0c70cd5787b5ee99be37d2f4d751329b55",
        "bb31c9da10d5639a4cdb88a12f5c61de41bbc7df09bf75d94f8184fe4157f5c68f",
        "f6199cadb152fb27f82be0a0891ec76a33598ae92a46cab2fb5a8ed5bf48b7f267f8370af7",
    ];
    pub(super) const NN_HASH: &str = "25b3d1154146a2e058e4db548e0841992cf33a972d5b85a908e4fb8f14b6d94f";
    pub(super) const NN: [&str; 6] = [
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d10cf8ef4ab895bed3e4673211f0c9337039d63a450c7b28\
         196b8a0ebade00",
        "e50ec882703a1f34bf4957d8cafd036d34e02930f672f424c676e1",
        "35bb2a728d3e8e5f47781d486089e4a37c5c2e4261256f44569a9f",
        "69ee82006e16b79438a34ad9de37ee44d83c267e355750ecf49f194b5c50403030",
        "c568b641b01d2f644f2a890538c359915ca50552e55129c029d3721866c2646a7af3fd1eff",
    ];
}

#[test]
fn the_links_handshake_is_the_one_of_the_published_vectors() {
    let (own, other) = (secret(cacophony::INITIATOR), secret(cacophony::RESPONDER));
    let (mut one, mut two) = cacophony_sides(Pattern::Link(&own), Pattern::Link(&other));
    let texts = cacophony::XX.map(unhex);
    pass::<48>(&mut one, &mut two, 0, &texts[0]);
    pass::<111>(&mut two, &mut one, 1, &texts[1]);
    pass::<75>(&mut one, &mut two, 2, &texts[2]);
    assert_eq!(one.peer(&own.public()), Ok(other.public()));
    assert_eq!(two.peer(&other.public()), Ok(own.public()));
    let (one, two) = (one.split(), two.split());
    assert_eq!(one.channel_binding.as_bytes().as_slice(), unhex(cacophony::XX_HASH));
    assert_eq!(two.channel_binding, one.channel_binding);
    let (from_one, from_two) = ((&one, &two), (&two, &one));
    for (number, counter, (from, to)) in [(3, 0, from_two), (4, 0, from_one), (5, 1, from_two)] {
        sealed_and_opened(from, to, number, counter, &texts[number]);
    }
}

#[test]
fn the_rekeys_handshake_is_the_one_of_the_published_vectors() {
    let (mut one, mut two) = cacophony_sides(Pattern::Rekey, Pattern::Rekey);
    let texts = cacophony::NN.map(unhex);
    pass::<48>(&mut one, &mut two, 0, &texts[0]);
    pass::<63>(&mut two, &mut one, 1, &texts[1]);
    let (one, two) = (one.split(), two.split());
    assert_eq!(one.channel_binding.as_bytes().as_slice(), unhex(cacophony::NN_HASH));
    assert_eq!(two.channel_binding, one.channel_binding);
    let (from_one, from_two) = ((&one, &two), (&two, &one));
    let order = [(2, 0, from_one), (3, 0, from_two), (4, 1, from_one), (5, 1, from_two)];
    for (number, counter, (from, to)) in order {
        sealed_and_opened(from, to, number, counter, &texts[number]);
    }
}

#[test]
fn a_link_tells_both_sides_who_the_other_is_and_gives_them_each_others_keys() {
    let world = World::new();
    let (waiting, reply) = world.reply();
    let verdict = world.begin().read(&world.initiator, &reply).unwrap();
    assert_eq!(verdict.payload(), OF_RESPONDER);
    assert_eq!(node(verdict.peer()), *world.responder.public());
    let (finish, ours) = verdict.accept(OF_INITIATOR);
    let finished = waiting.finish(&world.responder, &finish).unwrap();
    assert_eq!(finished.payload, *OF_INITIATOR);
    assert_eq!(node(finished.peer), *world.initiator.public());
    talk(&ours, &finished.established);
}

#[test]
fn the_parts_fill_the_frames_of_the_wire() {
    assert_eq!((1 + 2 + 4 + EphemeralPublic::LEN, 1 + 2 + REPLY_LEN, 1 + 2 + FINISH_LEN), (39, 107, 73));
    assert_eq!(REKEY_ACK_LEN, 48);
}

#[test]
fn no_flipped_bit_of_message_3_keeps_the_genuine_one_from_completing() {
    let world = World::new();
    let (mut waiting, reply) = world.reply();
    let (finish, ours) = world.begin().read(&world.initiator, &reply).unwrap().accept(OF_INITIATOR);
    for bit in 0..FINISH_LEN * 8 {
        let refused = waiting.finish(&world.responder, &flipped(&finish, bit)).unwrap_err();
        assert_eq!(refused.why, Refusal::NotAuthentic, "bit {bit}");
        assert!(refused.state.is_spent());
        waiting = refused.state;
    }
    let finished = waiting.finish(&world.responder, &finish).unwrap();
    talk(&ours, &finished.established);
}

#[test]
fn no_flipped_bit_of_message_2_keeps_the_genuine_one_from_completing() {
    let world = World::new();
    let (responder, reply) = world.reply();
    let mut waiting = world.begin();
    for bit in 0..REPLY_LEN * 8 {
        let refused = waiting.read(&world.initiator, &flipped(&reply, bit)).unwrap_err();
        assert_eq!(refused.why, Refusal::NotAuthentic, "bit {bit}");
        waiting = refused.state;
    }
    let (finish, ours) = waiting.read(&world.initiator, &reply).unwrap().accept(OF_INITIATOR);
    talk(&ours, &responder.finish(&world.responder, &finish).unwrap().established);
}

#[test]
fn a_peer_that_is_not_wanted_does_not_keep_the_wanted_one_from_answering() {
    let world = World::new();
    let (stranger, mut random) = (identity(3), stream(3));
    let first = world.begin().ephemeral();
    let (_, unwanted) =
        AwaitingFinish::reply(&stranger, PROLOGUE, &first, OF_RESPONDER, &mut random).unwrap();
    let (waiting, reply) = world.reply();
    let verdict = world.begin().read(&world.initiator, &unwanted).unwrap();
    assert_eq!(node(verdict.peer()), *stranger.public());
    let verdict = verdict.refuse().read(&world.initiator, &reply).unwrap();
    assert_eq!(node(verdict.peer()), *world.responder.public());
    let (finish, ours) = verdict.accept(OF_INITIATOR);
    talk(&ours, &waiting.finish(&world.responder, &finish).unwrap().established);
}

#[test]
fn what_was_said_in_clear_is_bound_by_the_prologue() {
    let world = World::new();
    let first = world.begin().ephemeral();
    let (_, reply) =
        AwaitingFinish::reply(&world.responder, b"NEXUS link 2", &first, OF_RESPONDER, &mut stream(2))
            .unwrap();
    let refused = world.begin().read(&world.initiator, &reply).unwrap_err();
    assert_eq!(refused.why, Refusal::NotAuthentic);
    let (ack, _) = answer_rekey(b"another binding", &rekey_offer().ephemeral(), &mut stream(2)).unwrap();
    assert_eq!(rekey_offer().finish(&ack).unwrap_err().why, Refusal::NotAuthentic);
}

#[test]
fn a_node_makes_no_link_with_itself() {
    let own = identity(1);
    let initiator = || AwaitingReply::begin(&own, PROLOGUE, &mut stream(1));
    let first = initiator().ephemeral();
    let (waiting, reply) =
        AwaitingFinish::reply(&own, PROLOGUE, &first, OF_RESPONDER, &mut stream(2)).unwrap();
    assert_eq!(initiator().read(&own, &reply).unwrap_err().why, Refusal::OwnStatic);
    // An initiator that does not mind, so that the responder has to.
    let pattern = Pattern::Link(own.as_reticulum().exchange());
    let ephemeral = Ephemeral(stream(1).bytes());
    let mut careless = Handshake::new(pattern, Role::Initiator, PROLOGUE, &ephemeral);
    assert_eq!(careless.write(&[]), Ok(*first.as_bytes()));
    careless.read(&reply, &mut [0; REPLY_PAYLOAD_LEN]).unwrap();
    let finish = careless.write(OF_INITIATOR).unwrap();
    assert_eq!(waiting.finish(&own, &finish).unwrap_err().why, Refusal::OwnStatic);
}

#[test]
fn an_ephemeral_key_that_comes_back_is_refused() {
    let world = World::new();
    let waiting = world.begin();
    let first = waiting.ephemeral();
    let answered =
        AwaitingFinish::reply(&world.responder, PROLOGUE, &first, OF_RESPONDER, &mut stream(1)).map(drop);
    assert_eq!(answered, Err(Refusal::OwnEphemeral), "both drew from one stream");
    let mut echo = [7; REPLY_LEN];
    echo[..32].copy_from_slice(first.as_bytes());
    let refused = waiting.read(&world.initiator, &echo).unwrap_err();
    assert_eq!((refused.why, refused.state.is_spent()), (Refusal::OwnEphemeral, false));

    let offered = rekey_offer().ephemeral();
    let answered = answer_rekey(PROLOGUE, &offered, &mut stream(1)).map(drop);
    assert_eq!(answered, Err(Refusal::OwnEphemeral));
    let mut echo = [7; REKEY_ACK_LEN];
    echo[..32].copy_from_slice(offered.as_bytes());
    assert_eq!(rekey_offer().finish(&echo).unwrap_err().why, Refusal::OwnEphemeral);
}

#[test]
fn a_key_of_small_order_is_refused_wherever_it_comes() {
    let world = World::new();
    let refused = Refusal::NoAgreement(NoAgreement);
    let (mut link, mut rekey) = (world.begin(), rekey_offer());
    let mut dh = Primitives(Ephemeral([7; 32])).resolve_dh(&DHChoice::Curve25519).unwrap();
    dh.set(&[7; 32]);
    for point in EIGHT_TORSION.map(|point| EphemeralPublic(point.to_montgomery().0)) {
        let answered =
            AwaitingFinish::reply(&world.responder, PROLOGUE, &point, OF_RESPONDER, &mut stream(2)).map(drop);
        assert_eq!(answered, Err(refused));
        assert_eq!(answer_rekey(PROLOGUE, &point, &mut stream(2)).map(drop), Err(refused));
        let (mut reply, mut ack) = ([7; REPLY_LEN], [7; REKEY_ACK_LEN]);
        reply[..32].copy_from_slice(point.as_bytes());
        ack[..32].copy_from_slice(point.as_bytes());
        let (from_reply, from_ack) =
            (link.read(&world.initiator, &reply).unwrap_err(), rekey.finish(&ack).unwrap_err());
        assert_eq!((from_reply.why, from_ack.why), (refused, refused));
        (link, rekey) = (from_reply.state, from_ack.state);
        // A static key comes encrypted; what agrees with it is this.
        assert_eq!(dh.dh(point.as_bytes(), &mut [0; 56]), Err(snow::Error::Dh));
    }
    let (_, reply) = world.reply();
    assert!(link.read(&world.initiator, &reply).is_ok(), "and the genuine one still counts");
}

#[test]
fn a_rekey_makes_keys_that_the_link_did_not_have() {
    let (ack, theirs) = answer_rekey(PROLOGUE, &rekey_offer().ephemeral(), &mut stream(2)).unwrap();
    let mut waiting = rekey_offer();
    for bit in 0..REKEY_ACK_LEN * 8 {
        let refused = waiting.finish(&flipped(&ack, bit)).unwrap_err();
        assert_eq!(refused.why, Refusal::NotAuthentic, "bit {bit}");
        assert!(refused.state.is_spent());
        waiting = refused.state;
    }
    talk(&waiting.finish(&ack).unwrap(), &theirs);
    let (_, again) = answer_rekey(PROLOGUE, &rekey_offer().ephemeral(), &mut stream(3)).unwrap();
    assert_ne!(again.send.expose(), theirs.send.expose());
    assert_ne!(again.channel_binding, theirs.channel_binding);
}

proptest! {
    #[test]
    fn arbitrary_bytes_complete_nothing_and_panic_nowhere(
        first: [u8; 32],
        prologue in proptest::collection::vec(any::<u8>(), 0..64),
        noise in proptest::collection::vec(any::<u8>(), REPLY_LEN),
    ) {
        let world = World::new();
        let own = &world.responder;
        let replied = AwaitingFinish::reply(own, &prologue, &EphemeralPublic(first), OF_RESPONDER, &mut stream(2));
        if let Ok((waiting, _)) = replied {
            prop_assert!(waiting.finish(own, noise.first_chunk().unwrap()).is_err());
        }
        let (waiting, _) = world.reply();
        prop_assert!(waiting.finish(own, noise.last_chunk().unwrap()).is_err());
        prop_assert!(world.begin().read(&world.initiator, noise.first_chunk().unwrap()).is_err());
        prop_assert!(rekey_offer().finish(noise.first_chunk().unwrap()).is_err());
        let answered = answer_rekey(&prologue, &EphemeralPublic(first), &mut stream(2)).map(drop);
        prop_assert!(matches!(answered, Ok(()) | Err(Refusal::NoAgreement(_))));
    }
}

#[test]
fn an_erased_handshake_knows_its_keys_no_more() {
    let ephemeral = |number| Ephemeral(stream(number).bytes());
    let mut one = Handshake::new(Pattern::Rekey, Role::Initiator, PROLOGUE, &ephemeral(1));
    let mut two = Handshake::new(Pattern::Rekey, Role::Responder, PROLOGUE, &ephemeral(2));
    two.read(&one.write::<32>(&[]).unwrap(), &mut []).unwrap();
    one.read(&two.write::<REKEY_ACK_LEN>(&[]).unwrap(), &mut []).unwrap();
    let mut untouched = Handshake::new(Pattern::Rekey, Role::Initiator, &[], &Ephemeral([0; 32]));
    untouched.erase();
    one.erase();
    let (one, two, untouched) = (one.split(), two.split(), untouched.split());
    assert_ne!(one.send.expose(), two.receive.expose());
    assert_eq!(one.send.expose(), untouched.send.expose());
}

#[test]
fn what_holds_a_secret_erases_it_and_prints_nothing_of_it() {
    const fn erases_itself<T: ZeroizeOnDrop>() {}
    erases_itself::<Ephemeral>();
    erases_itself::<Handshake>();
    erases_itself::<AeadKey>();
    let world = World::new();
    let (waiting, reply) = world.reply();
    let printed = format!("{waiting:?} {:?} {:?}", world.begin(), rekey_offer());
    assert_eq!(printed, "AwaitingFinish(hidden) AwaitingReply(hidden) AwaitingRekeyAck(hidden)");
    let verdict = world.begin().read(&world.initiator, &reply).unwrap();
    assert_eq!(format!("{verdict:?}"), "AwaitingVerdict(hidden)");
    let printed = format!("{:?}", verdict.accept(OF_INITIATOR).1);
    assert!(
        printed.starts_with("Established { send: AeadKey(hidden), receive: AeadKey(hidden), "),
        "{printed}"
    );
}

/// Two nodes, each with a stream of its own. The same call makes the same message.
struct World {
    initiator: NodeIdentity,
    responder: NodeIdentity,
}

impl World {
    fn new() -> Self {
        Self { initiator: identity(1), responder: identity(2) }
    }

    fn begin(&self) -> AwaitingReply {
        AwaitingReply::begin(&self.initiator, PROLOGUE, &mut stream(1))
    }

    fn reply(&self) -> (AwaitingFinish, [u8; REPLY_LEN]) {
        let first = self.begin().ephemeral();
        AwaitingFinish::reply(&self.responder, PROLOGUE, &first, OF_RESPONDER, &mut stream(2)).unwrap()
    }
}

fn rekey_offer() -> AwaitingRekeyAck {
    AwaitingRekeyAck::offer(PROLOGUE, &mut stream(1))
}

fn identity(number: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([number; 32]))
}

fn stream(number: u8) -> Stream {
    Seed::new([number; 32]).fork("noise")
}

/// The node behind a static key; which of the two signs is its own, its payload would say.
fn node(peer: crate::ExchangePublic) -> NodePublic {
    let candidates =
        [EdwardsSign::Even, EdwardsSign::Odd].map(|sign| NodePublic::recover(&peer, sign).unwrap());
    let known = [1, 2, 3].map(|number| *identity(number).public());
    *candidates.iter().find(|candidate| known.contains(candidate)).expect("a node of these tests")
}

/// Each opens what the other seals, and neither what it sealed itself.
fn talk(one: &Established, two: &Established) {
    assert_eq!(one.channel_binding, two.channel_binding);
    for (from, to) in [(one, two), (two, one)] {
        for counter in [0, 1, u64::from(u32::MAX)] {
            let mut frame = *b"hello mesh";
            let tag = from.send.seal_in_place(Nonce::counter(counter), b"head", &mut frame);
            let (sealed, nonce) = (frame, Nonce::counter(counter));
            assert!(from.receive.open_in_place(nonce, b"head", &mut frame, &tag).is_err());
            frame = sealed;
            assert_eq!(to.receive.open_in_place(nonce, b"head", &mut frame, &tag), Ok(()));
            assert_eq!(&frame, b"hello mesh");
        }
    }
}

fn flipped<const N: usize>(message: &[u8; N], bit: usize) -> [u8; N] {
    let mut flipped = *message;
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

fn secret(text: &str) -> ExchangeSecret {
    ExchangeSecret::from_bytes(&unhex(text).try_into().unwrap())
}

fn cacophony_sides(one: Pattern<'_>, two: Pattern<'_>) -> (Handshake, Handshake) {
    let ephemeral = |text| Ephemeral(unhex(text).try_into().unwrap());
    let of_one = ephemeral(cacophony::OF_INITIATOR);
    let of_two = ephemeral(cacophony::OF_RESPONDER);
    (
        Handshake::new(one, Role::Initiator, cacophony::PROLOGUE, &of_one),
        Handshake::new(two, Role::Responder, cacophony::PROLOGUE, &of_two),
    )
}

/// One message of the handshake, which must have these bytes and be read by the other side.
fn pass<const N: usize>(from: &mut Handshake, to: &mut Handshake, number: usize, expected: &[u8]) {
    let payload = unhex(cacophony::PAYLOADS[number]);
    let message: [u8; N] = from.write(&payload).unwrap();
    assert_eq!(message.as_slice(), expected);
    let mut read: Vec<u8> = payload.iter().map(|_| 0).collect();
    to.read(&message, &mut read).unwrap();
    assert_eq!(read, payload);
}

/// One message under the keys of the handshake, which must have these bytes and open.
fn sealed_and_opened(from: &Established, to: &Established, number: usize, counter: u64, expected: &[u8]) {
    let payload = unhex(cacophony::PAYLOADS[number]);
    let mut buffer = payload.clone();
    let tag: Tag = from.send.seal_in_place(Nonce::counter(counter), &[], &mut buffer);
    assert_eq!([buffer.as_slice(), tag.as_bytes()].concat(), expected);
    assert_eq!(to.receive.open_in_place(Nonce::counter(counter), &[], &mut buffer, &tag), Ok(()));
    assert_eq!(buffer, payload);
}
