//! What radios did over time: a lane for each, its transmissions as bars by what became of them, and how much of the time it took.

use std::fmt;

use nexus_machine::Duration;

use super::in_words;
use super::places::Places;
use super::svg::{Anchor, Point, Svg, step};
use super::tally::{Fate, Flight, Tally};
use crate::capture::description;
use crate::clock::WorldTime;
use crate::observation::{MediumIndex, NodeIndex};

const WIDTH: f64 = 1_300.0;
/// Where time begins and ends.
const LEFT: f64 = 130.0;
const RIGHT: f64 = 960.0;
/// Where the bars of airtime begin, how long a full one is, and where those of the worst hour begin.
const AIRTIME_X: f64 = 985.0;
const BAR: f64 = 110.0;
const HOUR_X: f64 = 1_135.0;
const TOP: f64 = 126.0;
const LANE: f64 = 30.0;
/// What is sent stands above the lane's line, at most so high; what is heard stands below it.
const SENT: f64 = 16.0;

const STYLE: &str = "text{fill:#222222}.title{font-size:18px;font-weight:bold}.sub{font-size:12px;fill:#555555}\
.name{font-size:12px}.key{font-size:12px}.tick{font-size:11px;fill:#555555}.grid{stroke:#e4e4e4}.base{stroke:#888888}\
.channel{font-size:13px;font-weight:bold}.all{fill:#0072B2}.some{fill:#E69F00}.none{fill:#ffffff;stroke:#D55E00;stroke-width:1.5}.alone{fill:#999999}\
.received{fill:#56B4E9}.collided{fill:#D55E00}.deaf{fill:#222222}.busy{fill:#009E73}.lost{fill:#ffffff;stroke:#CC79A7}\
.brokenoff{fill:#999999}.empty{fill:#f0f0f0;stroke:#bbbbbb}.airtime{fill:#0072B2}.hour{fill:#009E73}.over{fill:#D55E00}";

/// Which part of a run is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lanes {
    /// From this moment.
    pub from: WorldTime,
    /// To this one.
    pub to: WorldTime,
}

/// More transmissions than can be told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// How many there are.
    pub there: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} transmissions do not fit a picture ({MOST} do): choose a shorter time with --from and --to",
            self.there
        )
    }
}

impl std::error::Error for TooMany {}

/// The most transmissions that a picture shows.
const MOST: usize = 20_000;

/// Draws what radios did.
///
/// # Errors
/// [`TooMany`]
pub fn activity(title: &str, tally: &Tally, places: &Places, lanes: Lanes) -> Result<String, TooMany> {
    let shown: Vec<&Flight> = tally.flights().iter().filter(|flight| lanes.shows(flight)).collect();
    if shown.len() > MOST {
        return Err(TooMany { there: shown.len() });
    }
    let radios = |medium: &&(MediumIndex, Vec<NodeIndex>)| !medium.1.is_empty();
    let media = (0..).map(MediumIndex).zip(&tally.layout().media);
    let channels: Vec<(MediumIndex, Vec<NodeIndex>)> = media
        .map(|(number, medium)| {
            (number, if medium.modems.is_some() { medium.nodes.clone() } else { Vec::new() })
        })
        .collect();
    let rows: f64 = channels.iter().filter(radios).map(|(_, nodes)| height(nodes.len())).sum();
    let mut drawing = Drawing { svg: Svg::new(WIDTH, TOP + rows, STYLE), tally, places, lanes };
    drawing.svg.text("title", (20.0, 30.0), Anchor::Start, title);
    let [from, to] = [lanes.from, lanes.to].map(in_words);
    let sub = format!("{} transmissions from {from} to {to}", shown.len());
    drawing.svg.text("sub", (20.0, 48.0), Anchor::Start, &sub);
    drawing.key();
    let mut y = TOP;
    for (number, nodes) in channels.iter().filter(radios) {
        drawing.channel(*number, nodes, y, &shown);
        y += height(nodes.len());
    }
    if rows == 0.0 {
        drawing.svg.text("key", (20.0, TOP + 30.0), Anchor::Start, "This world has no radios.");
    }
    Ok(drawing.svg.finish())
}

fn height(nodes: usize) -> f64 {
    // A headline, the lanes, and the marks of time.
    50.0 + LANE * f64::from(u32::try_from(nodes).unwrap_or(u32::MAX))
}

