//! Hosts pace what they give to modems: whatever waits, waits where it can be overtaken.

use nexus_air::Hearing;
use nexus_machine::{Duration, Seed};
use nexus_network::Mode;
use nexus_network::lora::Modulation;
use nexus_network::rnode::Settings;
use nexus_sim::clock::WorldTime;
use nexus_sim::layout::Layout;
use nexus_sim::modems::{Modems, Said};

const HOSTS: usize = 4;

/// Four hosts that always have another frame, on one channel for ten minutes: three are always in each other's way.
#[test]
fn a_modem_never_holds_more_than_the_frame_that_it_is_about_to_send() {
    let layout = Layout::lora(Modulation::new(250_000, 7, 5).expect("a modulation"), 4);
    let settings = Settings { mode: Mode::Nexus, channel: layout.media[0].modems };
    let mut modems = Modems::new(vec![settings; HOSTS], Hearing::everybody(4), &Seed::new([3; 32]));
    (0..HOSTS).for_each(|port| modems.start(WorldTime::START, port));
    let until = WorldTime::from_start(Duration::from_secs(600));
    let (mut sent, mut deepest) = (0, 0);
    let mut now = WorldTime::START;
    loop {
        for (port, said) in modems.take_said() {
            match said {
                Said::Up(_) | Said::Ready => {
                    modems.transmit(now, port, vec![7; 200]);
                    sent += 1;
                }
                Said::Down => panic!("nothing goes wrong"),
                Said::Heard(_) | Said::Marred(_) => {}
            }
        }
        modems.take_transmissions();
        deepest = (0..HOSTS).map(|port| modems.waiting(port)).max().unwrap_or(0).max(deepest);
        match modems.next_due() {
            Some(due) if due <= until => now = due,
            Some(_) | None => break,
        }
        modems.advance(now);
    }
    assert!(sent > 500, "the channel was in use: {sent} frames");
    assert_eq!(deepest, 1);
}
