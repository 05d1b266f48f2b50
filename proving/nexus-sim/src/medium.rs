//! Media in memory: airtime, and everything that can happen to a frame on its way.

use nexus_machine::{Duration, Instant, Stream};
use nexus_network::{Access, Endpoint, InterfaceId, Reach};

use crate::clock::WorldTime;
use crate::layout::MediumPlan;
use crate::line::{Servers, Taking};
use crate::observation::{Damage, NodeIndex};
use crate::schedule::LinkFaults;

/// One medium at work.
#[derive(Debug)]
pub struct Medium {
    /// What it is like.
    pub plan: MediumPlan,
    /// Who is on it, by which interface, in the order of the plan.
    pub ports: Vec<(NodeIndex, InterfaceId)>,
    /// How it treats frames until the schedule says otherwise.
    pub faults: LinkFaults,
    random: Stream,
    /// How often the address of each port changed.
    moves: Vec<u16>,
    /// What sends the frames of a line.
    servers: Option<Servers>,
    /// The last arrival by receiving port: without a fault, frames keep their order.
    last_arrival: Vec<WorldTime>,
}

/// A frame on the medium.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmission {
    /// Who sends.
    pub sender: NodeIndex,
    /// When it can first be sensed.
    pub start: WorldTime,
    /// When it is over.
    pub end: WorldTime,
}

/// What reaches one receiver of a frame.
#[derive(Debug, Default)]
pub struct Passage {
    /// What went wrong, in the order in which it did.
    pub damage: Vec<Damage>,
    /// The copies that arrive, by time of arrival.
    pub copies: Vec<(WorldTime, Vec<u8>)>,
}

impl Medium {
    /// A medium of `ports`, without faults.
    #[must_use]
    pub fn new(plan: MediumPlan, ports: Vec<(NodeIndex, InterfaceId)>, random: Stream) -> Self {
        let last_arrival = vec![WorldTime::START; ports.len()];
        let moves = vec![0; ports.len()];
        let servers = plan.line.as_ref().map(|line| Servers::new(line, ports.len()));
        let faults = LinkFaults::NONE;
        Self { plan, ports, faults, random, moves, servers, last_arrival }
    }

    /// The address of the node at `port`, on a medium that has addresses.
    #[must_use]
    pub fn endpoint(&self, port: usize) -> Option<Endpoint> {
        let (node, _) = self.ports[port];
        (self.plan.profile.reach == Reach::Addressed).then(|| endpoint(node, self.moves[port]))
    }

    /// The port of a node, if it is on this medium.
    #[must_use]
    pub fn port_of(&self, node: NodeIndex) -> Option<usize> {
        self.ports.iter().position(|(there, _)| *there == node)
    }

    /// Gives `node` an address that nobody had before.
    pub fn move_address(&mut self, node: NodeIndex) {
        if let Some(port) = self.port_of(node) {
            self.moves[port] = self.moves[port].wrapping_add(1);
        }
    }

    /// The node at `port` begins to transmit `length` bytes, or lets them wait their turn; `None` if there is no room for them, or
    /// radios carry the medium.
    pub fn transmit(&mut self, now: WorldTime, port: usize, length: usize) -> Option<Transmission> {
        let (sender, _) = self.ports[port];
        let (line, servers) = (self.plan.line.as_ref()?, self.servers.as_mut()?);
        let end = servers.offer(line, now, port, length)?;
        Some(Transmission { sender, start: now, end })
    }

    /// When the driver takes the next frame after this one: at once, or when it has left.
    #[must_use]
    pub fn ready_at(&self, now: WorldTime, transmission: &Transmission) -> WorldTime {
        match self.plan.line.as_ref().map(|line| line.taking) {
            Some(Taking::AtOnce { .. }) => now,
            Some(Taking::WhenSent) | None => transmission.end,
        }
    }

    /// Whether what is sent at one port reaches another, as far as they are apart at this moment.
    #[must_use]
    pub fn is_in_range(&self, now: WorldTime, from: usize, to: usize) -> bool {
        let Some(range_m) = self.plan.line.as_ref().and_then(|line| line.range_m) else { return true };
        let now = Instant::from_micros(now.as_micros());
        let [from, to] = [from, to].map(|port| self.plan.routes[port].at(now));
        from.distance_cm(to) <= 100 * u64::from(range_m)
    }