impl Lanes {
    fn shows(&self, flight: &Flight) -> bool {
        flight.end > self.from && flight.start < self.to
    }

    fn span(&self) -> f64 {
        seconds(self.to.since(self.from)).max(1e-6)
    }

    fn x(&self, at: WorldTime) -> f64 {
        let at = at.max(self.from).min(self.to);
        LEFT + (RIGHT - LEFT) * seconds(at.since(self.from)) / self.span()
    }
}

fn seconds(span: Duration) -> f64 {
    // Exact below 285 years.
    #[allow(clippy::cast_precision_loss, reason = "microseconds of a run are below 2⁵³")]
    let micros = span.as_micros() as f64;
    micros / 1e6
}

/// How something is drawn: its class, its height, and what it means.
type Look = (&'static str, f64, &'static str);

/// What became of a transmission on the whole.
const fn outcome(received: usize, fates: usize) -> Look {
    match (received, fates) {
        (_, 0) => ("alone", 5.0, "nobody in reach"),
        (0, _) => ("none", SENT, "received by nobody"),
        (received, fates) if received == fates => ("all", SENT, "received by all in reach"),
        (_, _) => ("some", 11.0, "received by some in reach"),
    }
}

const fn fate(fate: Fate) -> Look {
    match fate {
        Fate::Received => ("received", 4.0, "received"),
        Fate::Collided => ("collided", 8.0, "collided"),
        Fate::Deaf => ("deaf", 6.0, "sending itself, or tuned in late"),
        Fate::Busy => ("busy", 6.0, "busy with another"),
        Fate::Lost => ("lost", 8.0, "lost by the medium"),
        Fate::BrokenOff => ("brokenoff", 3.0, "broken off by its sender"),
    }
}

struct Drawing<'a> {
    svg: Svg,
    tally: &'a Tally,
    places: &'a Places,
    lanes: Lanes,
}

