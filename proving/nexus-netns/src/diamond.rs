//! Five places in which one can be missed.

use std::time::Duration;

use crate::cable::Cable;
use crate::lab::LabError;
use crate::net::Net;

/// A place of the diamond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Where traffic comes from.
    S,
    /// Its only neighbour, which has two ways to D.
    A,
    /// One of the ways.
    B,
    /// The other.
    C,
    /// Where traffic goes to.
    D,
}

/// S – A, A – B – D and A – C – D.
#[derive(Debug)]
pub struct Diamond {
    net: Net,
}

/// Where each cable lies.
const CABLES: [[Spot; 2]; 5] =
    [[Spot::S, Spot::A], [Spot::A, Spot::B], [Spot::A, Spot::C], [Spot::B, Spot::D], [Spot::C, Spot::D]];
/// For so long both ways are compared.
const LOOK: Duration = Duration::from_secs(1);

/// One of the two places between A and D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middle {
    /// B.
    B,
    /// C.
    C,
}

impl Middle {
    /// Where it is.
    #[must_use]
    pub const fn spot(self) -> Spot {
        match self {
            Self::B => Spot::B,
            Self::C => Spot::C,
        }
    }
}

impl Spot {
    /// All five.
    pub const ALL: [Self; 5] = [Self::S, Self::A, Self::B, Self::C, Self::D];

    /// Its number in the lab.
    #[must_use]
    pub const fn number(self) -> usize {
        match self {
            Self::S => 0,
            Self::A => 1,
            Self::B => 2,
            Self::C => 3,
            Self::D => 4,
        }
    }
}

impl Diamond {
    /// Lays it.
    pub fn lay() -> Result<Self, LabError> {
        let pairs = CABLES.map(|pair| pair.map(Spot::number));
        Ok(Self { net: Net::lay(Spot::ALL.len(), &pairs)? })
    }

    /// Its places and cables.
    #[must_use]
    pub const fn net(&self) -> &Net {
        &self.net
    }

    /// Which way traffic takes from A to D, as the cables tell, while some is flowing: no program is asked.
    pub fn carrying(&self) -> Result<Middle, LabError> {
        let frames = |to: Spot| {
            let mut cables = self.net.cables_at(Spot::A.number());
            let there = |cable: &&Cable| cable.ends.iter().any(|end| end.place == to.number());
            let cable = cables.find(there).expect("A has a cable to each of them");
            Ok::<_, LabError>(cable.carried(self.net.lab(), Spot::A.number())?.frames)
        };
        let before = [frames(Spot::B)?, frames(Spot::C)?];
        std::thread::sleep(LOOK);
        let since = [frames(Spot::B)? - before[0], frames(Spot::C)? - before[1]];
        Ok(if since[0] >= since[1] { Middle::B } else { Middle::C })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_have_one_and_two_cables_and_those_between_are_joined_as_drawn() {
        let diamond = Diamond::lay().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(Spot::ALL.map(|spot| diamond.net().cables_at(spot.number()).count()), [1, 3, 2, 2, 2]);
        let neighbours = |spot: Spot| {
            let text = diamond
                .net()
                .place(spot.number())
                .run("ip", &["-brief", "link", "show", "type", "veth"])
                .unwrap();
            text.lines().filter_map(|line| line.split('@').next().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(neighbours(Spot::A), ["v0", "v2", "v3"]);
        assert_eq!(neighbours(Spot::D), ["v2", "v3"]);
    }
}
