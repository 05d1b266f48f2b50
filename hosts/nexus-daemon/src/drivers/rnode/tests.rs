mod modem;

use nexus_network::Region;
use nexus_network::region::Wish;
use nexus_wire::reticulum::rnode::{DETECT_SEQUENCE, Firmware, RadioState, Rssi, Setting};
use rustix::fs::OFlags;
use tokio::net::TcpListener;

use super::*;
use crate::driver::{Handed, Radio};
use crate::rig::Rig;
use modem::{Heard, Modem as Plugged, Script};

#[tokio::test]
async fn a_radio_comes_up_and_frames_cross_both_ways() {
    let desk = Desk::new();
    let mut modem = desk.plug_in(Script::default());
    let mut rig = Rig::open(&desk.rnode(Some(channel()))).unwrap();
    let interface = rig.opened().await;
    assert_eq!((interface.name.as_str(), interface.carrier), ("test", Carrier::Down));
    assert_eq!(rig.carrier().await, Carrier::Up);
    for frame in [&[1][..], &[0xc0, 0xdb, 0xdc], &[0xc0; 508]] {
        rig.send(&*interface.driver, None, frame).await;
        assert_eq!(modem.frame().await, frame);
        modem.receives(frame, Rssi(60));
        assert_eq!(rig.received().await, (None, frame.to_vec()));
    }
    let radio = radio(&mut rig, |radio| radio.statistics.counters.received == 3).await;
    assert_eq!(radio.statistics.rssi_dbm.unwrap().last, -97);
    assert_eq!(radio.device.unwrap().firmware, Firmware { major: 1, minor: 78 });
    rig.close().await;
    assert_eq!(modem.last_words().await, [Heard::Set(Setting::RadioState(RadioState::OFF)), Heard::Leave]);
}

#[tokio::test]
async fn a_plug_that_is_pulled_and_put_back_is_noticed_each_time() {
    let desk = Desk::new();
    let mut rig = Rig::open(&desk.rnode(Some(channel()))).unwrap();
    let interface = rig.opened().await;
    for _ in 0..3 {
        let mut modem = desk.plug_in(Script::default());
        assert_eq!(rig.carrier().await, Carrier::Up);
        rig.send(&*interface.driver, None, b"on").await;
        assert_eq!(modem.frame().await, b"on");
        // With a frame that the modem never said to have sent.
        modem.pull().await;
        assert_eq!(rig.carrier().await, Carrier::Down);
        let told = fault(&mut rig).await;
        let path = desk.path.display();
        assert_eq!(told, format!("{path} was unplugged; it will be used again when it is back"));
    }
}

