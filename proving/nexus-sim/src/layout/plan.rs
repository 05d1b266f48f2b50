//! One medium: what it is, who is on it, and where they are.

use nexus_air::Hearing;
use nexus_air::hearing::Station;
use nexus_air::place::Route;
use nexus_air::propagation::{Millibels, Scenario, Shadowing};
use nexus_machine::{Duration, Seed};
use nexus_network::{Access, Profile, Reach, region};

use crate::line::Line;
use crate::observation::NodeIndex;

/// One medium and who is on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediumPlan {
    /// What its drivers report.
    pub profile: Profile,
    /// What its nodes' radios are tuned to, if it is a radio channel: transceivers where nodes listen before they talk, else `RNode`s.
    pub modems: Option<region::Channel>,
    /// What lies between its modems; without it all hear each other equally well.
    pub terrain: Option<Terrain>,
    /// How it carries frames, if it is no radio channel.
    pub line: Option<Line>,
    /// From the end of a transmission to its arrival.
    pub delay: Duration,
    /// The nodes on it. A medium of [`Reach::PointToPoint`] has two.
    pub nodes: Vec<NodeIndex>,
    /// Where each of them is and goes, in the same order; none if it does not matter.
    pub routes: Vec<Route>,
    /// What each of them asks for carrying packets out over it, in µNXS for 1,024 bytes, in the same order; none if all carry for nothing.
    pub prices: Vec<u64>,
}

/// Radios in a landscape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terrain {
    /// What is lost over distance.
    pub scenario: Scenario,
    /// How links of one length differ.
    pub shadowing: Shadowing,
    /// The radios, in the order of the medium's nodes.
    pub radios: Vec<RadioPlan>,
}

/// A radio of a [`Terrain`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RadioPlan {
    /// What it is tuned to, and how loud.
    pub channel: region::Channel,
    /// What its antenna gains, over an isotropic one, for what it sends and for what it hears.
    pub gain: Millibels,
}

impl Terrain {
    /// How its radios are tuned, in their order.
    #[must_use]
    pub fn channels(&self) -> Vec<region::Channel> {
        self.radios.iter().map(|radio| radio.channel).collect()
    }

    /// Who hears whom, with radios on these routes. Shadowing is drawn from `seed`.
    #[must_use]
    pub fn hearing(&self, routes: &[Route], seed: &Seed) -> Hearing {
        let station = |(radio, route): (&RadioPlan, &Route)| Station {
            antenna_gain: radio.gain,
            ..Station::common(route.clone())
        };
        let stations = self.radios.iter().zip(routes).map(station).collect();
        Hearing::placed(stations, self.scenario, self.shadowing, seed)
    }
}

impl MediumPlan {
    /// Whether it is a half-duplex channel.
    #[must_use]
    pub const fn is_radio(&self) -> bool {
        self.modems.is_some() || matches!(self.profile.access, Access::ListenBeforeTalk { .. })
    }

    /// Whether it is a local network.
    #[must_use]
    pub fn is_lan(&self) -> bool {
        self.profile.reach != Reach::PointToPoint && !self.is_radio()
    }

    /// What the driver at a port reports.
    #[must_use]
    pub fn profile_at(&self, port: usize) -> Profile {
        let bandwidth_bps = self.line.as_ref().map_or(self.profile.bandwidth_bps, |line| line.rate_bps(port));
        Profile { bandwidth_bps, price: self.price_at(port), ..self.profile }
    }

    /// What the node at a port asks.
    #[must_use]
    pub fn price_at(&self, port: usize) -> u64 {
        self.prices.get(port).copied().unwrap_or(0)
    }
}
