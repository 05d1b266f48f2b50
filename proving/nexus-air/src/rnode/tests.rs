//! Modems on an air of their own, in virtual time.

use nexus_machine::{Duration, Instant, Seed};
use nexus_network::lora::Modulation;
use nexus_wire::reticulum::kiss::{Command, Deframer, Frame};
use nexus_wire::reticulum::rnode::{
    AirtimeLimit, DETECT_SEQUENCE, DeviceError, Firmware, FromDevice, Hertz, RadioState, Setting, ToDevice,
};

use super::*;
use crate::air::Faults;
use crate::fleet::Fleet;
use crate::hearing::Hearing;
use crate::record::{Recording, Transmission};

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);
const C: RadioId = RadioId(2);

/// Says nothing unasked.
const QUIET: Model = Model { statistics: None, ..Model::ESP32 };

const CHANNEL: [Setting; 5] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(125_000)),
    Setting::TxPower(14),
    Setting::SpreadingFactor(8),
    Setting::CodingRate(5),
];

/// What a test reads of what a modem said.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Said {
    Echo(Setting),
    Data(Vec<u8>),
    Error(DeviceError),
    Ready(Vec<u8>),
    Other(u8),
}

struct Bench {
    fleet: Fleet,
    now: Instant,
}

impl Bench {
    fn new(hearing: Hearing, model: Model, seed: u8) -> Self {
        let fleet = Fleet::new(hearing, &[model], Recording::Last(4_096), &Seed::new([seed; 32]));
        Self { fleet, now: Instant::BOOT }
    }

    /// Modems that are switched on and have said all that they say to that.
    fn on(hearing: Hearing, model: Model, seed: u8) -> Self {
        let mut bench = Self::new(hearing, model, seed);
        for n in 0..bench.fleet.air().radios() {
            bench.bring_up(RadioId(n));
        }
        bench
    }

    fn bring_up(&mut self, radio: RadioId) {
        for setting in CHANNEL.into_iter().chain([Setting::RadioState(RadioState::ON)]) {
            self.set(radio, setting);
        }
        self.said(radio);
    }

    fn say(&mut self, radio: RadioId, message: &ToDevice<'_>) {
        let mut buffer = [0; 1_100];
        let bytes = message.encode(&mut buffer).unwrap();
        self.fleet.hear(self.now, radio, bytes);
    }

    fn set(&mut self, radio: RadioId, setting: Setting) {
        self.say(radio, &ToDevice::Set(setting));
    }

    fn send(&mut self, radio: RadioId, packet: &[u8]) {
        self.say(radio, &ToDevice::Data(packet));
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.fleet.advance(self.now);
    }

    /// Everything that a modem has said since this was last asked.
    fn said(&mut self, radio: RadioId) -> Vec<Said> {
        let bytes = self.fleet.rnode(radio).output().to_vec();
        self.fleet.taken(radio, bytes.len());
        let (mut deframer, mut stream, mut all) = (Deframer::new(508), &bytes[..], Vec::new());
        while let Some(frame) = deframer.next_frame(&mut stream) {
            all.push(match FromDevice::decode(frame).unwrap() {
                FromDevice::Echo(echo) => Said::Echo(echo),
                FromDevice::Data(data) => Said::Data(data.to_vec()),
                FromDevice::Error(error) => Said::Error(error),
                FromDevice::Ready(data) => Said::Ready(data.to_vec()),
                FromDevice::Detected
                | FromDevice::Firmware(_)
                | FromDevice::Platform(_)
                | FromDevice::Mcu(_)
                | FromDevice::Received(_)
                | FromDevice::Sent(_)
                | FromDevice::Rssi(_)
                | FromDevice::Snr(_)
                | FromDevice::Other(_) => Said::Other(frame.command.0),
            });
        }
        all
    }

    fn packets(&mut self, radio: RadioId) -> Vec<Vec<u8>> {
        let packet = |said| match said {
            Said::Data(data) => Some(data),
            Said::Echo(_) | Said::Error(_) | Said::Ready(_) | Said::Other(_) => None,
        };
        self.said(radio).into_iter().filter_map(packet).collect()
    }

    fn on_air(&mut self) -> Vec<Transmission> {
        self.fleet.air().take_transmissions()
    }
}

