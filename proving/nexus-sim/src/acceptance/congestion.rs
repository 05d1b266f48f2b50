//! Congestion: measured on worlds under more load than they carry.

use std::sync::OnceLock;

use nexus_machine::Duration;
use nexus_network::Weight;
use nexus_wire::nexus::traffic::Class;

use super::{Measurement, verdict};
use crate::clock::WorldTime;
use crate::load::crowd::{self, Driven};
use crate::load::deaf::WithDeaf;
use crate::load::diamond::{ASKS, CHEAP, COMES, Crowd, DEAR, GOES, ROUND, SOURCE, STEADY, Ways};
use crate::load::funnel::{Funnel, LONGEST, Neck, RELAY, feeder};
use crate::load::{Codec, Station, Stream, Tally, jain};
use crate::observation::NodeIndex;
use crate::swarm::seed;

/// When a packet of speech is worth nothing any more.
const LATE: Duration = Duration::from_millis(500);
/// What neighbours' packets may take of a link, in thousandths, in any such time: nine tenths,
const BUDGET: u64 = 900;
/// and what a tenth of a second saved up before, and the rest of a frame that began within it.
const SAVED_UP: Duration = Duration::from_millis(100);
const WINDOW: Duration = Duration::from_secs(10);
const NECKS: [Neck; 2] = [Neck::Transceivers, Neck::Cable];
/// Told is the worst of so many worlds.
const SEEDS: [u64; 3] = [10, 11, 12];

/// Three feeders that offer three times what the neck carries: the first speaks within its share, the second beyond it, the third has letters, and all
/// have bulk.
struct Overload {
    funnel: Funnel,
    tally: Tally,
    offered: u64,
}

impl Overload {
    fn of(neck: Neck, number: u64) -> Self {
        let funnel = Funnel { neck, feeders: 3 };
        let codec = codec(neck);
        let mut streams = funnel.calls(0, codec, 280);
        streams.push(funnel.stream(1, Class::RealTime, codec.bytes(), 600));
        streams.push(funnel.stream(2, Class::Interactive, 64, 100));
        streams.push(funnel.stream(2, Class::Standard, 200, 100));
        streams.extend((0..3).map(|number| funnel.stream(number, Class::Bulk, LONGEST, 700)));
        let offered = funnel.load_permille(&streams);
        Self { funnel, tally: funnel.run::<Station>(&streams, seed(number)), offered }
    }

    /// What arrived, for how long it occupied the neck.
    fn carried(&self, is_meant: impl Fn(&Stream) -> bool) -> u64 {
        self.tally.carried(is_meant, |stream| self.funnel.occupies(stream.bytes).as_micros())
    }
}

const fn codec(neck: Neck) -> Codec {
    match neck {
        Neck::Transceivers | Neck::Rnodes => Codec::SLOW,
        Neck::Cable => Codec::FAST,
    }
}

const fn name(neck: Neck) -> &'static str {
    match neck {
        Neck::Transceivers => "SF7/250 kHz",
        Neck::Rnodes => "SF7/250 kHz by RNodes",
        Neck::Cable => "1 Mbit/s",
    }
}

/// All are run once: several criteria are of them.
fn overloads() -> &'static [[Overload; SEEDS.len()]; 2] {
    static RUNS: OnceLock<[[Overload; SEEDS.len()]; 2]> = OnceLock::new();
    RUNS.get_or_init(|| NECKS.map(|neck| SEEDS.map(|number| Overload::of(neck, number))))
}

/// What was measured of a world.
struct Measured {
    told: String,
    holds: bool,
    /// The more the better.
    rank: u64,
}

impl Measured {
    const fn new(told: String, holds: bool, rank: u64) -> Self {
        Self { told, holds, rank }
    }
}

/// The worst of all worlds.
fn worst(of: impl Fn(u64) -> Measured) -> Measured {
    let all = SEEDS.map(|number| {
        let measured = of(number);
        Measured {
            told: format!("{} (seed {number}, the worst of {})", measured.told, SEEDS.len()),
            ..measured
        }
    });
    all.into_iter().min_by_key(|measured| (measured.holds, measured.rank)).expect("there are some")
}

fn is_within(stream: &Stream) -> bool {
    stream.class == Class::RealTime && stream.from == feeder(0)
}

