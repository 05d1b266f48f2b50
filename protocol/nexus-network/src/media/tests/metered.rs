//! What meters count, and what they do not.

use super::*;
use crate::interface::Profile;
use crate::lora::Modulation;
use crate::media::meter::{Spent, Window};
use crate::media::{Load, Tier};

const ROUTING: Load = Load::Gossip(Tier::Routing);

fn of_load(load: Load) -> Input {
    Input::Send(Frame { load, ..frame(1) })
}

/// 5,000 bits a second, and ten bytes around each frame.
fn framed() -> Profile {
    Profile { overhead: 10, ..profile(Access::Direct) }
}

/// A frame leaves, of so many bytes once it is sealed.
fn leaves(media: &mut Bench, load: Load, sealed: usize) {
    media.tell(of_load(load));
    media.tell(Input::Sealed(LEFT, sealed));
    media.tell(Input::TxReady(LEFT));
}

fn last(media: &Bench, load: Load) -> Spent {
    media.organ.meter(LEFT).unwrap().last(media.now, Window::TenMinutes).of(load)
}

#[test]
fn a_frame_counts_as_it_left_sealed_and_framed() {
    let mut media = Bench::with(framed());
    leaves(&mut media, ROUTING, 115);
    // 125 bytes at 5 kbit/s.
    assert_eq!(last(&media, ROUTING), Spent { bytes: 125, time: Duration::from_millis(200) });
    assert_eq!(media.organ.meter(LEFT).unwrap().frames(ROUTING), 1);
    assert_eq!(last(&media, Load::Announces), Spent::default());
}

#[test]
fn what_waits_and_what_was_withheld_does_not_count() {
    let mut media = Bench::with(framed());
    media.tell(of_load(ROUTING));
    media.tell(of_load(ROUTING));
    // The link that was to seal the first is gone: it gives its turn to the second, which is with the driver unsealed.
    media.tell(Input::TxReady(LEFT));
    assert!(media.organ.meter(LEFT).is_none());
}

#[test]
fn a_radios_frame_has_a_header_for_each_half_and_the_airtime_of_both() {
    let modulation = Modulation::new(125_000, 7, 5).unwrap();
    let radio = Profile { overhead: 1, timing: Timing::LoRa(modulation), frame_size: 508, ..framed() };
    let mut media = Bench::with(radio);
    leaves(&mut media, ROUTING, 254);
    assert_eq!(last(&media, ROUTING), Spent { bytes: 255, time: modulation.airtime(254) });
    leaves(&mut media, Load::Traffic, 255);
    assert_eq!(last(&media, Load::Traffic), Spent { bytes: 257, time: modulation.airtime(255) });
}

#[test]
fn a_share_is_of_what_the_interface_was_measured_to_carry() {
    let mut media = Bench::with(framed());
    let spent = Spent { bytes: 3_750, time: Duration::from_secs(6) };
    let share = |media: &Bench| media.organ.share_ppm(LEFT, spent, Window::TenMinutes);
    assert_eq!(share(&media), Some(10_000), "6 s of 600");
    // A driver that keeps each frame for ten times its airtime, while others wait.
    media.tell(of_load(ROUTING));
    for _ in 0..1_000 {
        media.tell(of_load(ROUTING));
        media.tell(Input::Sealed(LEFT, 20));
        media.now = media.now.after(Duration::from_millis(320));
        media.tell(Input::TxReady(LEFT));
    }
    let measured = media.organ.bandwidth_bps(LEFT).unwrap();
    assert!((500..1_500).contains(&measured), "{measured} bit/s");
    assert_eq!(share(&media), Some(10_000 * 5_000 / measured));
    let unknown = Profile { bandwidth_bps: 0, ..framed() };
    assert_eq!(share(&Bench::with(unknown)), None, "of nothing that is known");
}

#[test]
fn a_meter_outlives_its_interface_and_makes_room_for_one_that_is_there() {
    let mut media = Bench::with(framed());
    leaves(&mut media, ROUTING, 115);
    media.tell(Input::Down(LEFT));
    assert_eq!(last(&media, ROUTING).bytes, 125);
    media.tell(Input::Up(LEFT, framed()));
    leaves(&mut media, ROUTING, 115);
    assert_eq!(last(&media, ROUTING).bytes, 250, "it goes on where it was");
    media.tell(Input::Down(LEFT));
    for n in 0..100 {
        let iface = InterfaceId(100 + n);
        media.tell(Input::Up(iface, framed()));
        media.tell(Input::Send(Frame { iface, ..frame(1) }));
        media.tell(Input::Sealed(iface, 20));
        media.tell(Input::Down(iface));
        assert!(media.organ.meters.len() <= LIMITS.interfaces, "{} meters", media.organ.meters.len());
        assert!(media.organ.meter(iface).is_some());
    }
    assert!(media.organ.meter(LEFT).is_none());
}
