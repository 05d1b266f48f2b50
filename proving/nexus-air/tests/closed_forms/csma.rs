//! Non-persistent carrier sense: L. Kleinrock and F. Tobagi, "Packet switching in radio channels, part I", IEEE Transactions on
//! Communications 23(12), 1975, equation 8. What is propagation there is here the turnaround, for which nobody can sense a radio
//! that has decided to send.

use nexus_air::air::TURNAROUND;
use nexus_air::{Capture, Channel, Hearing, RadioId};
use nexus_plot::{Axis, Mark, Plot};

use crate::bench::{Bench, GATEWAY, channel};
use crate::{curve, figure, steps};

const SENDERS: u16 = 16;
/// For how many frame times traffic is offered: a throughput is known to less than a hundredth.
const FRAME_TIMES: u64 = 6_000;

fn throughput(capture: Capture, channel: Channel, payload: usize, load: f64) -> f64 {
    let mut bench = Bench::new(Hearing::everybody(SENDERS + 1), capture, channel, payload);
    let over = bench.now.after(bench.airtime.times(FRAME_TIMES));
    for n in 0_u32.. {
        let arrival = bench.now.after(bench.pause(load));
        if arrival > over {
            break;
        }
        bench.pass(arrival);
        let ids =
            (0..u32::from(SENDERS)).map(|skip| u16::try_from((n + skip) % u32::from(SENDERS)).unwrap() + 1);
        let sender = ids.map(RadioId).find(|sender| !bench.air.is_transmitting(*sender));
        // Who finds the channel taken comes again much later, as one of the arrivals.
        if let Some(sender) = sender.filter(|sender| !bench.air.is_busy(bench.now, *sender)) {
            bench.send(sender);
        }
    }
    bench.finish();
    assert_eq!(bench.air.meter(GATEWAY).sent, 0);
    bench.throughput()
}

#[test]
fn non_persistent_carrier_sense_carries_what_kleinrock_and_tobagi_say() {
    let mut plot = Plot::new(
        "Non-persistent CSMA: S = G exp(-aG) / (G (1 + 2a) + exp(-aG))",
        Axis::new("offered load, attempts per frame time", 0.0, 30.0),
        Axis::new("throughput", 0.0, 1.4),
    );
    for (name, channel, payload) in [
        ("SF7, 125 kHz, 60 bytes", channel(125_000, 7), 60),
        ("SF5, 500 kHz, 20 bytes", channel(500_000, 5), 20),
    ] {
        let airtime = channel.modulation.transmission(payload);
        let blind = TURNAROUND.as_micros() as f64 / airtime.as_micros() as f64;
        let theory = |load: f64| {
            let unnoticed = libm::exp(-blind * load);
            load * unnoticed / (load * (1.0 + 2.0 * blind) + unnoticed)
        };
        let loads = || steps(0.5, 30.0, 10);
        let measured = curve(loads(), |load| throughput(Capture::Textbook, channel, payload, load));
        for (load, throughput) in &measured {
            let off = (throughput - theory(*load)).abs();
            assert!(off < 0.025, "{name} at {load}: {throughput} and not {}", theory(*load));
        }
        let captured = curve(loads(), |load| throughput(Capture::Energy, channel, payload, load));
        plot = plot
            .with(&format!("{name}, a = {blind:.3}"), Mark::Line, curve(steps(0.0, 30.0, 120), theory))
            .with(&format!("{name}: any overlap destroys both"), Mark::Dots, measured)
            .with(&format!("{name}: energy and capture"), Mark::Dots, captured);
    }
    figure("csma", &plot);
}
