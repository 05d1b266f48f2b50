//! Places and the cables between them.

use crate::cable::Cable;
use crate::lab::{Lab, LabError, Place};

/// A lab with its cables.
#[derive(Debug)]
pub struct Net {
    lab: Lab,
    places: usize,
    cables: Vec<Cable>,
}

impl Net {
    /// So many places, at most 250, with a cable between each of these pairs, at most 250 too. Each place has an address that does not
    /// depend on a cable.
    pub fn lay(places: usize, pairs: &[[usize; 2]]) -> Result<Self, LabError> {
        let lab = Lab::of(places)?;
        for place in 0..places {
            let address = format!("{}/32", Self::address(place));
            lab.place(place).run("ip", &["address", "add", &address, "dev", "lo"])?;
        }
        let cables = (1..).zip(pairs).map(|(number, pair)| Cable::lay(&lab, number, *pair));
        let cables = cables.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { lab, places, cables })
    }

    /// Rows and columns, with a cable between those side by side.
    pub fn grid(side: usize) -> Result<Self, LabError> {
        let right = (0..side * side).filter(|place| (place + 1) % side != 0).map(|place| [place, place + 1]);
        let below = (0..side * side.saturating_sub(1)).map(|place| [place, place + side]);
        Self::lay(side * side, &right.chain(below).collect::<Vec<_>>())
    }

    /// The address that a place has whichever of its cables work.
    #[must_use]
    pub fn address(place: usize) -> String {
        format!("10.78.0.{}", place + 1)
    }

    /// How many places there are.
    #[must_use]
    pub const fn places(&self) -> usize {
        self.places
    }

    /// The lab that it lies in.
    #[must_use]
    pub const fn lab(&self) -> &Lab {
        &self.lab
    }

    /// A place by its number, from 0.
    #[must_use]
    pub fn place(&self, number: usize) -> &Place {
        self.lab.place(number)
    }

    /// All cables.
    #[must_use]
    pub fn cables(&self) -> &[Cable] {
        &self.cables
    }

    /// The cables that end there.
    pub fn cables_at(&self, place: usize) -> impl Iterator<Item = &Cable> {
        self.cables.iter().filter(move |cable| cable.ends.iter().any(|end| end.place == place))
    }

    /// The addresses at the other ends of the cables that begin there: who has to call so that each cable is called from one end.
    #[must_use]
    pub fn called_from(&self, place: usize) -> Vec<String> {
        let begin_there = self.cables.iter().filter(|cable| cable.ends[0].place == place);
        begin_there.map(|cable| cable.ends[1].address.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_grid_corners_have_two_cables_edges_three_and_others_four() {
        let net = Net::grid(3).unwrap_or_else(|error| panic!("{error}"));
        let cables: Vec<usize> = (0..net.places()).map(|place| net.cables_at(place).count()).collect();
        assert_eq!(cables, [2, 3, 2, 3, 4, 3, 2, 3, 2]);
        assert_eq!(net.called_from(4), ["10.78.4.2".to_owned(), "10.78.11.2".to_owned()]);
        assert_eq!(net.called_from(8), Vec::<String>::new());
    }
}