    /// What the receiver at `port` gets of a frame whose transmission ends at `end`.
    pub fn pass(&mut self, end: WorldTime, port: usize, bytes: &[u8]) -> Passage {
        let (loss_ppm, jitter) =
            self.plan.line.as_ref().map_or_else(Default::default, |l| (l.loss_ppm, l.jitter));
        if self.happens(loss_ppm) {
            return Passage { damage: vec![Damage::Lost], copies: Vec::new() };
        }
        let late = self.up_to(jitter);
        self.pass_through(self.faults, end.after(late), port, bytes)
    }

    /// What the host at `port` gets of a frame that its radio received at `at`: the air lost what it was to lose, and a modem's firmware
    /// spoilt what was to be spoilt.
    pub fn hand_over(&mut self, at: WorldTime, port: usize, bytes: &[u8]) -> Passage {
        let corrupt_ppm = match self.plan.profile.access {
            Access::Direct => 0,
            Access::ListenBeforeTalk { .. } => self.faults.corrupt_ppm,
        };
        self.pass_through(LinkFaults { loss_ppm: 0, corrupt_ppm, ..self.faults }, at, port, bytes)
    }

    fn pass_through(&mut self, faults: LinkFaults, end: WorldTime, port: usize, bytes: &[u8]) -> Passage {
        let mut passage = Passage::default();
        if self.happens(faults.loss_ppm) {
            passage.damage.push(Damage::Lost);
            return passage;
        }
        let mut arrival = end.after(self.plan.delay).after(self.up_to(faults.jitter));
        if self.happens(faults.reorder_ppm) {
            passage.damage.push(Damage::Delayed);
            arrival = arrival.after(self.up_to(faults.hold));
        } else {
            arrival = arrival.max(self.last_arrival[port]);
            self.last_arrival[port] = arrival;
        }
        let mut bytes = bytes.to_vec();
        if self.happens(faults.corrupt_ppm) && !bytes.is_empty() {
            passage.damage.push(Damage::Corrupted);
            self.flip_bits(&mut bytes);
        }
        if self.happens(faults.truncate_ppm) {
            passage.damage.push(Damage::Truncated);
            bytes.truncate(self.index_below(bytes.len()));
        }
        if self.happens(faults.duplicate_ppm) {
            passage.damage.push(Damage::Duplicated);
            let again = arrival.after(self.up_to(faults.hold));
            passage.copies.push((again, bytes.clone()));
        }
        passage.copies.insert(0, (arrival, bytes));
        passage
    }

    /// Draws only where the fault is possible, so that a calm medium costs nothing.
    fn happens(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.random.chance(ppm.into(), 1_000_000)
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        if most == Duration::ZERO {
            return Duration::ZERO;
        }
        Duration::from_micros(self.random.below(most.as_micros().saturating_add(1)))
    }

    fn flip_bits(&mut self, bytes: &mut [u8]) {
        for _ in 0..=self.random.below(8) {
            let bit = self.index_below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    fn index_below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a length fits u64");
        usize::try_from(self.random.below(bound)).expect("less than a length")
    }
}

/// A node's address on a medium on which it moved so often.
#[must_use]
pub fn endpoint(node: NodeIndex, moves: u16) -> Endpoint {
    let mut bytes = [0; 6];
    bytes[..4].copy_from_slice(&node.0.to_be_bytes());
    bytes[4..].copy_from_slice(&moves.to_be_bytes());
    Endpoint::new(&bytes).expect("six bytes fit an endpoint")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Layout, Shape};
    use nexus_air::place::{Position, Route, Waypoint};
    use nexus_machine::Seed;

    fn medium(shape: Shape, faults: LinkFaults) -> Medium {
        on(shape.layout(2, &Seed::new([7; 32])), faults)
    }

    fn on(mut layout: Layout, faults: LinkFaults) -> Medium {
        let plan = layout.media.remove(0);
        let ports = plan.nodes.iter().map(|node| (*node, InterfaceId(0))).collect();
        Medium { faults, ..Medium::new(plan, ports, Seed::new([7; 32]).fork("medium")) }
    }

