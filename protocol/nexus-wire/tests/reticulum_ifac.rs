//! Interfaces with access codes: who may speak on them.

use nexus_testkit::format::{hex, unhex};
use nexus_testkit::formats::reticulum::vectors;
use nexus_wire::reticulum::ifac::{Ifac, IfacError, Membership, TagLen};
use nexus_wire::reticulum::{MTU, Packet};
use proptest::prelude::*;

const MEMBERS: Membership<'static> = Membership::Both { name: "mynet", passphrase: "mypass" };

fn ifac(tag_len: usize) -> Ifac {
    Ifac::new(MEMBERS, TagLen::new(tag_len).unwrap())
}

fn sealed(ifac: &Ifac, packet: &[u8]) -> Result<Vec<u8>, IfacError> {
    let mut frame = [&vec![0xa5; ifac.tag_len().bytes()], packet].concat();
    ifac.seal(&mut frame).map(|()| frame)
}

fn opened(ifac: &Ifac, frame: &[u8]) -> Result<Vec<u8>, IfacError> {
    ifac.open(&mut frame.to_vec()).map(|packet| packet.to_vec())
}

#[test]
fn frames_are_those_of_the_stock_package() {
    let vector = &vectors()["ifac"];
    let field = |name: &str| vector[name].as_str().unwrap().to_owned();
    let (name, passphrase) = (field("netname"), field("passphrase"));
    let size = usize::try_from(vector["size"].as_u64().unwrap()).unwrap();
    let membership = Membership::Both { name: &name, passphrase: &passphrase };
    let ifac = Ifac::new(membership, TagLen::new(size).unwrap());
    let packet = unhex(&field("packet"));
    assert_eq!(hex(&sealed(&ifac, &packet).unwrap()), field("on_wire"));
    assert_eq!(opened(&ifac, &unhex(&field("on_wire"))), Ok(packet));
}

#[test]
fn a_frame_without_codes_is_refused_and_a_frame_with_codes_is_no_packet() {
    let packet = unhex("0000060e57d3384d873ff70f62ebe5a6248600c0ffee");
    let frame = sealed(&ifac(16), &packet).unwrap();
    assert_eq!(opened(&ifac(16), &packet), Err(IfacError::Flag));
    assert_eq!(Packet::decode(&frame).unwrap_err().field, "flags");
    assert_eq!(sealed(&ifac(16), &frame), Err(IfacError::Flag));
}

#[test]
fn another_name_passphrase_or_tag_length_does_not_open_a_frame() {
    let packet = unhex("0000060e57d3384d873ff70f62ebe5a6248600c0ffee");
    let frame = sealed(&ifac(16), &packet).unwrap();
    let others = [
        Membership::Name("mynet"),
        Membership::Passphrase("mypass"),
        Membership::Both { name: "mypass", passphrase: "mynet" },
    ];
    for other in others {
        assert_eq!(opened(&Ifac::new(other, TagLen::WIDE), &frame), Err(IfacError::Tag));
    }
    assert_eq!(opened(&ifac(15), &frame), Err(IfacError::Tag));
    assert_eq!(opened(&ifac(17), &frame), Err(IfacError::Tag));
}

#[test]
fn what_is_too_short_is_refused() {
    for length in 0..19 + 16 {
        assert_eq!(opened(&ifac(16), &vec![0xff; length]), Err(IfacError::Length), "{length} bytes");
    }
    for length in 0..19 {
        assert_eq!(sealed(&ifac(16), &vec![0; length]), Err(IfacError::Length), "{length} bytes");
    }
    assert_eq!((TagLen::new(0), TagLen::new(65)), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_tag_length_and_packet_length_goes_there_and_back(
        tag_len in 1_usize..=64,
        head in 0_u8..0x80,
        rest in prop::collection::vec(any::<u8>(), 18..2 * MTU),
    ) {
        let packet = [&[head][..], &rest].concat();
        let frame = sealed(&ifac(tag_len), &packet).unwrap();
        prop_assert_eq!(frame.len(), packet.len() + tag_len);
        prop_assert!(frame[0] & 0x80 != 0);
        prop_assert_eq!(opened(&ifac(tag_len), &frame), Ok(packet));
    }

    #[test]
    fn a_changed_frame_is_refused(
        rest in prop::collection::vec(any::<u8>(), 18..100),
        at: prop::sample::Index,
        change in 1_u8..=255,
    ) {
        let packet = [&[0x01][..], &rest].concat();
        let mut frame = sealed(&ifac(8), &packet).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= change;
        // The topmost bit of a frame only says that there are codes: with it cleared, the frame is not for here.
        let expected = if at == 0 && change & 0x80 != 0 { IfacError::Flag } else { IfacError::Tag };
        prop_assert_eq!(opened(&ifac(8), &frame), Err(expected));
    }
}