fn modulation() -> Modulation {
    Modulation::new(125_000, 8, 5).unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_modem_is_detected_with_the_version_that_it_claims() {
    let old = Model { version: Firmware { major: 1, minor: 51 }, ..QUIET };
    let mut bench = Bench::new(Hearing::everybody(1), old, 1);
    // In pieces of one byte: a line cuts as it likes.
    for byte in DETECT_SEQUENCE {
        bench.fleet.hear(Instant::BOOT, A, &[byte]);
    }
    let expected =
        [0xc0, 0x08, 0x46, 0xc0, 0xc0, 0x50, 1, 51, 0xc0, 0xc0, 0x48, 0x80, 0xc0, 0xc0, 0x49, 0x81, 0xc0];
    assert_eq!(bench.fleet.rnode(A).output(), expected);
}

#[test]
fn each_setting_is_echoed_as_it_was_set_and_what_cannot_be_set_stays_as_it_was() {
    let mut bench = Bench::new(Hearing::everybody(1), QUIET, 1);
    let limits = [AirtimeLimit(3_300), AirtimeLimit(150)];
    let limits = [Setting::ShortAirtimeLimit(limits[0]), Setting::LongAirtimeLimit(limits[1])];
    for setting in CHANNEL.into_iter().chain(limits) {
        bench.set(A, setting);
        assert_eq!(bench.said(A), [Said::Echo(setting)]);
    }
    for (asked, set) in [
        (Setting::TxPower(30), Setting::TxPower(22)),
        (Setting::TxPower(0xff), Setting::TxPower(22)),
        (Setting::SpreadingFactor(13), CHANNEL[3]),
        (Setting::CodingRate(4), CHANNEL[4]),
        (Setting::Frequency(Hertz(0)), CHANNEL[0]),
        (Setting::RadioState(RadioState(0xff)), Setting::RadioState(RadioState::OFF)),
    ] {
        bench.set(A, asked);
        assert_eq!(bench.said(A), [Said::Echo(set)]);
    }
}

#[test]
fn a_modem_that_lies_echoes_something_else() {
    let wrong = Setting::Frequency(Hertz(433_000_000));
    let mut bench = Bench::new(Hearing::everybody(1), Model { echo: Echo::Instead(wrong), ..QUIET }, 1);
    bench.set(A, CHANNEL[0]);
    bench.set(A, CHANNEL[1]);
    assert_eq!(bench.said(A), [Said::Echo(wrong), Said::Echo(CHANNEL[1])]);
}

#[test]
fn a_radio_that_is_not_set_up_does_not_switch_on_and_sends_nothing() {
    let mut bench = Bench::new(Hearing::everybody(2), QUIET, 1);
    bench.set(A, Setting::RadioState(RadioState::ON));
    assert_eq!(
        bench.said(A),
        [Said::Error(DeviceError::RADIO_INIT), Said::Echo(Setting::RadioState(RadioState::OFF))]
    );
    bench.send(A, b"packet");
    assert_eq!(bench.said(A), [Said::Error(DeviceError::TX_FAILED)]);
    bench.pass(MINUTE);
    assert_eq!((bench.on_air(), bench.fleet.rnode(A).counters().refused), (vec![], 1));
}

#[test]
fn a_packet_arrives_behind_its_signal_and_the_sender_is_ready_again() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    bench.send(A, b"a packet");
    bench.pass(MINUTE);
    assert_eq!(bench.said(B), [Said::Other(0x23), Said::Other(0x24), Said::Data(b"a packet".to_vec())]);
    assert_eq!(bench.said(A), [Said::Ready(vec![1])]);
    let [transmission] = &bench.on_air()[..] else { panic!("one packet, one transmission") };
    assert_eq!(transmission.end.since(transmission.start), modulation().airtime(8));
    assert_eq!((transmission.bytes[0] & 0x0f, &transmission.bytes[1..]), (0, &b"a packet"[..]));
    let meter = bench.fleet.air().meter(A);
    assert_eq!((meter.sent, meter.airtime), (1, modulation().airtime(8)));
}

#[test]
fn a_long_packet_goes_in_two_halves_and_arrives_as_one() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    let packet: Vec<u8> = (0..508_u16).map(|n| n.to_le_bytes()[0]).collect();
    bench.send(A, &packet);
    bench.pass(MINUTE);
    assert_eq!(bench.packets(B), [packet]);
    let on_air = bench.on_air();
    assert_eq!(on_air.len(), 2);
    assert_eq!(on_air[0].end, on_air[1].start);
    assert_eq!(on_air[1].end.since(on_air[0].start), modulation().airtime(508));
    assert_eq!(on_air[0].bytes[0], on_air[1].bytes[0]);
}

