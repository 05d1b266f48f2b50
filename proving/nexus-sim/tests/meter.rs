//! The meter of media counts everything that crosses them, once, and knows what it is.

use nexus_machine::Duration;
use nexus_node::Node;
use nexus_sim::layout::{Shape, Speech};
use nexus_sim::meter::{Class, Load, Meter, Scope};
use nexus_sim::observation::{Observation, Observer, What};
use nexus_sim::swarm::seed;
use nexus_sim::world::{self, Scenario};

/// What was on each radio channel, by the air's own record.
#[derive(Default)]
struct Air {
    bytes: u64,
    airtime: Duration,
}

impl Observer for Air {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Aired { airtime, bytes, .. } = observation.what {
            self.bytes += u64::try_from(bytes.len()).expect("a length fits u64");
            self.airtime = self.airtime.plus(airtime);
        }
    }
}

/// Two hours of a local network, a radio channel and a cable between them, on which links are spoken.
fn metered() -> (Meter, Air) {
    let seed = seed(11);
    let layout = Shape::Mixed.layout(7, &seed).speaking(Speech::NEXUS, &seed);
    let scenario = Scenario::calm(seed, layout, Duration::from_secs(2 * 3_600));
    let (mut meter, mut air) = (Meter::new(&scenario.layout), Air::default());
    world::run::<Node>(&scenario, &mut [&mut meter, &mut air]);
    (meter, air)
}

/// Bytes and nanoseconds of all senders on media of a class, of loads that are so.
fn sums(meter: &Meter, class: Class, is_so: impl Fn(Load) -> bool) -> (u64, u64) {
    let of_class = meter.gauges(Scope::Sender).filter(|(medium, ..)| meter.class(*medium) == class);
    let accounts = of_class.flat_map(|(.., gauge)| gauge.accounts());
    let those = accounts.filter(|(load, _)| is_so(*load));
    those.fold((0, 0), |(bytes, ns), (_, account)| (bytes + account.bytes, ns + account.busy_ns))
}

#[test]
fn every_frame_is_opened_and_what_radios_had_on_the_air_is_counted_to_the_byte() {
    let (meter, air) = metered();
    for class in [Class::Cable, Class::Switched, Class::Radio] {
        assert_eq!(sums(&meter, class, |load| load == Load::Unopened), (0, 0), "{class:?}");
        for expected in [Load::Links, Load::Announces] {
            assert!(sums(&meter, class, |load| load == expected).0 > 0, "{expected:?} on {class:?}");
        }
    }
    let all = sums(&meter, Class::Radio, |_| true);
    assert_eq!(all, (air.bytes, air.airtime.as_micros() * 1_000));
}

#[test]
fn where_all_hear_each_other_a_place_hears_what_all_send() {
    let (meter, _) = metered();
    let radio = |scope| meter.gauges(scope).filter(|(medium, ..)| meter.class(*medium) == Class::Radio);
    let busy =
        |gauge: &nexus_sim::meter::Gauge| gauge.accounts().map(|(_, account)| account.busy_ns).sum::<u64>();
    let sent: u64 = radio(Scope::Sender).map(|(.., gauge)| busy(gauge)).sum();
    let heard: Vec<u64> = radio(Scope::Place).map(|(.., gauge)| busy(gauge)).collect();
    assert!(heard.len() > 2, "{heard:?}");
    // Who started last missed the others' first frames.
    let nearly_all = sent - sent / 500..=sent;
    assert!(heard.iter().all(|heard| nearly_all.contains(heard)), "{sent} and {heard:?}");
}
