//! Every one of Reticulum's formats is held to the laws of a format; every stream framing to those of a stream.

use nexus_machine::Seed;
use nexus_testkit::format::obeys_the_laws;
use nexus_testkit::formats::{named, reticulum};

macro_rules! formats {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            obeys_the_laws(named($name));
        })*

        #[test]
        fn every_registered_format_is_held_to_the_laws() {
            let registered: Vec<_> = reticulum::ALL.iter().map(|format| format.name).collect();
            assert_eq!(registered, [$($name),*]);
        }
    };
}

formats! {
    packets_obey_the_laws: "packet";
    announces_obey_the_laws: "announce";
    proofs_obey_the_laws: "proof";
    link_requests_obey_the_laws: "link-request";
    link_proofs_obey_the_laws: "link-proof";
    path_requests_obey_the_laws: "path-request";
    tunnel_syntheses_obey_the_laws: "tunnel-synthesis";
    ifac_frames_obey_the_laws: "ifac-frame";
    messages_to_an_rnode_obey_the_laws: "rnode-to-device";
    messages_from_an_rnode_obey_the_laws: "rnode-from-device";
    requests_obey_the_laws: "rns-request";
    responses_obey_the_laws: "rns-response";
    resource_advertisements_obey_the_laws: "resource-advertisement";
    resource_part_requests_obey_the_laws: "resource-part-request";
    resource_map_updates_obey_the_laws: "resource-map-update";
    resource_proofs_obey_the_laws: "resource-proof";
    channel_messages_obey_the_laws: "channel-message";
    stream_pieces_obey_the_laws: "stream-piece";
    messages_of_people_obey_the_laws: "lxmf-message";
    delivery_announces_obey_the_laws: "lxmf-delivery-announce";
    uploads_of_messages_obey_the_laws: "lxmf-upload";
}

#[test]
fn streams_obey_the_laws_on_any_bytes() {
    for stream in reticulum::STREAMS {
        let mut random = Seed::new([7; 32]).fork(stream.name);
        for sample in (stream.samples)() {
            (stream.fuzz_one)(&sample);
        }
        for _ in 0..3_000 {
            // Mostly the few bytes that mean something, so that frames, escapes and garbage meet.
            let alphabet = [0x7e, 0x7d, 0x5e, 0x5d, 0xc0, 0xdb, 0xdc, 0xdd, 0x00, 0x41, 0x42, 0x43];
            let length = random.below(200);
            let pick = |_| alphabet[usize::try_from(random.below(12)).unwrap()];
            (stream.fuzz_one)(&(0..length).map(pick).collect::<Vec<_>>());
        }
    }
}