fn is_beyond(stream: &Stream) -> bool {
    stream.class == Class::RealTime && stream.from == feeder(1)
}

fn of_class(class: Class) -> impl Fn(&Stream) -> bool {
    move |stream| stream.class == class
}

/// A sentence for the worst world of each neck, and whether all of them hold.
fn on_both(measure: impl Fn(&Overload) -> Measured) -> Measurement {
    let measured = overloads().each_ref().map(|runs| {
        let of = |number| {
            let place = SEEDS.iter().position(|seed| *seed == number).expect("one of them");
            measure(&runs[place])
        };
        (name(runs[0].funnel.neck), worst(of))
    });
    let told: Vec<String> = measured.iter().map(|(name, it)| format!("{name}: {}", it.told)).collect();
    verdict(told.join("; "), measured.iter().all(|(_, it)| it.holds))
}

/// Speech within its share.
pub(super) fn voice() -> Measurement {
    on_both(|run| {
        let account = run.tally.account(is_within);
        let within = account.permille_within(LATE);
        let told = format!(
            "at {} ‰ of what it carries {within} ‰ of {} packets, half of them under {} ms, the slowest of those that arrived {} ms",
            run.offered,
            account.offered,
            millis(account.quantile(50)),
            millis(account.quantile(100)),
        );
        let holds =
            within >= 990 && account.offered > 100 && run.offered >= 2_900 && run.tally.misclassed() == 0;
        Measured::new(told, holds, within)
    })
}

/// Speech beyond its share.
pub(super) fn beyond() -> Measurement {
    on_both(|run| {
        let account = run.tally.account(is_beyond);
        let longest = run.tally.longest_stay(RELAY, |stream| stream.class == Class::RealTime);
        let told = format!(
            "{} ‰ of {} packets arrived, none left the relay later than {} ms after it came there",
            account.permille(),
            account.offered,
            longest.as_millis(),
        );
        let holds = longest <= LATE.plus(STEP) && (100..900).contains(&account.permille());
        Measured::new(told, holds, u64::MAX - longest.as_micros())
    })
}

/// What a packet's way to the relay takes, which is counted as time with it.
const STEP: Duration = Duration::from_millis(5);

/// Bulk.
pub(super) fn bulk() -> Measurement {
    on_both(|run| {
        let all = run.carried(|_| true);
        let of_all = |class| run.carried(of_class(class)) * 1_000 / all.max(1);
        let [interactive, standard, bulk] = [Class::Interactive, Class::Standard, Class::Bulk]
            .map(|class| run.tally.account(of_class(class)));
        let got = of_all(Class::Bulk);
        let told = format!(
            "it has {got} ‰ of what is carried; of interactive packets {} ‰ arrived, of standard ones {} ‰, of bulk {} ‰",
            interactive.permille(),
            standard.permille(),
            bulk.permille(),
        );
        let yields = bulk.permille() < standard.permille() && standard.permille() <= interactive.permille();
        Measured::new(told, got >= 100 && yields && interactive.permille() >= 950 && all > 0, got)
    })
}

/// Three feeders of which each offers more than its share, and not as much as the next: what each gets.
fn shares(neck: Neck, offers: [u64; 3], weights: &[(u32, Weight)], number: u64) -> [u64; 3] {
    let funnel = Funnel { neck, feeders: 3 };
    let of = |(number, permille): (u32, u64)| {
        [(Class::Interactive, 64, 10), (Class::Standard, 200, 30), (Class::Bulk, LONGEST, 60)]
            .map(|(class, bytes, percent)| funnel.stream(number, class, bytes, permille * percent / 100))
    };
    let streams: Vec<Stream> = (0..).zip(offers).flat_map(of).collect();
    let tally = funnel.weighed::<Station>(&streams, weights, seed(number));
    let occupies = |stream: &Stream| funnel.occupies(stream.bytes).as_micros();
    [0, 1, 2].map(|number| tally.carried(|stream| stream.from == feeder(number), occupies))
}

