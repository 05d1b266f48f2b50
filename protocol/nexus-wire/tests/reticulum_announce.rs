//! Which announces are believed, which are relayed, and that stock nodes' own are read as they were meant.

use nexus_crypto::{DestinationHash, IdentityHash, NameHash, RatchetPublic};
use nexus_testkit::format::{hex, unhex};
use nexus_testkit::formats::reticulum::{identity, stock_announces, vectors};
use nexus_wire::reticulum::announce::{
    APP_DATA_MAX, APP_DATA_WITH_RATCHET_MAX, AnnounceError, Claim, Occasion, RELAYABLE_LEN,
};
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::{Announce, Context, Hops, MTU, Packet, PacketMut, RandomHash};
use nexus_wire::{DecodeError, EncodeError, Fault};

fn verified(bytes: &[u8]) -> Result<(), String> {
    let packet = Packet::decode(bytes).map_err(|error| error.to_string())?;
    let announce = Announce::from_packet(&packet).map_err(|error| error.to_string())?;
    announce.verify().map_err(|error| error.to_string())
}

fn claim(ratchet: Option<RatchetPublic>, app_data: &[u8]) -> Claim<'_> {
    let random_hash = RandomHash::new([1, 2, 3, 4, 5], 1_700_000_000);
    Claim { public: *identity().public(), name: NameHash::NEXUS_NODE, random_hash, ratchet, app_data }
}

#[test]
fn what_we_announce_is_byte_for_byte_what_the_stock_package_announces() {
    for vector in vectors()["announces"].as_array().unwrap() {
        let field = |name: &str| unhex(vector[name].as_str().unwrap());
        let app_data = field("app_data");
        let claim = Claim {
            public: *identity().public(),
            name: NameHash::of(vector["name"].as_str().unwrap()),
            random_hash: RandomHash::from_bytes(field("random_hash").try_into().unwrap()),
            ratchet: <[u8; 32]>::try_from(field("ratchet")).ok().map(RatchetPublic),
            app_data: &app_data,
        };
        let mut buffer = [0xa5; MTU];
        let announce = claim.sign(&identity());
        assert_eq!(
            hex(announce.encode(Occasion::Periodic, &mut buffer).unwrap()),
            vector["packet"].as_str().unwrap()
        );
        assert_eq!(claim.random_hash.emitted_at(), 1_700_000_000);
    }
}

#[test]
fn names_have_the_addresses_that_the_stock_package_gives_them() {
    let vectors = vectors();
    assert_eq!(hex(identity().public().as_bytes()), vectors["identity"]["public"].as_str().unwrap());
    for vector in vectors["names"].as_array().unwrap() {
        let name = NameHash::of(vector["name"].as_str().unwrap());
        assert_eq!(hex(name.as_bytes()), vector["name_hash"].as_str().unwrap());
        let destination = DestinationHash::of(name, identity().hash());
        assert_eq!(hex(destination.as_bytes()), vector["destination_hash"].as_str().unwrap());
    }
    for (name, address) in vectors["plain_destinations"].as_object().unwrap() {
        assert_eq!(hex(DestinationHash::plain(NameHash::of(name)).as_bytes()), address.as_str().unwrap());
    }
}

#[test]
fn any_flipped_bit_of_what_is_signed_is_noticed_and_of_what_is_not_is_not() {
    const UNSIGNED_FLAG_BITS: [u8; 2] = [0x40, 0x10];
    let context_at = 18;
    for (number, original) in stock_announces().into_iter().enumerate() {
        verified(&original).unwrap();
        for bit in 0..original.len() * 8 {
            let (at, mask) = (bit / 8, 1 << (bit % 8));
            let mut flipped = original.clone();
            flipped[at] ^= mask;
            let unsigned = match at {
                // Without a transport id in, the header bit moves every field: that is a change of what is signed.
                0 => mask == UNSIGNED_FLAG_BITS[1],
                1 => mask != 0x80,
                at => at == context_at,
            };
            assert_eq!(verified(&flipped).is_ok(), unsigned, "announce {number}, byte {at}, mask {mask:02x}");
        }
    }
}

