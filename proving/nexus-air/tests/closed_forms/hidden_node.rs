//! Two senders and a receiver between them: what is lost if the two do not hear each other.
//!
//! Each waits a random time of mean 1/λ, looks whether the channel is clear, and sends a frame of T; if it is taken it waits again.
//! δ is the turnaround, for which it is deaf and not yet heard. Both curves are exact:
//!
//! * hidden, the other's signal is off for δ and an exponential time, on for T, and a frame is received if it is off when the
//!   frame begins and stays so: `S = 2 · T / (1/λ + δ + T) · exp(-λ (T - δ)) / (1 + λ (δ + T))`;
//! * in reach, a cycle is the time until the first of two begins, and a frame, which is lost if the other begins within δ:
//!   `S = T exp(-λδ) / (1/2λ + δ + T + (1 - exp(-λδ) (1 + λδ)) / λ)`.

use nexus_air::air::TURNAROUND;
use nexus_air::{Capture, Hearing, RadioId, Signal};
use nexus_machine::Instant;
use nexus_plot::{Axis, Mark, Plot};

use crate::bench::{Bench, GATEWAY, channel};
use crate::{curve, figure, steps};

const SENDERS: [RadioId; 2] = [RadioId(1), RadioId(2)];
const FRAMES: u32 = 4_000;
const PAYLOAD: usize = 40;

/// Whether the two senders hear each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Hidden,
    InReach,
}

fn hearing(other: Other) -> Hearing {
    let mut hearing = Hearing::nobody(3);
    for sender in SENDERS {
        hearing.connect(GATEWAY, sender, Signal::GOOD);
    }
    match other {
        Other::Hidden => {}
        Other::InReach => hearing.connect(SENDERS[0], SENDERS[1], Signal::GOOD),
    }
    hearing
}

/// What is received at this rate of each sender, in looks in the time of a frame.
fn throughput(other: Other, capture: Capture, rate: f64) -> f64 {
    let mut bench = Bench::new(hearing(other), capture, channel(125_000, 7), PAYLOAD);
    let whole = TURNAROUND.plus(bench.airtime);
    let mut looks: [Instant; 2] = [bench.now.after(bench.pause(rate)), bench.now.after(bench.pause(rate))];
    for _ in 0..FRAMES * 2 {
        let turn = usize::from(looks[1] < looks[0]);
        bench.pass(looks[turn]);
        let free = !bench.air.is_busy(bench.now, SENDERS[turn]);
        let again = if free { bench.now.after(whole) } else { bench.now };
        if free {
            bench.send(SENDERS[turn]);
        }
        looks[turn] = again.after(bench.pause(rate));
    }
    bench.finish();
    bench.throughput()
}

#[test]
fn hidden_senders_lose_what_renewal_theory_says_and_those_in_reach_next_to_nothing() {
    let airtime = channel(125_000, 7).modulation.transmission(PAYLOAD);
    let blind = TURNAROUND.as_micros() as f64 / airtime.as_micros() as f64;
    let hidden = |rate: f64| {
        let clear = libm::exp(-rate * (1.0 - blind)) / (1.0 + rate * (1.0 + blind));
        2.0 / (1.0 / rate + blind + 1.0) * clear
    };
    let in_reach = |rate: f64| {
        let unnoticed = libm::exp(-rate * blind);
        let second = (1.0 - unnoticed * (1.0 + rate * blind)) / rate;
        unnoticed / (0.5 / rate + blind + 1.0 + second)
    };
    let rates = || steps(0.1, 3.0, 29);
    let measure = |other, capture| curve(rates(), |rate| throughput(other, capture, rate));
    let [far, near] = [Other::Hidden, Other::InReach].map(|other| measure(other, Capture::Textbook));
    for (measured, theory) in
        [(&far, &hidden as &dyn Fn(f64) -> f64), (&near, &in_reach as &dyn Fn(f64) -> f64)]
    {
        for (rate, throughput) in measured {
            let off = (throughput - theory(*rate)).abs();
            assert!(off < 0.02, "at {rate}: {throughput} and not {}", theory(*rate));
        }
    }
    let plot = Plot::new(
        "Two senders that look before they send, and a receiver between them",
        Axis::new("looks of each sender in the time of a frame", 0.0, 3.0),
        Axis::new("throughput", 0.0, 1.2),
    )
    .with("in reach: theory", Mark::Line, curve(steps(0.02, 3.0, 149), in_reach))
    .with("hidden from each other: theory", Mark::Line, curve(steps(0.02, 3.0, 149), hidden))
    .with("in reach: any overlap destroys both", Mark::Dots, near)
    .with("hidden: any overlap destroys both", Mark::Dots, far)
    .with(
        "hidden: energy and capture, equally strong",
        Mark::Dots,
        measure(Other::Hidden, Capture::Energy),
    );
    figure("hidden-node", &plot);
}
