//! The arithmetic of duty cycles against its closed form. Each comparison is a figure of `spec/network.md`, drawn anew by
//! `NEXUS_PLOTS=draw cargo nextest run -p nexus-sim --test duty_cycle`.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]
#![allow(clippy::cast_precision_loss, reason = "counts and microseconds of a test are far below 2⁵³")]

use std::collections::VecDeque;
use std::path::Path;

use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot};
use nexus_network::media::{Effect, Flow, Frame, Input, Limits, Load, Media};
use nexus_network::region::{Region, Wish};
use nexus_network::rnode::Settings;
use nexus_network::{Class, DutyCycle, InterfaceId, Mode, Profile};
use nexus_plot::{Axis, Mark, Plot};

const HOUR: Duration = Duration::from_secs(3_600);
const IFACE: InterfaceId = InterfaceId(0);
/// A hundredth of an hour, in microseconds.
const HUNDREDTH: u64 = 36_000_000;

fn profile(spreading_factor: u8) -> Profile {
    let wish = Wish {
        frequency_hz: Some(868_300_000),
        bandwidth_hz: Some(125_000),
        spreading_factor: Some(spreading_factor),
        coding_rate: Some(5),
        tx_power_dbm: Some(14),
        duty: DutyCycle::ONE_PERCENT,
    };
    let channel = Some(Region::Eu868.channel(&wish).unwrap());
    Settings { mode: Mode::Nexus, channel }.profile().unwrap()
}

/// When each frame left of somebody who always has another one of so many bytes, and a driver that takes it at once.
fn left(profile: Profile, bytes: usize, until: Instant) -> Vec<Instant> {
    let mut media = Media::new(Limits::default(), &Snapshot::empty(), &Seed::new([1; 32]));
    let airtime = profile.airtime(bytes);
    let (mut now, mut left) = (Instant::BOOT, Vec::new());
    let mut inputs = VecDeque::from([Input::Up(IFACE, profile), another(bytes), another(bytes)]);
    loop {
        while let Some(input) = inputs.pop_front() {
            let mut effects = VecDeque::new();
            media.handle(Cx::at(now), input, &mut effects);
            take(effects, bytes, now, &mut left, &mut inputs);
        }
        // The driver has a frame, or the node waits for the hour to pass.
        let driven = left.last().map(|at: &Instant| at.after(airtime)).filter(|end| *end > now);
        match driven.or_else(|| media.next_timeout()) {
            Some(next) if next < until => now = next,
            Some(_) | None => return left,
        }
        if driven.is_some() {
            inputs.push_back(Input::TxReady(IFACE));
        } else {
            let mut effects = VecDeque::new();
            media.handle_timeout(Cx::at(now), &mut effects);
            take(effects, bytes, now, &mut left, &mut inputs);
        }
    }
}

fn take(
    effects: VecDeque<Effect>,
    bytes: usize,
    now: Instant,
    left: &mut Vec<Instant>,
    inputs: &mut VecDeque<Input>,
) {
    for effect in effects {
        match effect {
            Effect::Transmit(_) => {
                left.push(now);
                inputs.push_back(another(bytes));
            }
            Effect::Write { number, .. } => inputs.push_back(Input::Durable(number)),
            Effect::Carries(..) | Effect::Lost(_) => {}
            Effect::Surge(..) | Effect::Congested { .. } => unreachable!("one frame waits at a time"),
            Effect::Sense(_) | Effect::Jammed(_) => unreachable!("an RNode listens by itself"),
        }
    }
}

fn another(bytes: usize) -> Input {
    Input::Send(Frame {
        iface: IFACE,
        to: None,
        bytes: vec![7; bytes],
        about: None,
        load: Load::Traffic,
        // What rests for an hour has to be of use afterwards.
        flow: Flow { class: Class::Bulk, ..Flow::OWN },
        under: None,
    })
}

#[test]
fn an_hour_at_one_percent_has_as_many_frames_as_its_airtime_divided_by_theirs() {
    let mut plot = Plot::new(
        "Frames an hour at 1 %, 125 kHz, 4/5",
        Axis::new("bytes of a frame", 0.0, 520.0),
        Axis::new("frames an hour", 0.0, 550.0),
    );
    let mut measured = Vec::new();
    for spreading_factor in 7..=12 {
        let profile = profile(spreading_factor);
        let airtime = |bytes: usize| profile.airtime(bytes).as_micros();
        for bytes in (20..=500).step_by(60) {
            let frames = left(profile, bytes, Instant::BOOT.after(HOUR)).len() as u64;
            // A part in ten thousand is for the transmitter's clock, and a microsecond for rounding.
            let counted = airtime(bytes) + airtime(bytes) / 10_000 + 1;
            assert_eq!(frames, HUNDREDTH / counted, "SF{spreading_factor}, {bytes} bytes");
            assert!(HUNDREDTH / airtime(bytes) - frames <= 1, "SF{spreading_factor}, {bytes} bytes");
            measured.push((bytes as f64, frames as f64));
        }
        let curve = (20..=500).map(|bytes| (bytes as f64, HUNDREDTH as f64 / airtime(bytes) as f64));
        plot = plot.with(&format!("SF{spreading_factor}: 36 s / airtime"), Mark::Line, curve.collect());
    }
    figure("duty-frames", &plot.with("left within an hour", Mark::Dots, measured));
}

/// After a burst the node rests until the minute in which the first frame left is 62 minutes past its beginning.
#[test]
fn after_a_burst_a_node_rests_for_the_hour_and_no_hour_has_more_than_its_share() {
    let profile = profile(7);
    let airtime = profile.airtime(500);
    let until = Duration::from_secs(3 * 3_600);
    let left = left(profile, 500, Instant::BOOT.after(until));
    let in_the_hour_before = |at: Instant| {
        let sent = left.iter().filter(|began| began.after(airtime) <= at && at.since(**began) <= HOUR);
        sent.count() as u64 * airtime.as_micros()
    };
    let gaps = left.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
    assert!(gaps >= HOUR && gaps <= Duration::from_secs(62 * 60), "{gaps:?}");
    let minutes = (0..=180 * 4).map(|quarter| Instant::BOOT.after(Duration::from_secs(15 * quarter)));
    let sum: Vec<_> =
        minutes.map(|at| (at.as_micros() as f64 / 60e6, in_the_hour_before(at) as f64 / 1e6)).collect();
    assert!(sum.iter().all(|(_, seconds)| *seconds <= 36.0));
    let plot = Plot::new(
        "Airtime in the hour before, frames of 500 bytes at SF7, 125 kHz",
        Axis::new("minutes", 0.0, 180.0),
        Axis::new("seconds", 0.0, 45.0),
    );
    let limit = vec![(0.0, 36.0), (180.0, 36.0)];
    figure(
        "duty-rest",
        &plot.with("1 %", Mark::Dashes, limit).with("somebody always has a frame", Mark::Line, sum),
    );
}

fn figure(name: &str, plot: &Plot) {
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/plots");
    nexus_plot::hold(&figures.join(name).with_extension("svg"), &plot.svg()).unwrap();
}