#[test]
fn a_relays_rewrites_leave_an_announce_good_whatever_the_transport_id() {
    for original in stock_announces() {
        for transport in [IdentityHash([0; 16]), IdentityHash([0xff; 16])] {
            let mut buffer = [&[0xa5; HEADROOM][..], &original].concat();
            let mut packet = PacketMut::insert_transport(&mut buffer, transport).unwrap();
            packet.count_hop().unwrap();
            packet.set_context(Context::PATH_RESPONSE);
            verified(packet.into_bytes()).unwrap();
        }
    }
}

#[test]
fn an_announce_for_anothers_address_is_refused_before_its_signature_is_looked_at() {
    let announce = Announce { destination: DestinationHash([9; 16]), ..claim(None, b"").sign(&identity()) };
    assert_eq!(announce.verify(), Err(AnnounceError::Destination));
    let forged = Claim { app_data: b"more", ..claim(None, b"") };
    let announce = Announce { claim: forged, ..claim(None, b"").sign(&identity()) };
    assert_eq!(announce.verify(), Err(AnnounceError::Signature));
}

#[test]
fn an_announce_too_long_to_be_relayed_is_never_made() {
    let (ratchet, app_data) = (RatchetPublic([7; 32]), [0x78; APP_DATA_MAX + 1]);
    let made = |ratchet, app_data| {
        claim(ratchet, app_data)
            .sign(&identity())
            .encode(Occasion::Periodic, &mut [0; 600])
            .map(|bytes| bytes.len())
    };
    assert_eq!(made(None, &app_data[..APP_DATA_MAX]), Ok(RELAYABLE_LEN));
    assert_eq!(made(None, &app_data), Err(EncodeError::FieldTooLong));
    assert_eq!(made(Some(ratchet), &app_data[..APP_DATA_WITH_RATCHET_MAX]), Ok(RELAYABLE_LEN));
    assert_eq!(made(Some(ratchet), &app_data[..=APP_DATA_WITH_RATCHET_MAX]), Err(EncodeError::FieldTooLong));
}

#[test]
fn an_announce_between_the_two_limits_is_read_but_not_relayable_and_beyond_the_larger_refused() {
    let read = |len: usize| {
        let app_data = vec![0x78; len - (RELAYABLE_LEN - APP_DATA_MAX)];
        let announce = claim(None, &app_data).sign(&identity());
        let mut buffer = [0; 600];
        let bytes =
            announce.encode_behind(&announce.originating_header(Occasion::Periodic), &mut buffer).unwrap();
        assert_eq!(bytes.len(), len);
        let packet = Packet::decode(bytes).unwrap();
        Announce::from_packet(&packet).map(|read| (read.verify().is_ok(), read.is_relayable()))
    };
    assert_eq!(read(484), Ok((true, true)));
    assert_eq!(read(485), Ok((true, false)));
    assert_eq!(read(500), Ok((true, false)));
    assert_eq!(read(501), Err(DecodeError { format: "announce", field: "app data", fault: Fault::Length }));
}

#[test]
fn only_announces_of_single_destinations_are_read() {
    let original = stock_announces().remove(0);
    for flags in [0x00, 0x02, 0x03, 0x05, 0x09, 0x0d] {
        let mut other = original.clone();
        other[0] = flags;
        Announce::from_packet(&Packet::decode(&other).unwrap()).unwrap_err();
    }
}

#[test]
fn a_path_response_says_so_in_its_context() {
    let mut buffer = [0; MTU];
    let announce = claim(None, b"").sign(&identity());
    let packet = Packet::decode(announce.encode(Occasion::PathResponse, &mut buffer).unwrap()).unwrap();
    assert!(packet.is_path_response() && packet.hops == Hops::ZERO && packet.transport.is_none());
}

#[test]
fn the_time_of_emission_survives_and_saturates() {
    let at = |unix_s| RandomHash::new([0xff; 5], unix_s).emitted_at();
    assert_eq!([at(0), at(1_700_000_000), at(RandomHash::LAST_SECOND)], [0, 1_700_000_000, (1 << 40) - 1]);
    assert_eq!(at(u64::MAX), RandomHash::LAST_SECOND);
    assert_eq!(RandomHash::new([1, 2, 3, 4, 5], 6).as_bytes(), &[1, 2, 3, 4, 5, 0, 0, 0, 0, 6]);
}