#[tokio::test]
async fn a_port_that_is_not_there_is_waited_for_and_said_once() {
    let desk = Desk::new();
    let mut rig = Rig::open(&desk.rnode(Some(channel()))).unwrap();
    let _interface = rig.opened().await;
    let told = fault(&mut rig).await;
    assert!(told.starts_with(&format!("{} cannot be used: No such file", desk.path.display())), "{told}");
    while rig.running.counters.errors.load(std::sync::atomic::Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    let _modem = desk.plug_in(Script::default());
    loop {
        match rig.next().await.1 {
            News::Fault(Some(again)) => assert!(!again.contains("cannot be used"), "{again}"),
            News::Carrier(carrier) => break assert_eq!(carrier, Carrier::Up),
            News::Fault(None) | News::Radio(_) => {}
            news => panic!("{news:?}"),
        }
    }
}

#[tokio::test]
async fn without_a_channel_not_one_byte_but_the_question_reaches_the_modem() {
    let desk = Desk::new();
    let mut rig = Rig::open(&desk.rnode(None)).unwrap();
    let interface = rig.opened().await;
    let mut written = Vec::new();
    for _ in 0..2 {
        let modem = desk.plug_in(Script::default());
        fault_that_begins(&mut rig, "silent until the configuration says `region`").await;
        let seen = radio(&mut rig, |radio| radio.condition == Condition::NoChannel).await;
        assert_eq!(seen.device.unwrap().firmware.minor, 78, "it is known all the same");
        // The loop would not do this.
        assert_eq!(interface.driver.transmit(None, vec![1, 2, 3]), Handed::Pending);
        written.extend(modem.pull().await);
    }
    let modem = desk.plug_in(Script::default());
    fault_that_begins(&mut rig, "silent").await;
    rig.close().await;
    written.extend(modem.pull().await);
    assert!(written.len() >= 3 * DETECT_SEQUENCE.len());
    assert!(written.chunks(DETECT_SEQUENCE.len()).all(|piece| piece == DETECT_SEQUENCE), "{written:02x?}");
}

#[tokio::test]
async fn a_firmware_that_is_too_old_is_named() {
    let desk = Desk::new();
    let _modem = desk.plug_in(Script { firmware: Firmware { major: 1, minor: 40 } });
    let mut rig = Rig::open(&desk.rnode(Some(channel()))).unwrap();
    let _interface = rig.opened().await;
    let told = fault_that_begins(&mut rig, "off, and tried again every half minute: ").await;
    assert!(told.ends_with("the RNode's firmware is 1.40, and 1.52 or later is needed: update it"), "{told}");
}

#[tokio::test]
async fn a_port_that_another_program_uses_is_left_to_it() {
    let desk = Desk::new();
    let _modem = desk.plug_in(Script::default());
    // A pty ends with the last that holds it, hardware does not.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let _held = rustix::fs::open(&desk.path, flags, rustix::fs::Mode::empty()).unwrap();
    let mut first = Rig::open(&desk.rnode(Some(channel()))).unwrap();
    let _first = first.opened().await;
    assert_eq!(first.carrier().await, Carrier::Up);
    let mut second = Rig::open(&desk.rnode(Some(channel()))).unwrap();
    let _second = second.opened().await;
    let told = fault(&mut second).await;
    assert!(told.starts_with(&format!("{} cannot be used: ", desk.path.display())), "{told}");
    first.close().await;
    assert_eq!(second.carrier().await, Carrier::Up, "once it is given up, it is free");
}

#[tokio::test]
async fn a_modem_in_the_network_is_used_like_one_on_a_cable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rnode = Rnode { place: Place::Tcp(address.to_string()), ..Desk::new().rnode(Some(channel())) };
    assert_eq!(Medium::place(&rnode).unwrap(), format!("tcp://{address}"));
    let mut rig = Rig::open(&rnode).unwrap();
    let interface = rig.opened().await;
    for _ in 0..2 {
        let (connection, _from) = listener.accept().await.unwrap();
        let mut modem = Plugged::run(connection, Script::default());
        assert_eq!(rig.carrier().await, Carrier::Up);
        rig.send(&*interface.driver, None, b"over").await;
        assert_eq!(modem.frame().await, b"over");
        modem.pull().await;
        assert_eq!(rig.carrier().await, Carrier::Down);
        let told = fault(&mut rig).await;
        assert_eq!(
            told,
            format!("tcp://{address} does not answer any more; it will be used again when it is back")
        );
    }
}

/// Where modems are plugged in and out.
struct Desk {
    _directory: tempfile::TempDir,
    path: std::path::PathBuf,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ttyUSB0");
        Self { _directory: directory, path }
    }

    fn rnode(&self, channel: Option<Channel>) -> Rnode {
        let millis = Duration::from_millis;
        Rnode {
            place: Place::Serial { path: self.path.clone(), baud: BAUD },
            mode: Mode::Nexus,
            channel,
            backoff: Backoff { first: millis(5), most: millis(20), lasted: millis(1_000) },
        }
    }

    fn plug_in(&self, script: Script) -> Plugged {
        Plugged::run_plugged(crate::drivers::port::pty::Plugged::at(&self.path), script)
    }
}

fn channel() -> Channel {
    let wish = Wish {
        frequency_hz: None,
        bandwidth_hz: None,
        spreading_factor: None,
        coding_rate: None,
        tx_power_dbm: None,
        duty: DutyCycle::TEN_PERCENT,
    };
    Region::Eu868.channel(&wish).unwrap()
}

/// The next fault that is told, whatever else is.
async fn fault(rig: &mut Rig) -> String {
    loop {
        if let (_, News::Fault(Some(fault))) = rig.next().await
            && !fault.starts_with("being")
        {
            return fault;
        }
    }
}

async fn fault_that_begins(rig: &mut Rig, beginning: &str) -> String {
    loop {
        let fault = fault(rig).await;
        if fault.starts_with(beginning) {
            return fault;
        }
    }
}

/// What is told of the radio once it is so.
async fn radio(rig: &mut Rig, is_so: impl Fn(&Radio) -> bool) -> Radio {
    loop {
        if let (_, News::Radio(radio)) = rig.next().await
            && is_so(&radio)
        {
            return *radio;
        }
    }
}