    fn at(micros: u64) -> WorldTime {
        WorldTime::from_start(Duration::from_micros(micros))
    }

    const ALWAYS: u32 = 1_000_000;

    #[test]
    fn a_calm_medium_delivers_what_was_sent_after_airtime_and_delay() {
        let mut cable = medium(Shape::Line, LinkFaults::NONE);
        let transmission = cable.transmit(at(5), 0, 1_000).unwrap();
        assert_eq!(transmission.end, at(5 + 800), "8,000 bits at 10 Mbit/s");
        let passage = cable.pass(transmission.end, 1, &[1, 2, 3]);
        assert_eq!((passage.damage, passage.copies), (vec![], vec![(at(805 + 15_000), vec![1, 2, 3])]));
    }

    #[test]
    fn each_fault_does_what_it_is_called() {
        let frame = [0xa5; 40];
        let pass = |faults| medium(Shape::Line, faults).pass(at(0), 1, &frame);
        let lost = pass(LinkFaults { loss_ppm: ALWAYS, ..LinkFaults::NONE });
        assert_eq!((lost.damage, lost.copies.len()), (vec![Damage::Lost], 0));
        let twice = pass(LinkFaults { duplicate_ppm: ALWAYS, ..LinkFaults::NONE });
        assert_eq!((twice.damage, twice.copies.len()), (vec![Damage::Duplicated], 2));
        let flipped = pass(LinkFaults { corrupt_ppm: ALWAYS, ..LinkFaults::NONE });
        assert_eq!(flipped.damage, [Damage::Corrupted]);
        assert!(flipped.copies[0].1 != frame && flipped.copies[0].1.len() == frame.len());
        let cut = pass(LinkFaults { truncate_ppm: ALWAYS, ..LinkFaults::NONE });
        assert!(cut.copies[0].1.len() < frame.len() && frame.starts_with(&cut.copies[0].1));
    }

    #[test]
    fn a_line_of_its_own_loses_and_delays_as_it_says_also_when_nothing_is_wrong() {
        let mut layout = Shape::Line.layout(2, &Seed::new([7; 32]));
        let line = layout.media[0].line.as_mut().unwrap();
        (line.loss_ppm, line.jitter) = (250_000, Duration::from_millis(10));
        let mut cable = on(layout, LinkFaults::NONE);
        let arrivals: Vec<WorldTime> = (0..10_000)
            .flat_map(|n| cable.pass(at(n * 1_000), 1, &[0]).copies)
            .map(|(arrival, _)| arrival)
            .collect();
        assert!((7_300..7_700).contains(&arrivals.len()), "{} of 10,000 arrive", arrivals.len());
        assert!(arrivals.is_sorted());
    }

    #[test]
    fn a_network_reaches_as_far_as_its_range_and_no_farther_while_its_nodes_walk() {
        let mut layout = Shape::Mixed.layout(4, &Seed::new([7; 32]));
        let mut plan = layout.media.remove(1);
        let metres = |second, east| Waypoint {
            at: Instant::BOOT.after(Duration::from_secs(second)),
            position: Position::metres(east, 0),
        };
        plan.routes = vec![
            Route::standing(Position::metres(0, 0)),
            Route::through([metres(0, 90), metres(20, 110)]).unwrap(),
        ];
        plan.line.as_mut().unwrap().range_m = Some(100);
        layout.media = vec![plan];
        let wifi = on(layout, LinkFaults::NONE);
        assert!(wifi.is_in_range(at(10_000_000), 0, 1) && wifi.is_in_range(at(10_000_000), 1, 0));
        assert!(!wifi.is_in_range(at(10_100_000), 0, 1));
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let spread = Duration::from_millis(500);
        let arrivals = |faults| -> Vec<WorldTime> {
            let mut cable = medium(Shape::Line, faults);
            (0..50).map(|n| cable.pass(at(n * 1_000), 1, &[0]).copies[0].0).collect()
        };
        assert!(arrivals(LinkFaults { jitter: spread, ..LinkFaults::NONE }).is_sorted());
        let reordered = LinkFaults { reorder_ppm: ALWAYS / 2, hold: spread, ..LinkFaults::NONE };
        assert!(!arrivals(reordered).is_sorted());
    }
}
