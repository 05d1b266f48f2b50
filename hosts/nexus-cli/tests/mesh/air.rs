//! Virtual modems for nodes, and what was on the air between them.

use nexus_air::hearing::Hearing;
use nexus_air::live::{Address, House, Plan, Port};
use nexus_air::{RadioId, Transmission, record};
use nexus_daemon::recordings::{Searched, search_pieces};
use nexus_machine::Seed;
use nexus_wire::reticulum::rnode::{AirtimeLimit, Hertz, RadioState, Setting, ToDevice};

pub(crate) const A: RadioId = RadioId(0);
pub(crate) const B: RadioId = RadioId(1);
/// Whoever else is in reach.
pub(crate) const OTHER: RadioId = RadioId(2);
pub(crate) const ANOTHER: RadioId = RadioId(3);

/// The fastest channel that there is, the whole hour long: tests are not to wait for the air.
pub(crate) const FASTEST: &str = "region = \"custom\"\nduty_cycle = \"100 %\"\nfrequency = 867200000\n\
                                  bandwidth = 500000\nspreading_factor = 5\ncoding_rate = 5\ntx_power = 7\n";

/// Modems that hear each other, and the directory in which their terminals are.
pub(crate) struct Air {
    pub(crate) house: House,
    _directory: tempfile::TempDir,
}

impl Air {
    /// Modems at terminals.
    pub(crate) fn of(radios: u16) -> Self {
        Self::at(radios, Vec::new())
    }

    /// Modems at these ports, and at terminals where none is named.
    pub(crate) fn at(radios: u16, ports: Vec<Port>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let plan = Plan { ports, ..Plan::terminals(Hearing::everybody(radios), Seed::new([11; 32])) };
        let house = House::open(plan, directory.path()).unwrap();
        Self { house, _directory: directory }
    }

    /// Where the host of a radio finds it, as a configuration has it.
    pub(crate) fn port(&self, radio: RadioId) -> String {
        match self.house.address(radio) {
            Address::Terminal(path) => path.to_str().unwrap().to_owned(),
            Address::Tcp(address) => format!("tcp://{address}"),
        }
    }

    /// The interface `radio` of a node on the fastest channel, recorded.
    pub(crate) fn rnode(&self, radio: RadioId, more: &str) -> String {
        let port = self.port(radio);
        format!("[[rnode]]\nname = \"radio\"\nport = \"{port}\"\n{FASTEST}pcap = \"radio.pcap\"\n{more}")
    }

    /// Has a modem without a node send these packets on the nodes' channel.
    pub(crate) fn transmit(&self, radio: RadioId, packets: &[Vec<u8>]) {
        let settings = SETTINGS.map(ToDevice::Set);
        let words = settings.into_iter().chain(packets.iter().map(|packet| ToDevice::Data(packet)));
        let said: Vec<u8> = words
            .flat_map(|word| {
                let mut buffer = [0; 1_100];
                word.encode(&mut buffer).unwrap().to_vec()
            })
            .collect();
        self.house.with(move |fleet, now| fleet.hear(now, radio, &said));
    }
}

/// What [`FASTEST`] comes to, as a modem is told.
const SETTINGS: [Setting; 8] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(500_000)),
    Setting::TxPower(7),
    Setting::SpreadingFactor(5),
    Setting::CodingRate(5),
    Setting::ShortAirtimeLimit(AirtimeLimit(0)),
    Setting::LongAirtimeLimit(AirtimeLimit(0)),
    Setting::RadioState(RadioState::ON),
];

/// Searches all that was on the air, as it was sent and as it is put together.
pub(crate) fn search_air<'a>(
    on_air: &[Transmission],
    secrets: impl IntoIterator<Item = &'a [u8]>,
) -> Searched {
    let packets = record::packets(on_air);
    let sent = on_air.iter().map(|transmission| &transmission.bytes[..]);
    search_pieces(sent.chain(packets.iter().map(|(_, packet)| &packet[..])), secrets)
}
