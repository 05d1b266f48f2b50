//! Cables between places, what happens to them, and what they carried.

use std::fs;

use crate::lab::{Lab, LabError};

/// One end of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The place's number.
    pub place: usize,
    /// The network interface's name there.
    pub interface: String,
    /// Its IPv4 address.
    pub address: String,
}

/// A pair of virtual Ethernet interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// Both ends, in the order in which it was laid.
    pub ends: [End; 2],
}

/// What an end sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Carried {
    /// Frames.
    pub frames: u64,
    /// Bytes of these frames, with their Ethernet headers and without preamble and checksum.
    pub bytes: u64,
}

impl Cable {
    /// Lays a cable between two places. Its ends are `v<other place>`, its network is 10.78.`number`.0/30.
    pub fn lay(lab: &Lab, number: u8, places: [usize; 2]) -> Result<Self, LabError> {
        let end = |at: usize| End {
            place: places[at],
            interface: format!("v{}", places[1 - at]),
            address: format!("10.78.{number}.{}", at + 1),
        };
        let ends = [end(0), end(1)];
        let [one, other] = &ends;
        let far = lab.place(other.place).holder().to_string();
        let pair =
            ["link", "add", &one.interface, "type", "veth", "peer", "name", &other.interface, "netns", &far];
        lab.place(one.place).run("ip", &pair)?;
        for end in &ends {
            let place = lab.place(end.place);
            let address = format!("{}/30", end.address);
            place.run("ip", &["address", "add", &address, "dev", &end.interface])?;
            place.run("ip", &["link", "set", "dev", &end.interface, "up"])?;
        }
        Ok(Self { ends })
    }

    /// From here on it carries nothing in either direction, and neither end can tell.
    pub fn silence(&self, lab: &Lab) -> Result<(), LabError> {
        self.at_each_end(lab, |interface| {
            vec!["tc", "qdisc", "replace", "dev", interface, "root", "blackhole"]
        })
    }

    /// It carries again what it is given.
    pub fn mend(&self, lab: &Lab) -> Result<(), LabError> {
        self.at_each_end(lab, |interface| vec!["tc", "qdisc", "delete", "dev", interface, "root"])
    }

    fn at_each_end<'a>(&'a self, lab: &Lab, words: impl Fn(&'a str) -> Vec<&'a str>) -> Result<(), LabError> {
        for end in &self.ends {
            let words = words(&end.interface);
            lab.place(end.place).run(words[0], &words[1..])?;
        }
        Ok(())
    }

    /// Pulls the plug at this place: both ends lose their carrier.
    pub fn unplug(&self, lab: &Lab, place: usize) -> Result<(), LabError> {
        self.set(lab, place, "down")
    }

    /// Plugs it in again.
    pub fn plug(&self, lab: &Lab, place: usize) -> Result<(), LabError> {
        self.set(lab, place, "up")
    }

    fn set(&self, lab: &Lab, place: usize, to: &str) -> Result<(), LabError> {
        lab.place(place).run("ip", &["link", "set", "dev", &self.end(place).interface, to]).map(|_| ())
    }

    /// Its end at this place.
    ///
    /// # Panics
    ///
    /// If it has none there.
    #[must_use]
    pub fn end(&self, place: usize) -> &End {
        self.ends.iter().find(|end| end.place == place).expect("the cable has an end there")
    }

    /// What it carried away from this place so far.
    pub fn carried(&self, lab: &Lab, place: usize) -> Result<Carried, LabError> {
        let file = format!("/proc/{}/net/dev", lab.place(place).holder());
        let text = fs::read_to_string(&file).map_err(LabError::system(&file))?;
        let interface = &self.end(place).interface;
        sent(&text, interface)
            .ok_or_else(|| LabError::Late(format!("{file} says nothing of the interface {interface}")))
    }
}

/// The interface's line: its name, eight figures of what it received, then what it sent: bytes, frames.
fn sent(text: &str, interface: &str) -> Option<Carried> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    let mut figures = line.split_whitespace().skip(8).map(str::parse);
    Some(Carried { bytes: figures.next()?.ok()?, frames: figures.next()?.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether one of so many datagrams to nobody is answered by ICMP, which the sending socket is told.
    fn answers(lab: &Lab, to: &str, tries: usize) -> bool {
        let script = format!("exec 3<>/dev/udp/{to}/9; echo >&3; read -t 0.2 <&3; [ $? -lt 128 ]");
        (0..tries).any(|_| lab.place(0).run("bash", &["-c", &script]).is_ok())
    }

    #[test]
    fn a_cable_carries_is_silent_without_a_sign_and_can_be_unplugged() {
        let lab = Lab::of(2).unwrap_or_else(|error| panic!("{error}"));
        let cable = Cable::lay(&lab, 1, [0, 1]).unwrap();
        let state = |place: usize| {
            let interface = &cable.end(place).interface;
            lab.place(place).run("ip", &["-oneline", "link", "show", "dev", interface]).unwrap()
        };
        assert!(answers(&lab, &cable.ends[1].address, 50));
        let before = cable.carried(&lab, 1).unwrap();
        assert!(before.frames > 0 && before.bytes >= before.frames * 42, "{before:?}");
        cable.silence(&lab).unwrap();
        assert!(!answers(&lab, &cable.ends[1].address, 3));
        assert!(state(0).contains("LOWER_UP"), "{}", state(0));
        cable.mend(&lab).unwrap();
        assert!(answers(&lab, &cable.ends[1].address, 50));
        cable.unplug(&lab, 1).unwrap();
        assert!(state(0).contains("NO-CARRIER"), "{}", state(0));
        cable.plug(&lab, 1).unwrap();
        assert!(answers(&lab, &cable.ends[1].address, 50));
    }

    #[test]
    fn what_an_interface_sent_is_found_by_its_whole_name() {
        let text = "Inter-|   Receive                          |  Transmit\n\
                    \x20   v1:    1       2    0    0    0     0          0         0      30       4    0    0    0     0       0          0\n\
                    \x20  v10:    5       6    0    0    0     0          0         0      70       8    0    0    0     0       0          0\n";
        assert_eq!(sent(text, "v10"), Some(Carried { frames: 8, bytes: 70 }));
        assert_eq!(sent(text, "v1"), Some(Carried { frames: 4, bytes: 30 }));
        assert_eq!(sent(text, "v2"), None);
    }
}
