//! The contenders, each on a net of its own, and the table.

mod contender;
mod routers;
mod table;

use std::path::Path;
use std::time::{Duration, Instant};

use nexus_netns::{Death, Diamond, LabError, Net, Spot, outage};

use contender::{Contender, Running};

/// How long it may take until traffic flows: at first, and after a death.
const PATIENCE: Duration = Duration::from_mins(4);
/// After traffic flows and before idle links are counted: what a start costs is over.
const SETTLE: Duration = Duration::from_secs(100);
/// After a death has passed, before the next: longer than any contender needs to use that way again.
const REST: Duration = Duration::from_secs(45);

/// For so long traffic is watched while nothing happens, in seconds.
const WATCHED_S: u32 = 60;

/// What one contender showed.
pub(crate) struct Measured {
    name: &'static str,
    probe: &'static str,
    /// The shortest first.
    outages: Vec<Duration>,
    idle: Idle,
}

/// What idle links carried, summed over both directions of all cables.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    frames: u64,
    bytes: u64,
    cables: u64,
    seconds: u64,
}

/// Idle links, then so many deaths, in diamonds; the table.
pub(crate) fn deaths(nexus: &Path, deaths: usize, during: Duration) -> Result<String, LabError> {
    let measure = |contender: Contender| {
        let diamond = Diamond::lay()?;
        let (running, idle) = settled(contender, diamond.net(), nexus, during)?;
        let mut outages = Vec::new();
        for _ in 0..deaths {
            let felt = one_death(&diamond, &running)?;
            eprintln!("{}: a death was felt for {} ms", contender.name(), felt.as_millis());
            outages.push(felt);
            std::thread::sleep(REST);
        }
        outages.sort();
        Ok(Measured { name: contender.name(), probe: contender.probe(), outages, idle })
    };
    Ok(table::render(&all(measure)?))
}

/// Idle links of grids; the table.
pub(crate) fn idle(nexus: &Path, side: usize, during: Duration) -> Result<String, LabError> {
    let measure = |contender: Contender| {
        let net = Net::grid(side)?;
        let (_running, idle) = settled(contender, &net, nexus, during)?;
        Ok(Measured { name: contender.name(), probe: contender.probe(), outages: Vec::new(), idle })
    };
    Ok(table::render(&all(measure)?))
}

/// NEXUS on a diamond whose cables lose three of ten frames each way and take 50 ms: how often traffic changes its way while nothing
/// happens, and so many deaths; as sentences.
pub(crate) fn loss(nexus: &Path, deaths: usize) -> Result<String, LabError> {
    let diamond = Diamond::lay()?;
    let running = contender::on_bad_cables(&diamond, nexus)?;
    let flow =
        || Ok::<_, LabError>(running.flow(diamond.net(), Spot::S.number(), Spot::D.number())?.through_loss());
    flow()?.until_flowing(Instant::now(), PATIENCE)?;
    std::thread::sleep(SETTLE);
    let watched = flow()?;
    let began = Instant::now();
    let ways = (0..WATCHED_S).map(|_| diamond.carrying()).collect::<Result<Vec<_>, _>>()?;
    let swings = ways.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let calm = watched.longest_gap(began, Instant::now());
    drop(watched);
    let mut outages = Vec::new();
    for _ in 0..deaths {
        let flow = flow()?;
        flow.until_flowing(Instant::now(), PATIENCE)?;
        let middle = diamond.carrying()?;
        let felt = outage(&flow, PATIENCE, || Death::Silent.befall(&diamond, middle));
        Death::Silent.pass(&diamond, middle)?;
        outages.push(felt?.longest.as_millis());
        eprintln!("a death of {middle:?} was felt for {} ms", outages.last().copied().unwrap_or_default());
        std::thread::sleep(REST);
    }
    outages.sort_unstable();
    Ok(format!(
        "Three of ten frames lost each way on each cable, 50 ms: in {WATCHED_S} s without a death traffic changed its way {swings} times \
         and the longest gap was {} ms; deaths were felt for {outages:?} ms.\n",
        calm.as_millis()
    ))
}

/// All contenders at the same time.
fn all(measure: impl Fn(Contender) -> Result<Measured, LabError> + Sync) -> Result<Vec<Measured>, LabError> {
    let measure = &measure;
    std::thread::scope(|scope| {
        let start = |contender: Contender| {
            scope.spawn(move || {
                let named = |error| LabError::Late(format!("{}: {error}", contender.name()));
                measure(contender).map_err(named)
            })
        };
        let running = Contender::ALL.map(start);
        let outcomes = running.into_iter().map(|one| {
            one.join().unwrap_or_else(|_| Err(LabError::Late("a contender's thread panicked".to_owned())))
        });
        outcomes.collect()
    })
}

/// A contender at work, from its first place to its last, and what its links carried once that was settled.
fn settled(
    contender: Contender,
    net: &Net,
    nexus: &Path,
    during: Duration,
) -> Result<(Running, Idle), LabError> {
    let running = contender.start(net, nexus)?;
    running.flow(net, 0, net.places() - 1)?.until_flowing(Instant::now(), PATIENCE)?;
    std::thread::sleep(SETTLE);
    let before = carried(net)?;
    std::thread::sleep(during);
    let after = carried(net)?;
    eprintln!("{}: idle links counted", contender.name());
    let idle = Idle {
        frames: after.frames - before.frames,
        bytes: after.bytes - before.bytes,
        cables: after.cables,
        seconds: during.as_secs(),
    };
    Ok((running, idle))
}

fn carried(net: &Net) -> Result<Idle, LabError> {
    let mut sum = Idle::default();
    for cable in net.cables() {
        for end in &cable.ends {
            let carried = cable.carried(net.lab(), end.place)?;
            sum.frames += carried.frames;
            sum.bytes += carried.bytes;
        }
        sum.cables += 1;
    }
    Ok(sum)
}

/// The place that carries the traffic dies, and lives again.
fn one_death(diamond: &Diamond, running: &Running) -> Result<Duration, LabError> {
    let flow = running.flow(diamond.net(), Spot::S.number(), Spot::D.number())?;
    flow.until_flowing(Instant::now(), PATIENCE)?;
    let middle = diamond.carrying()?;
    let felt = outage(&flow, PATIENCE, || Death::Silent.befall(diamond, middle));
    Death::Silent.pass(diamond, middle)?;
    felt.map(|outage| outage.longest)
}
