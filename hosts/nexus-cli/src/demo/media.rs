//! The demo's media: virtual LoRa modems at terminals, UDP and TCP on the loopback interface.

use std::path::Path;

use nexus_air::live::{Address, House, Plan};
use nexus_air::{Hearing, RadioId, Transmission};
use nexus_daemon::host::entropy;
use nexus_machine::Seed;
use serde::Serialize;

use super::{DemoError, NODES};

/// What a link of the demo runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Medium {
    Lora,
    Udp,
    Tcp,
}

/// What is between each node of the line and the next.
const LINE: [Medium; NODES - 1] = [Medium::Lora, Medium::Udp, Medium::Tcp, Medium::Lora];

/// Each radio link has a channel of its own, in hertz. Nothing really transmits, so nobody's rules hold.
const CHANNELS: [u32; 2] = [867_200_000, 868_000_000];

/// As fast as LoRa is: the demo is to end in seconds.
const FASTEST: &str = "region = \"custom\"\nduty_cycle = \"100 %\"\nbandwidth = 500000\nspreading_factor = 5\n\
                       coding_rate = 5\ntx_power = 7\n";

/// The media at work. The modems end when this is dropped.
#[derive(Debug)]
pub(super) struct Media {
    air: House,
}

impl Media {
    /// Opens the modems' terminals in `directory`. All modems hear each other, as those of neighbours do.
    pub(super) fn open(directory: &Path) -> Result<Self, DemoError> {
        let radios = CHANNELS.map(|_| 2_u16).iter().sum();
        let seed = Seed::new(entropy().map_err(DemoError::Entropy)?);
        let air = House::open(Plan::terminals(Hearing::everybody(radios), seed), directory);
        Ok(Self { air: air.map_err(DemoError::Radios)? })
    }

    /// What was on the air since this was last asked.
    pub(super) fn on_air(&self) -> Vec<Transmission> {
        self.air.transmissions()
    }

    /// A node of the line: `back` to the one before it, which listens at `before` on media with addresses, and `onward` for
    /// the one after it.
    pub(super) fn configuration(&self, index: usize, before: Option<&str>) -> String {
        let back = index.checked_sub(1).map(|link| self.end(link, Side::Far, before));
        let onward = (index < LINE.len()).then(|| self.end(index, Side::Near, None));
        [Some("log_level = \"warn\"\n".to_owned()), back, onward].into_iter().flatten().collect()
    }

    /// One end of a link.
    fn end(&self, link: usize, side: Side, peer: Option<&str>) -> String {
        let name = match side {
            Side::Near => "onward",
            Side::Far => "back",
        };
        let to = match LINE[link] {
            Medium::Lora => self.modem(link, side),
            Medium::Udp => {
                let peers: Vec<&str> = peer.into_iter().collect();
                format!(
                    "listen = \"127.0.0.1:0\"\ndiscovery_v4 = false\ndiscovery_v6 = false\npeers = {peers:?}\n"
                )
            }
            Medium::Tcp => match peer {
                Some(peer) => format!("connect = [{peer:?}]\n"),
                None => "listen = \"127.0.0.1:0\"\n".to_owned(),
            },
        };
        let kind = LINE[link].kind();
        format!("[[{kind}]]\nname = \"{name}\"\npcap = \"{name}.pcap\"\n{to}")
    }

    /// How one end of a radio link finds its modem, and tunes it.
    fn modem(&self, link: usize, side: Side) -> String {
        let number = LINE.iter().take(link).filter(|medium| **medium == Medium::Lora).count();
        let radio = (0..).map(RadioId).nth(2 * number + usize::from(side == Side::Far));
        let port = match self.air.address(radio.expect("there are two modems for each radio link")) {
            Address::Terminal(path) => path.display().to_string(),
            Address::Tcp(address) => format!("tcp://{address}"),
        };
        format!("port = {port:?}\nfrequency = {}\n{FASTEST}", CHANNELS[number])
    }
}

/// Which end of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// That of the node that comes first in the line.
    Near,
    Far,
}

impl Medium {
    /// As the configuration and the status call it.
    const fn kind(self) -> &'static str {
        match self {
            Self::Lora => "rnode",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        [Self::Lora, Self::Udp, Self::Tcp].into_iter().find(|medium| medium.kind() == kind)
    }

    /// As it is told.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lora => "LoRa",
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}
