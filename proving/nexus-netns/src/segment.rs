//! One network for any number of places, as a switch makes it.

use crate::lab::{Lab, LabError};

/// A switch in a place of its own, and who is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    plugs: Vec<Plug>,
}

/// A network interface that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plug {
    place: usize,
    interface: String,
}

impl Segment {
    /// Makes `switch` a switch called `name`, of 7 letters at most, and plugs in each of `places`: one that is named twice twice. The interfaces there are
    /// `<name>0` and so on, in this order. They have IPv6 link-local addresses alone.
    pub fn lay(lab: &Lab, switch: usize, name: &str, places: &[usize]) -> Result<Self, LabError> {
        let at = lab.place(switch);
        at.run("ip", &["link", "add", name, "type", "bridge"])?;
        at.run("ip", &["link", "set", "dev", name, "up"])?;
        let mut plugs = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let (interface, socket) = (format!("{name}{number}"), format!("{name}-{number}"));
            let far = lab.place(*place).holder().to_string();
            let pair = ["link", "add", &socket, "type", "veth", "peer", "name", &interface, "netns", &far];
            at.run("ip", &pair)?;
            at.run("ip", &["link", "set", "dev", &socket, "master", name, "up"])?;
            let segment = Plug { place: *place, interface };
            segment.set(lab, "up")?;
            plugs.push(segment);
        }
        Ok(Self { plugs })
    }

    /// Pulls the plug of this number.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn unplug(&self, lab: &Lab, number: usize) -> Result<(), LabError> {
        self.plugs[number].set(lab, "down")
    }

    /// Plugs it in again.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn plug(&self, lab: &Lab, number: usize) -> Result<(), LabError> {
        self.plugs[number].set(lab, "up")
    }

    /// The link-local address of the interface of this number.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn address(&self, lab: &Lab, number: usize) -> Result<String, LabError> {
        let Plug { place, interface } = &self.plugs[number];
        let shown = ["-6", "-oneline", "address", "show", "dev", interface, "scope", "link"];
        let said = lab.place(*place).run("ip", &shown)?;
        let mut words = said.split_whitespace().skip_while(|word| *word != "inet6");
        let address = words.nth(1).and_then(|address| address.split('/').next());
        address
            .map(str::to_owned)
            .ok_or_else(|| LabError::Late(format!("{interface} has no link-local address: {said:?}")))
    }
}

impl Plug {
    fn set(&self, lab: &Lab, to: &str) -> Result<(), LabError> {
        lab.place(self.place).run("ip", &["link", "set", "dev", &self.interface, to]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_plugged_in_reaches_the_others_and_one_place_may_be_twice() {
        let lab = Lab::of(3).unwrap_or_else(|error| panic!("{error}"));
        let segment = Segment::lay(&lab, 2, "lan", &[0, 1, 1]).unwrap();
        let addresses = [0, 1, 2].map(|number| segment.address(&lab, number).unwrap());
        assert!(addresses.iter().all(|address| address.starts_with("fe80::")), "{addresses:?}");
        assert!(addresses[0] != addresses[1] && addresses[1] != addresses[2], "{addresses:?}");
        segment.unplug(&lab, 1).unwrap();
        assert!(segment.address(&lab, 1).is_err());
        segment.plug(&lab, 1).unwrap();
        assert_eq!(segment.address(&lab, 1).unwrap(), addresses[1]);
    }
}