#[test]
fn halves_of_hidden_senders_interleave_into_a_packet_that_nobody_sent() {
    // B hears the first half of A's packet, and then all of C's.
    let mut hearing = Hearing::nobody(3);
    hearing.connect(A, B, Signal::GOOD);
    hearing.connect(C, B, Signal::GOOD);
    let (mut merged, mut displaced) = (0, 0);
    for seed in 0..=255 {
        let mut bench = Bench::on(hearing.clone(), QUIET, seed);
        bench.send(A, &[0xaa; 300]);
        while bench.on_air().is_empty() {
            bench.pass(Duration::from_millis(1));
        }
        bench.fleet.air().hearing().set(A, B, None);
        bench.pass(MINUTE);
        bench.send(C, &[0xcc; 300]);
        bench.pass(MINUTE);
        for packet in bench.packets(B) {
            assert!(packet != [0xaa; 300], "its second half was not heard");
            merged += u32::from(packet.len() == 508 && packet.starts_with(&[0xaa; 254]));
        }
        displaced += bench.fleet.rnode(B).counters().displaced;
    }
    assert!((4..40).contains(&merged), "{merged} of 256: one in sixteen is to be expected");
    assert_eq!(merged + displaced, 256, "what does not merge displaces");
}

#[test]
fn a_full_queue_refuses_the_newest_and_says_so() {
    let mut bench = Bench::on(Hearing::everybody(2), Model { queue_packets: 3, ..QUIET }, 1);
    for n in 0..5 {
        bench.send(A, &[n; 20]);
    }
    assert_eq!(bench.said(A), vec![Said::Error(DeviceError::QUEUE_FULL); 2]);
    bench.say(A, &ToDevice::Other(Frame { command: Command::READY, data: &[] }));
    assert_eq!(bench.said(A), [Said::Ready(vec![0])]);
    bench.pass(MINUTE);
    let expected: Vec<_> = (0..3).map(|n| vec![n; 20]).collect();
    assert_eq!((bench.packets(B), bench.fleet.rnode(A).counters().refused), (expected, 2));
}

#[test]
fn a_queue_keeps_its_bound_whatever_a_host_sends() {
    let mut bench = Bench::on(Hearing::everybody(1), QUIET, 1);
    for _ in 0..1_000 {
        bench.send(A, &[0x55; 508]);
        assert!(bench.fleet.rnode(A).waiting() <= QUIET.queue_packets);
    }
    assert!(bench.fleet.rnode(A).output().len() <= 16 * 1024, "nobody reads what it says");
    for _ in 0..10_000 {
        bench.set(A, Setting::TxPower(1));
    }
    assert!(bench.fleet.rnode(A).output().len() <= 16 * 1024);
    assert!(bench.fleet.rnode(A).counters().unread > 0);
}

#[test]
fn beyond_its_airtime_limit_a_modem_waits_until_the_window_has_slid_on() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    bench.set(A, Setting::ShortAirtimeLimit(AirtimeLimit(1_000)));
    for _ in 0..20 {
        bench.send(A, &[0x55; 200]);
    }
    bench.pass(MINUTE);
    let on_air = bench.on_air();
    let (one, window) = (modulation().airtime(200), Duration::from_secs(15));
    for (n, first) in on_air.iter().enumerate() {
        let within = on_air[n..].iter().take_while(|other| other.end.since(first.start) <= window);
        let airtime = one.times(within.count().try_into().unwrap());
        assert!(airtime <= Duration::from_millis(1_500).plus(one), "{airtime:?} in 15 s");
    }
    let allowed = Duration::from_secs(6).as_micros();
    assert!(bench.fleet.air().meter(A).airtime.as_micros() >= allowed / 2, "the limit is also made use of");
    assert!(on_air.len() < 20 && bench.fleet.rnode(A).waiting() > 0);
}

#[test]
fn a_limit_that_is_lifted_holds_nothing_back_any_longer() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    bench.set(A, Setting::LongAirtimeLimit(AirtimeLimit(1)));
    bench.send(A, &[1; 200]);
    bench.send(A, &[2; 200]);
    bench.pass(MINUTE);
    assert_eq!((bench.on_air().len(), bench.fleet.rnode(A).waiting()), (1, 1));
    bench.set(A, Setting::LongAirtimeLimit(AirtimeLimit(0)));
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.packets(B), [vec![1; 200], vec![2; 200]]);
}

