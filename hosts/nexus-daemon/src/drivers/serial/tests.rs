use nexus_wire::reticulum::kiss;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, Instant};

use super::*;
use crate::driver::Handed;
use crate::drivers::port::pty::Plugged;
use crate::rig::Rig;

#[tokio::test]
async fn frames_cross_a_cable_both_ways_and_again_after_the_plug_was_pulled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyS0");
    let mut rig = Rig::open(&serial(&path, Framing::Hdlc, 10_000_000)).unwrap();
    let interface = rig.opened().await;
    for _ in 0..2 {
        let mut plugged = Plugged::at(&path);
        assert_eq!(rig.carrier().await, Carrier::Up);
        rig.send(&*interface.driver, None, &[0x7e, 0x7d, 0x0d, 0x0a, 0x03]).await;
        let mut bytes = [0; 9];
        plugged.modem.read_exact(&mut bytes).await.unwrap();
        assert_eq!(
            bytes,
            [0x7e, 0x7d, 0x5e, 0x7d, 0x5d, 0x0d, 0x0a, 0x03, 0x7e],
            "raw: nothing is translated"
        );
        plugged.modem.write_all(&[0x7e, 0x04, 0x11, 0x13, 0x0d, 0x7e]).await.unwrap();
        assert_eq!(rig.received().await.1, [0x04, 0x11, 0x13, 0x0d]);
        drop(plugged);
        assert_eq!(rig.carrier().await, Carrier::Down);
    }
    rig.close().await;
}

#[tokio::test]
async fn a_packet_radio_modem_gets_data_frames_and_what_it_says_of_itself_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyS0");
    let mut plugged = Plugged::at(&path);
    let mut rig = Rig::open(&serial(&path, Framing::Kiss, 10_000_000)).unwrap();
    let interface = rig.opened().await;
    assert_eq!(rig.carrier().await, Carrier::Up);
    rig.send(&*interface.driver, None, &[0xc0, 1]).await;
    let mut bytes = [0; 6];
    plugged.modem.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, [0xc0, 0x00, 0xdb, 0xdc, 1, 0xc0]);
    // Its settings echoed, then a frame on its second port.
    plugged.modem.write_all(&[0xc0, 0x01, 0x32, 0xc0, 0x10, 7, 8, 0xc0]).await.unwrap();
    assert_eq!(rig.received().await.1, [7, 8]);
    assert_eq!(kiss::Command::DATA.0, 0);
}

#[tokio::test]
async fn no_frame_is_handed_over_before_the_air_has_carried_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ttyS0");
    let _plugged = Plugged::at(&path);
    let mut rig = Rig::open(&serial(&path, Framing::Kiss, 24_000)).unwrap();
    let interface = rig.opened().await;
    assert_eq!(rig.carrier().await, Carrier::Up);
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(interface.driver.transmit(None, vec![1; 150]), Handed::Pending);
        while !matches!(rig.next().await.1, News::Sent) {}
    }
    assert!(began.elapsed() >= Duration::from_millis(150), "150 bytes are 50 ms at 24 kbit/s");
}

fn serial(path: &std::path::Path, framing: Framing, bitrate_bps: u64) -> Serial {
    let millis = Duration::from_millis;
    Serial {
        place: Place::Serial { path: path.to_owned(), baud: 115_200 },
        framing,
        bitrate_bps,
        mode: Mode::Nexus,
        backoff: Backoff { first: millis(5), most: millis(20), lasted: millis(1_000) },
    }
}