/// Equal neighbours.
pub(super) fn fair() -> Measurement {
    let measured = NECKS.map(|neck| {
        let of = |number| jain(&shares(neck, [500, 1_000, 1_500], &[], number));
        (neck, SEEDS.map(of).into_iter().fold(1.0, f64::min))
    });
    let told =
        measured.map(|(neck, index)| format!("{}: {index:.3}, the least of {}", name(neck), SEEDS.len()));
    let holds = measured.iter().all(|(_, index)| *index >= 0.95);
    let what = "Jain's index of three feeders that offer a half, one and one and a half of the link";
    verdict(format!("{what}: {}", told.join("; ")), holds)
}

/// Unequal neighbours.
pub(super) fn weighted() -> Measurement {
    let times = |times| Weight::new(times).expect("not nothing");
    let measured = NECKS.map(|neck| {
        let of = |number| {
            let shares = shares(neck, [1_000; 3], &[(1, times(2)), (2, times(3))], number);
            // What each has for each time that it is weighed.
            let each: Vec<u64> = (1..).zip(shares).map(|(times, share)| share / times).collect();
            let all: u64 = shares.iter().sum();
            (name(neck), shares.map(|share| share * 1_000 / all.max(1)), jain(&each))
        };
        let least = |(.., one): &(_, _, f64), (.., other): &(_, _, f64)| one.total_cmp(other);
        SEEDS.map(of).into_iter().min_by(least).expect("there are some")
    });
    let told = measured.map(|(name, parts, index)| {
        format!("{name}: {} : {} : {} ‰, Jain's index by weight {index:.3}", parts[0], parts[1], parts[2])
    });
    verdict(told.join("; "), measured.iter().all(|(.., index)| *index >= 0.95))
}

/// What neighbours' packets take of a link.
pub(super) fn budget() -> Measurement {
    on_both(|run| {
        let fullest = run.tally.fullest(RELAY, WINDOW, |stream| run.funnel.occupies(stream.bytes));
        let beyond = SAVED_UP.plus(run.funnel.occupies(LONGEST));
        let most = BUDGET + (beyond.as_micros() * 1_000).div_ceil(WINDOW.as_micros());
        let told = format!("at most {fullest} ‰ of any {} s, of {most} ‰", WINDOW.as_secs());
        Measured::new(told, fullest <= most && fullest > 0, u64::MAX - fullest)
    })
}

/// Twice what the neck carries, from two who heed what they are told.
pub(super) fn edge() -> Measurement {
    let funnel = Funnel { neck: Neck::Cable, feeders: 2 };
    let streams = [0, 1].map(|number| funnel.stream(number, Class::Standard, LONGEST, 1_000));
    let measured = worst(|number| {
        let tally = funnel.run::<Station>(&streams, seed(number));
        let account = tally.account(|_| true);
        let inside = account.left.saturating_sub(account.arrived);
        let told = format!(
            "of {} packets {} left their origins and {} of those were lost behind them",
            account.offered, account.left, inside,
        );
        let holds = inside * 100 <= account.left && account.arrived * 10 >= account.offered * 4;
        Measured::new(told, holds, u64::MAX - inside)
    });
    verdict(measured.told, measured.holds)
}

/// A neighbour that ignores everything it is told.
pub(super) fn deaf() -> Measurement {
    const DEAF: u32 = feeder(1).0;
    let funnel = Funnel { neck: Neck::Cable, feeders: 2 };
    let of = |class, number| {
        let streams = [
            funnel.stream(0, Class::Interactive, 64, 100),
            funnel.stream(0, Class::Standard, LONGEST, 250),
            funnel.stream(1, class, LONGEST, 2_000),
        ];
        let tally = funnel.run::<WithDeaf<DEAF>>(&streams, seed(number));
        let by = |from: NodeIndex| tally.account(|stream| stream.from == from);
        (by(feeder(0)).permille(), by(feeder(1)).permille(), by(feeder(0)).quantile(99))
    };
    let runs = [Class::Standard, Class::RealTime].map(|class| {
        let all = SEEDS.map(|number| of(class, number));
        all.into_iter().min_by_key(|(heeding, deaf, _)| (*heeding, u64::MAX - *deaf)).expect("there are some")
    });
    let told = runs.map(|(heeding, deaf, slowest)| {
        format!(
            "{heeding} ‰ of the other's packets arrive, 99 in 100 within {} ms, and {deaf} ‰ of its own",
            millis(slowest)
        )
    });
    let holds = |(heeding, deaf, _): &(u64, u64, Option<Duration>)| *heeding >= 990 && *deaf < 600;
    let measured = format!("with standard packets {}; with real-time ones {}", told[0], told[1]);
    verdict(measured, runs.iter().all(holds))
}