#[test]
fn a_modem_waits_while_it_senses_another_and_then_transmits() {
    for seed in 0..32 {
        let mut bench = Bench::on(Hearing::everybody(3), QUIET, seed);
        bench.send(A, &[0xaa; 250]);
        while !bench.fleet.air().is_busy(bench.now, B) {
            bench.pass(Duration::from_millis(1));
        }
        bench.send(B, &[0xbb; 50]);
        bench.pass(MINUTE);
        let on_air = bench.on_air();
        assert_eq!((on_air[0].sender, on_air[1].sender), (A, B));
        let gap = on_air[1].start.since(on_air[0].end);
        assert!(gap >= slot(modulation()).times(2), "{gap:?} is less than two slots");
        assert!(gap <= slot(modulation()).times(2 + CONTENTION_SLOTS), "{gap:?} is a window too late");
        assert_eq!(bench.packets(C), [vec![0xaa; 250], vec![0xbb; 50]]);
    }
}

#[test]
fn whoever_was_about_to_transmit_keeps_what_is_left_of_its_wait() {
    let mut bench = Bench::on(Hearing::everybody(8), QUIET, 5);
    for n in 0..8 {
        bench.send(RadioId(n), &[0x11; 20]);
    }
    bench.pass(MINUTE);
    // Eight drew from 15 slots once, and nobody again: all are through before a second window could have passed.
    let on_air = bench.on_air();
    let first = on_air.iter().map(|one| one.start).min().unwrap();
    let last = on_air.iter().map(|one| one.start).max().unwrap();
    let each = modulation().airtime(20).plus(slot(modulation()).times(2)).plus(Duration::from_millis(2));
    assert_eq!(on_air.len(), 8);
    assert!(last.since(first) <= slot(modulation()).times(CONTENTION_SLOTS).plus(each.times(7)));
}

#[test]
fn who_transmits_much_draws_from_a_later_window() {
    let waits = |seed, before| {
        let mut bench = Bench::on(Hearing::everybody(2), QUIET, seed);
        for _ in 0..before {
            bench.send(A, &[0x55; 254]);
        }
        while bench.fleet.rnode(A).waiting() > 0 {
            bench.pass(Duration::from_millis(10));
        }
        while bench.fleet.air().is_transmitting(A) {
            bench.pass(Duration::from_millis(1));
        }
        bench.on_air();
        let asked = bench.now;
        bench.send(A, &[1]);
        bench.pass(MINUTE);
        bench.on_air()[0].start.since(asked)
    };
    let window = slot(modulation()).times(2 + CONTENTION_SLOTS);
    for seed in 0..8 {
        assert!(waits(seed, 0) <= window.plus(Duration::from_millis(2)));
        assert!(waits(seed, 12) > window, "more than half of 15 s were its own");
    }
}

#[test]
fn a_host_that_leaves_or_resets_takes_everything_with_it() {
    for message in [ToDevice::Leave, ToDevice::Reset, ToDevice::Set(Setting::RadioState(RadioState::OFF))] {
        let mut bench = Bench::on(Hearing::everybody(2), Model::ESP32, 1);
        for _ in 0..3 {
            bench.send(A, &[1; 200]);
        }
        while !bench.fleet.air().is_busy(bench.now, B) {
            bench.pass(Duration::from_millis(1));
        }
        bench.said(A);
        bench.say(A, &message);
        bench.said(A);
        bench.pass(MINUTE);
        assert_eq!(bench.packets(B), Vec::<Vec<u8>>::new(), "what was on the air broke off");
        assert_eq!((bench.said(A), bench.fleet.rnode(A).waiting(), bench.on_air().len()), (vec![], 0, 1));
        // A restart forgets the settings, the others do not.
        bench.set(A, Setting::RadioState(RadioState::ON));
        assert_eq!(bench.fleet.rnode(A).tuned().is_some(), message != ToDevice::Reset);
    }
}

#[test]
fn a_radio_that_is_on_follows_a_change_of_its_channel() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    bench.set(A, Setting::Frequency(Hertz(868_000_000)));
    bench.send(A, b"elsewhere");
    bench.pass(MINUTE);
    assert_eq!(bench.packets(B), Vec::<Vec<u8>>::new());
    bench.set(B, Setting::Frequency(Hertz(868_000_000)));
    bench.send(A, b"together");
    bench.pass(MINUTE);
    assert_eq!(bench.packets(B), [b"together"]);
}

