//! What the virtual air costs: radios on one channel, each of which sends a packet of 100 bytes a minute. Elements are simulated
//! seconds.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus_air::{Fleet, Hearing, Model, RadioId, Recording};
use nexus_machine::{Duration, Instant, Seed};
use nexus_wire::reticulum::rnode::{Hertz, RadioState, Setting, ToDevice};

const MINUTE: Duration = Duration::from_secs(60);

const SETTINGS: [Setting; 6] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(125_000)),
    Setting::TxPower(14),
    Setting::SpreadingFactor(8),
    Setting::CodingRate(5),
    Setting::RadioState(RadioState::ON),
];

/// A fleet and its clock.
struct World {
    fleet: Fleet,
    now: Instant,
}

impl World {
    fn new(radios: u16, model: Model) -> Self {
        let hearing = Hearing::everybody(radios);
        let mut fleet = Fleet::new(hearing, &[model], Recording::Off, &Seed::new([1; 32]));
        for n in 0..radios {
            for setting in SETTINGS {
                say(&mut fleet, Instant::BOOT, RadioId(n), &ToDevice::Set(setting));
            }
        }
        Self { fleet, now: Instant::BOOT }
    }

    /// A minute in which each radio sends a packet, one after the other.
    fn pass_a_minute(&mut self) {
        let radios = self.fleet.air().radios();
        let apart = Duration::from_micros(MINUTE.as_micros() / u64::from(radios));
        for n in 0..radios {
            self.now = self.now.after(apart);
            say(&mut self.fleet, self.now, RadioId(n), &ToDevice::Data(&[0x5a; 100]));
        }
        for n in 0..radios {
            let heard = black_box(self.fleet.rnode(RadioId(n)).output()).len();
            self.fleet.taken(RadioId(n), heard);
        }
    }
}

fn say(fleet: &mut Fleet, now: Instant, radio: RadioId, message: &ToDevice<'_>) {
    let mut buffer = [0; 256];
    let bytes = message.encode(&mut buffer).expect("the buffer takes it");
    fleet.hear(now, radio, bytes);
}

fn minutes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("air");
    let quiet = Model { statistics: None, ..Model::ESP32 };
    for radios in [2, 5, 20, 50] {
        for (name, model) in [("no statistics", quiet), ("statistics every second", Model::ESP32)] {
            let mut world = World::new(radios, model);
            group.throughput(Throughput::Elements(MINUTE.as_secs()));
            group.bench_function(BenchmarkId::new(format!("{radios} radios"), name), |bencher| {
                bencher.iter(|| world.pass_a_minute());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, minutes);
criterion_main!(benches);