impl Drawing<'_> {
    fn key(&mut self) {
        let sent = [(1, 1), (1, 2), (0, 1), (0, 0)].map(|(received, fates)| outcome(received, fates));
        let heard =
            [Fate::Received, Fate::Collided, Fate::Deaf, Fate::Busy, Fate::Lost, Fate::BrokenOff].map(fate);
        for (y, head, looks) in [(74.0, "sends", &sent[..]), (94.0, "hears", &heard[..])] {
            self.svg.text("key", (20.0, y), Anchor::Start, head);
            let mut x = 70.0;
            for (class, high, words) in looks {
                self.svg.rectangle(class, (x, y - high), (14.0, *high));
                self.svg.text("key", (x + 20.0, y), Anchor::Start, words);
                x += 48.0 + super::svg::text_width(words, 11.0);
            }
        }
    }

    fn channel(&mut self, medium: MediumIndex, nodes: &[NodeIndex], y: f64, shown: &[&Flight]) {
        let plan = &self.tally.layout().media[medium.place()];
        let words = format!("Medium {}: {}", medium.0, description(plan));
        self.svg.text("channel", (20.0, y), Anchor::Start, &words);
        self.svg.text("tick", (AIRTIME_X, y), Anchor::Start, "airtime in view");
        self.svg.text("tick", (HOUR_X, y), Anchor::Start, "worst hour of the run");
        let (first, last) =
            (y + 10.0, y + 10.0 + LANE * f64::from(u32::try_from(nodes.len()).unwrap_or(u32::MAX)));
        self.marks(first, last);
        for (row, node) in nodes.iter().enumerate() {
            // In a landscape each radio is tuned by itself.
            let own =
                plan.terrain.as_ref().and_then(|terrain| terrain.radios.get(row)).map(|radio| radio.channel);
            let limit = own.or(plan.modems).map(|channel| channel.duty().hundredths_of_a_percent());
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            let base = first + LANE * f64::from(row) + SENT + 4.0;
            self.svg.line("base", (LEFT, base), (RIGHT, base), 1.0);
            self.svg.text("name", (LEFT - 8.0, base), Anchor::End, self.places.name(*node));
            for flight in shown.iter().filter(|flight| flight.medium == medium) {
                self.flight(flight, *node, base);
            }
            self.airtime(medium, *node, base, limit);
        }
    }

    fn marks(&mut self, first: f64, last: f64) {
        let step = step(self.lanes.span(), RIGHT - LEFT, 90.0);
        let begin = seconds(self.lanes.from.since(WorldTime::START));
        let mut mark = (begin / step).ceil() * step;
        while mark <= begin + self.lanes.span() * (1.0 + 1e-9) {
            let x = LEFT + (RIGHT - LEFT) * (mark - begin) / self.lanes.span();
            self.svg.line("grid", (x, first), (x, last), 1.0);
            self.svg.text("tick", (x, last + 14.0), Anchor::Middle, &moment(mark, step));
            mark += step;
        }
    }

    /// What one lane shows of a transmission: that it was sent there, or what was heard of it.
    fn flight(&mut self, flight: &Flight, node: NodeIndex, base: f64) {
        let (start, end) = (self.lanes.x(flight.start), self.lanes.x(flight.end));
        // What is shorter than a pixel is seen all the same.
        let wide = (end - start).max(1.0);
        let took = flight.end.since(flight.start).as_millis();
        if flight.sender == node {
            let received = flight.fates.iter().filter(|(_, fate)| *fate == Fate::Received).count();
            let (class, high, words) = outcome(received, flight.fates.len());
            let words = format!("{}: {} bytes in {took} ms, {words}", flight.start, flight.bytes);
            return self.svg.told(class, (start, base - high), (wide, high), &words);
        }
        if let Some((_, what)) = flight.fates.iter().find(|(receiver, _)| *receiver == node) {
            let (class, high, _) = fate(*what);
            self.svg.rectangle(class, (start, base + 1.0), (wide, high));
        }
    }

    /// Its airtime as a share of the time in view, and that of its worst hour beside what is allowed.
    fn airtime(&mut self, medium: MediumIndex, node: NodeIndex, base: f64, limit: Option<u16>) {
        let Lanes { from, to } = self.lanes;
        let share = seconds(self.tally.airtime(medium, node, from, to)) / self.lanes.span();
        self.share("airtime", (AIRTIME_X, base - 12.0), share, &percent(share));
        let hour = seconds(self.tally.worst_hour(medium, node)) / 3_600.0;
        let (of, class, words) = match limit {
            Some(limit) if limit < 10_000 => {
                let allowed = f64::from(limit) / 10_000.0;
                let class = if hour > allowed { "over" } else { "hour" };
                (hour / allowed, class, format!("{} of {}", percent(hour), percent(allowed)))
            }
            Some(_) | None => (hour, "hour", percent(hour)),
        };
        self.share(class, (HOUR_X, base - 12.0), of, &words);
    }

    fn share(&mut self, class: &str, (x, y): Point, share: f64, words: &str) {
        let room = if x < HOUR_X { BAR * 0.55 } else { BAR * 0.5 };
        self.svg.rectangle("empty", (x, y), (room, 12.0));
        self.svg.rectangle(class, (x, y), (room * share.clamp(0.0, 1.0), 12.0));
        self.svg.text("tick", (x + room + 5.0, y + 10.0), Anchor::Start, words);
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.2} %") }
}

/// A moment of the world, as exactly as the marks are apart.
fn moment(at: f64, step: f64) -> String {
    if step < 1.0 {
        return format!("{at:.3} s");
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a moment of a run, whole seconds"
    )]
    let whole = at.round() as u64;
    in_words(WorldTime::from_start(Duration::from_secs(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tally::tests::{lands, of_radios};
    use nexus_air::Outcome;

    #[test]
    fn more_transmissions_than_can_be_told_apart_are_refused_with_advice() {
        let mut tally = of_radios(2);
        for number in 1..=MOST as u64 + 2 {
            lands(&mut tally, 100_000 * number, 0, 50, &[(1, Outcome::Received)]);
        }
        let places = Places::on_a_circle(tally.layout());
        let drawn = |from, to| {
            let lanes = Lanes { from: WorldTime::from_start(from), to: WorldTime::from_start(to) };
            activity("", &tally, &places, lanes)
        };
        let second = Duration::from_secs;
        let refusal = drawn(second(0), second(3_600)).unwrap_err();
        assert!(refusal.to_string().contains("choose a shorter time"), "{refusal}");
        let svg = drawn(second(100), second(101)).unwrap();
        assert_eq!(svg.matches("received by all in reach</title>").count(), 10);
    }

    #[test]
    fn moments_are_told_as_exactly_as_marks_are_apart() {
        assert_eq!(moment(3_725.0, 5.0), "01:02:05");
        assert_eq!(moment(0.25, 0.05), "0.250 s");
    }
}