#[test]
fn a_modem_with_bad_memory_hands_on_what_nobody_sent() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    bench.fleet.air().set_faults(B, Faults { corrupt_ppm: 500_000, ..Faults::default() });
    for _ in 0..200 {
        bench.send(A, &[0x5a; 30]);
        bench.pass(MINUTE);
    }
    let packets = bench.packets(B);
    let wrong = packets.iter().filter(|packet| packet[..] != [0x5a; 30]).count();
    assert!(packets.len() == 200 && (60..140).contains(&wrong), "{wrong} of 200 at one half");
    assert_eq!(bench.fleet.rnode(B).counters().corrupted, u32::try_from(wrong).unwrap());
    assert!(packets.iter().all(|packet| packet.len() == 30));
}

#[test]
fn statistics_come_while_the_radio_is_on_and_only_then() {
    let mut bench = Bench::on(Hearing::everybody(1), Model::ESP32, 1);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.said(A), vec![Said::Other(0x25); 10]);
    bench.set(A, Setting::RadioState(RadioState::OFF));
    bench.pass(MINUTE);
    assert_eq!(bench.said(A), [Said::Echo(Setting::RadioState(RadioState::OFF))]);
    assert_eq!(bench.fleet.next_event(), None);
}

#[test]
fn what_is_no_message_is_passed_over_and_the_next_is_understood() {
    let mut bench = Bench::new(Hearing::everybody(1), QUIET, 1);
    let oversize = [&[0xc0, 0x00][..], &[1; 2_000]].concat();
    let garbage: [&[u8]; 5] =
        [b"\x00\x01\x02", b"\xc0\x08\xc0", b"\xc0\x30\x01\xc0", b"\xc0\xdb\x00", &oversize];
    for bytes in garbage {
        bench.fleet.hear(Instant::BOOT, A, bytes);
    }
    assert_eq!(bench.said(A), []);
    bench.fleet.hear(Instant::BOOT, A, b"\xc0\x08\x73\xc0");
    assert_eq!(bench.said(A), [Said::Other(0x08)]);
}

#[test]
fn a_radio_that_somebody_else_switched_off_fails_to_send_and_says_so() {
    let mut bench = Bench::on(Hearing::everybody(2), QUIET, 1);
    bench.send(A, b"never");
    let now = bench.now;
    bench.fleet.air().tune(now, A, None);
    bench.pass(MINUTE);
    assert_eq!(bench.said(A), [Said::Error(DeviceError::TX_FAILED)]);
}

#[test]
fn whatever_a_host_says_at_whatever_moment_every_bound_holds() {
    let mut random = Seed::new([0x77; 32]).fork("any bytes");
    let mut bench = Bench::new(Hearing::everybody(3), Model::ESP32, 1);
    let known = [0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x0a, 0x0b, 0x0c, 0x0f, 0x21, 0x25, 0x55, 0xc0, 0xdb];
    let mut on_air = 0;
    for _ in 0..3_000 {
        let radio = RadioId(u16::try_from(random.below(3)).unwrap());
        match random.below(4) {
            0 => bench.bring_up(radio),
            1 => {
                let length = usize::try_from(random.below(600)).unwrap();
                bench.send(radio, &vec![0xa5; length]);
            }
            2 => {
                let mut bytes = vec![0xc0, known[usize::try_from(random.below(15)).unwrap()]];
                bytes.extend((0..random.below(5)).map(|_| random.bytes::<1>()[0]));
                bytes.push(0xc0);
                bench.fleet.hear(bench.now, radio, &bytes);
            }
            _ => bench.pass(Duration::from_micros(random.below(2_000_000))),
        }
        let rnode = bench.fleet.rnode(radio);
        assert!(rnode.output().len() <= 16 * 1024 && rnode.waiting() <= Model::ESP32.queue_packets);
        assert!(bench.fleet.next_event().is_none_or(|due| due >= bench.now), "nothing is overdue");
        on_air += bench.on_air().len();
    }
    assert!(on_air > 100, "{on_air} transmissions");
}

#[test]
fn the_same_seed_gives_the_same_air_byte_by_byte() {
    let run = |seed| {
        let mut bench = Bench::on(Hearing::everybody(5), Model::ESP32, seed);
        bench.fleet.air().set_faults(B, Faults { loss_ppm: 200_000, corrupt_ppm: 200_000 });
        for round in 0..40_u8 {
            for n in 0..5_u16 {
                bench.send(RadioId(n), &vec![round; 1 + usize::from(round) * 6]);
            }
            bench.pass(Duration::from_millis(1_700));
        }
        bench.pass(MINUTE);
        let heard: Vec<_> = (0..5).map(|n| bench.said(RadioId(n))).collect();
        (bench.on_air(), heard)
    };
    let (first, again, other) = (run(3), run(3), run(4));
    assert!(first.0.len() > 100 && first == again);
    assert!(first.0 != other.0);
}
