//! Modems: an RNode with its channel, and serial ports.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use nexus_network::{DutyCycle, Region, region};
use nexus_wire::reticulum::ifac::TagLen;
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::{WrittenAccess, WrittenFaults, Wrong, access, decorations, gravity, mode, parsed, price, role};
use crate::config::{HostPort, Interface, Medium, Port};
use crate::drivers::rnode;
use crate::drivers::serial::Framing;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRnode {
    name: Option<String>,
    mode: Option<Spanned<String>>,
    price: Option<Spanned<toml::Value>>,
    role: Option<Spanned<String>>,
    gravity: Option<Spanned<toml::Value>>,
    access: Option<Spanned<WrittenAccess>>,
    port: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    duty_cycle: Option<Spanned<String>>,
    frequency: Option<u32>,
    bandwidth: Option<u32>,
    spreading_factor: Option<u8>,
    coding_rate: Option<u8>,
    tx_power: Option<u8>,
    #[serde(default)]
    trace: bool,
    pcap: Option<PathBuf>,
    faults: Option<Spanned<WrittenFaults>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSerial {
    name: Option<String>,
    mode: Option<Spanned<String>>,
    price: Option<Spanned<toml::Value>>,
    role: Option<Spanned<String>>,
    gravity: Option<Spanned<toml::Value>>,
    access: Option<Spanned<WrittenAccess>>,
    port: Option<Spanned<String>>,
    speed: Option<Spanned<u32>>,
    framing: Option<Spanned<String>>,
    bitrate: Option<Spanned<u64>>,
    #[serde(default)]
    trace: bool,
    pcap: Option<PathBuf>,
    faults: Option<Spanned<WrittenFaults>>,
}

/// Bits per second on a cable of which nothing else is said.
const SPEED: u32 = 115_200;

impl WrittenRnode {
    pub(super) fn interface(
        &self,
        spanned: &Spanned<Self>,
        number: usize,
        base: &Path,
    ) -> Result<Interface, Wrong> {
        let port = port(spanned, self.port.as_ref(), "an RNode")?;
        let mode = mode(self.mode.as_ref())?;
        Ok(Interface {
            name: self.name.clone().unwrap_or_else(|| format!("radio{number}")),
            mode,
            bandwidth_bps: None,
            price: price(self.price.as_ref(), mode)?,
            role: role(self.role.as_ref(), mode)?,
            gravity: gravity(self.gravity.as_ref(), mode)?,
            access: access(self.access.as_ref(), mode, TagLen::NARROW, base)?,
            medium: Medium::Rnode { port, channel: self.channel(spanned)? },
            decorations: decorations(self.trace, self.pcap.as_deref(), self.faults.as_ref(), base)?,
        })
    }

    /// The channel, once region and duty cycle are chosen. What is wrong with one that is not is said all the same.
    fn channel(&self, spanned: &Spanned<Self>) -> Result<Option<nexus_network::Channel>, Wrong> {
        let region = parsed::<WrittenRegion>(self.region.as_ref())?;
        let duty = parsed::<WrittenDutyCycle>(self.duty_cycle.as_ref())?;
        let Some(WrittenRegion(region)) = region else { return Ok(None) };
        let wish = region::Wish {
            frequency_hz: self.frequency,
            bandwidth_hz: self.bandwidth,
            spreading_factor: self.spreading_factor,
            coding_rate: self.coding_rate,
            tx_power_dbm: self.tx_power,
            duty: duty.map_or(DutyCycle::LEAST, |WrittenDutyCycle(duty)| duty),
        };
        let channel = region.channel(&wish).map_err(|refusal| Wrong::new(spanned, refusal))?;
        Ok(duty.map(|_| channel))
    }
}

impl WrittenSerial {
    pub(super) fn interface(
        &self,
        spanned: &Spanned<Self>,
        number: usize,
        base: &Path,
    ) -> Result<Interface, Wrong> {
        let port = port(spanned, self.port.as_ref(), "a serial interface")?;
        let framing = match &self.framing {
            None => Framing::Hdlc,
            Some(written) => match written.get_ref().as_str() {
                "hdlc" => Framing::Hdlc,
                "kiss" => Framing::Kiss,
                other => {
                    let sentence = format!("{other:?} is no framing: say \"hdlc\" or \"kiss\"");
                    return Err(Wrong::new(written, sentence));
                }
            },
        };
        if self.bitrate.is_none() && framing == Framing::Kiss {
            let sentence =
                "a modem behind KISS has a `bitrate`: how many bits a second it sends over the air";
            return Err(Wrong::new(spanned, sentence));
        }
        if let Some(written) = &self.speed
            && *written.get_ref() == 0
        {
            return Err(Wrong::new(written, "a cable has a speed: so many bits a second, 115200 for one"));
        }
        if let Some(written) = &self.bitrate
            && *written.get_ref() == 0
        {
            return Err(Wrong::new(written, "a bitrate is at least one bit a second"));
        }
        let mode = mode(self.mode.as_ref())?;
        Ok(Interface {
            name: self.name.clone().unwrap_or_else(|| format!("serial{number}")),
            mode,
            price: price(self.price.as_ref(), mode)?,
            role: role(self.role.as_ref(), mode)?,
            gravity: gravity(self.gravity.as_ref(), mode)?,
            access: access(self.access.as_ref(), mode, TagLen::NARROW, base)?,
            bandwidth_bps: self.bitrate.as_ref().map(|bitrate| *bitrate.get_ref()),
            medium: Medium::Serial {
                port,
                speed: self.speed.as_ref().map_or(SPEED, |speed| *speed.get_ref()),
                framing,
            },
            decorations: decorations(self.trace, self.pcap.as_deref(), self.faults.as_ref(), base)?,
        })
    }
}

/// Where a modem is: a device, or another machine's port.
fn port(spanned: &Spanned<impl Sized>, written: Option<&Spanned<String>>, what: &str) -> Result<Port, Wrong> {
    let missing = || format!("{what} has a `port`: \"/dev/ttyUSB0\" or \"tcp://host:{}\"", rnode::PORT);
    let written = written.ok_or_else(|| Wrong::new(spanned, missing()))?;
    let text = written.get_ref();
    let refused = || {
        let sentence =
            format!("{text:?} is no port: one is \"/dev/ttyUSB0\" or \"tcp://host:{}\"", rnode::PORT);
        Wrong::new(written, sentence)
    };
    if text.starts_with('/') {
        return Ok(Port::Device(text.into()));
    }
    let address = text.strip_prefix("tcp://").ok_or_else(refused)?;
    let with_port = || format!("{address}:{}", rnode::PORT);
    let to = HostPort::from_str(address).or_else(|_| HostPort::from_str(&with_port()));
    to.map(Port::Tcp).map_err(|_| refused())
}

/// A region as it is written.
#[derive(Clone, Copy)]
struct WrittenRegion(Region);

/// What is no region.
#[derive(Debug, Error)]
#[error("{written:?} is no region: say {}, or \"custom\" with a channel of your own", named())]
struct NotARegion {
    written: String,
}

fn named() -> String {
    let named = Region::ALL.iter().filter(|region| **region != Region::Custom);
    named.map(|region| format!("{:?}", region.name())).collect::<Vec<_>>().join(", ")
}

impl FromStr for WrittenRegion {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, NotARegion> {
        let found = Region::ALL.into_iter().find(|region| region.name() == text);
        found.map(Self).ok_or_else(|| NotARegion { written: text.to_owned() })
    }
}

/// A share of time as it is written: `1 %`, `0.1 %`.
#[derive(Clone, Copy)]
struct WrittenDutyCycle(DutyCycle);

/// What is no duty cycle.
#[derive(Debug, Error)]
#[error("{0:?} is no duty cycle: one is written \"10 %\", from \"0.01 %\" to \"100 %\"")]
struct NotADutyCycle(String);

impl FromStr for WrittenDutyCycle {
    type Err = NotADutyCycle;

    fn from_str(text: &str) -> Result<Self, NotADutyCycle> {
        let hundredths = || {
            let number = text.strip_suffix('%')?.trim_end();
            let (whole, behind) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
            if !digits(whole) || !digits(behind) || behind.len() > 2 {
                return None;
            }
            let hundredths = format!("{behind:0<2}").parse::<u16>().ok()?;
            whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)
        };
        let duty = hundredths().and_then(DutyCycle::new);
        duty.map(Self).ok_or_else(|| NotADutyCycle(text.to_owned()))
    }
}