/// One of two ways becomes crowded.
pub(super) fn reroutes() -> Measurement {
    let measured = worst(rerouted);
    verdict(measured.told, measured.holds)
}

fn rerouted(number: u64) -> Measured {
    let ways = Ways::of(Crowd::Another, seed(number));
    let before = ways.dearest(WorldTime::START, COMES).map_or(0, |(_, quoted)| quoted);
    let (at, crowded) = ways.dearest(COMES, GOES).unwrap_or_default();
    let held = ways.tally.held(CHEAP, at);
    let formula = ASKS[0] + ASKS[0] * held * held / ROOM / ROOM;
    let (away, back) = (ways.moved(COMES, DEAR), ways.moved(GOES, CHEAP));
    let measured = format!(
        "the relay quotes {before} µNXS, crowded {crowded}, with {held} packets of {ROOM} in its queue, which make {formula}; packets leave it {} s \
         after the crowd came and are back {} s after it went",
        seconds(away),
        seconds(back),
    );
    // What feeds and what is fed may have passed on some packets since the price was said; a code leaves 4.5 % unsaid.
    let rises = crowded * 4 >= ASKS[0] * 5 && crowded.abs_diff(formula) * 10 <= formula;
    let within = |span: Option<Duration>, rounds| span.is_some_and(|span| span <= ROUND.times(rounds));
    Measured::new(measured, rises && within(away, 2) && within(back, 30), 0)
}

/// For how many packets there is room in a queue: these are so long that their bytes have room too.
const ROOM: u64 = 256;

/// Steady crowds. A flow that crowds its own way is told, and what can wait goes both ways while that lasts: packets alternate, and what is
/// chosen does not.
pub(super) fn steady() -> Measurement {
    let measured = worst(flips);
    verdict(measured.told, measured.holds)
}

fn flips(number: u64) -> Measured {
    let [others, own] = [Crowd::Another, Crowd::Itself].map(|crowd| Ways::of(crowd, seed(number)));
    let flips = others.flips(STEADY.0, STEADY.1).len();
    let choices = [&others, &own].map(|ways| ways.choices(STEADY.0, STEADY.1).len());
    let arrives = own.tally.account(|stream| stream.from == SOURCE).permille();
    let measured = format!(
        "in ten rounds of a crowd packets flip {flips} times and choices {} where others crowd the way; choices {} where the flow itself does, \
         and {arrives} ‰ of what is more than a way carries and less than both arrives",
        choices[0], choices[1],
    );
    let moved = others.moved(COMES, DEAR).is_some_and(|after| COMES.after(after) < STEADY.0);
    let most = choices.into_iter().fold(flips, usize::max);
    let holds = most <= 1 && moved && arrives >= 990;
    Measured::new(measured, holds, u64::MAX - u64::try_from(most).unwrap_or(u64::MAX))
}

/// Fifty radios, many hidden from each other.
pub(super) fn crowd() -> Measurement {
    let of = |driven| {
        let at = |offered| {
            let of = |number| crowd::goodput(driven, offered, seed(number));
            SEEDS.map(of).into_iter().min().unwrap_or(0)
        };
        let saturated = [1_000, 1_500, 2_000, 3_000].map(at);
        let beyond = at(10_000);
        (saturated.into_iter().max().unwrap_or(0), beyond)
    };
    let runs = [(Driven::Transceivers, "transceivers"), (Driven::Rnodes, "RNodes")]
        .map(|(driven, name)| (name, of(driven)));
    let told = runs.map(|(name, (most, beyond))| {
        format!("{name} carry {most} ‰ at most and {beyond} ‰ at ten times the channel")
    });
    let measured = format!("{}; {} ‰ of pairs are hidden", told.join(", "), crowd::hidden_permille());
    verdict(measured, runs.iter().all(|(_, (most, beyond))| *beyond * 10 >= *most * 8 && *most > 0))
}

fn millis(span: Option<Duration>) -> String {
    span.map_or_else(|| "-".to_owned(), |span| span.as_millis().to_string())
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(|| "never".to_owned(), |span| span.as_secs().to_string())
}
