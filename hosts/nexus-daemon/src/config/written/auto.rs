//! Stock nodes of the local network, as they are written. The values are called as in stock nodes' configurations.

use std::path::{Path, PathBuf};

use nexus_network::Mode;
use nexus_wire::reticulum::ifac::TagLen;
use serde::Deserialize;
use toml::Spanned;

use super::{WrittenAccess, WrittenFaults, Wrong, access, decorations, gravity, role};
use crate::config::{Interface, Medium};
use crate::drivers::auto::{Devices, Group, Lifetime, Scope};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAuto {
    name: Option<String>,
    mode: Option<Spanned<String>>,
    bandwidth_bps: Option<u64>,
    role: Option<Spanned<String>>,
    gravity: Option<Spanned<toml::Value>>,
    access: Option<Spanned<WrittenAccess>>,
    group_id: Option<Spanned<String>>,
    #[serde(default)]
    devices: Vec<String>,
    #[serde(default)]
    ignored_devices: Vec<String>,
    discovery_port: Option<Spanned<u16>>,
    data_port: Option<Spanned<u16>>,
    discovery_scope: Option<Spanned<String>>,
    multicast_address_type: Option<Spanned<String>>,
    #[serde(default)]
    trace: bool,
    pcap: Option<PathBuf>,
    faults: Option<Spanned<WrittenFaults>>,
}

impl WrittenAuto {
    pub(super) fn interface(&self, number: usize, base: &Path) -> Result<Interface, Wrong> {
        let mode = self.mode()?;
        Ok(Interface {
            name: self.name.clone().unwrap_or_else(|| format!("auto{number}")),
            mode,
            bandwidth_bps: self.bandwidth_bps,
            price: 0,
            role: role(self.role.as_ref(), mode)?,
            gravity: gravity(self.gravity.as_ref(), mode)?,
            access: access(self.access.as_ref(), mode, TagLen::WIDE, base)?,
            medium: Medium::Auto {
                group: self.group()?,
                devices: Devices { chosen: self.devices.clone(), ignored: self.ignored_devices.clone() },
            },
            decorations: decorations(self.trace, self.pcap.as_deref(), self.faults.as_ref(), base)?,
        })
    }

    /// Nodes in NEXUS mode find each other by their UDP interfaces.
    fn mode(&self) -> Result<Mode, Wrong> {
        match &self.mode {
            Some(written) if written.get_ref() != "reticulum" => Err(Wrong::new(
                written,
                "[[auto]] is for stock nodes, in mode \"reticulum\": NEXUS nodes find each other by [[udp]]",
            )),
            Some(_) | None => Ok(Mode::Reticulum),
        }
    }

    fn group(&self) -> Result<Group, Wrong> {
        let usual = Group::default();
        if let Some(id) = self.group_id.as_ref().filter(|id| id.get_ref().is_empty()) {
            return Err(Wrong::new(id, "a group's `group_id` is not empty"));
        }
        let port = |written: Option<&Spanned<u16>>, usual, most| match written {
            Some(written) if *written.get_ref() == 0 || *written.get_ref() > most => {
                Err(Wrong::new(written, format!("a port is a number from 1 to {most}")))
            }
            Some(written) => Ok(*written.get_ref()),
            None => Ok(usual),
        };
        let group = Group {
            id: self.group_id.as_ref().map_or(usual.id, |id| id.get_ref().clone()),
            scope: self.discovery_scope.as_ref().map(scope).transpose()?.unwrap_or(usual.scope),
            lifetime: self
                .multicast_address_type
                .as_ref()
                .map(lifetime)
                .transpose()?
                .unwrap_or(usual.lifetime),
            // The next one is used too.
            discovery_port: port(self.discovery_port.as_ref(), usual.discovery_port, u16::MAX - 1)?,
            data_port: port(self.data_port.as_ref(), usual.data_port, u16::MAX)?,
        };
        let own = [group.discovery_port, group.reverse_port()];
        match self.data_port.as_ref().or(self.discovery_port.as_ref()) {
            Some(written) if own.contains(&group.data_port) => Err(Wrong::new(
                written,
                "frames have a port of their own: `data_port` is neither `discovery_port` nor the next one",
            )),
            Some(_) | None => Ok(group),
        }
    }
}

fn scope(written: &Spanned<String>) -> Result<Scope, Wrong> {
    match written.get_ref().as_str() {
        "link" => Ok(Scope::Link),
        "admin" => Ok(Scope::Admin),
        "site" => Ok(Scope::Site),
        "organisation" => Ok(Scope::Organisation),
        "global" => Ok(Scope::Global),
        other => Err(Wrong::new(
            written,
            format!(
                "{other:?} is no scope: say \"link\", \"admin\", \"site\", \"organisation\" or \"global\""
            ),
        )),
    }
}

fn lifetime(written: &Spanned<String>) -> Result<Lifetime, Wrong> {
    match written.get_ref().as_str() {
        "temporary" => Ok(Lifetime::Temporary),
        "permanent" => Ok(Lifetime::Permanent),
        other => Err(Wrong::new(
            written,
            format!("{other:?} is no type of multicast address: say \"temporary\" or \"permanent\""),
        )),
    }
}

/// Two of them that could be on one of the machine's networks have ports of their own.
pub(super) fn apart(all: &[(usize, Interface)]) -> Result<(), Wrong> {
    let mut before: Vec<(&str, &Group, &Devices)> = Vec::new();
    for (at, interface) in all {
        let Medium::Auto { group, devices } = &interface.medium else { continue };
        let clash = before.iter().find(|(_, other, theirs)| {
            let ports = |group: &Group| [group.data_port, group.reverse_port()];
            ports(group).iter().any(|port| ports(other).contains(port)) && may_meet(devices, theirs)
        });
        if let Some((name, _, _)) = clash {
            return Err(Wrong {
                at: *at,
                sentence: format!(
                    "{} and {name} would use the same ports on the same networks: give one another `discovery_port` and `data_port`, or each its `devices`",
                    interface.name
                ),
            });
        }
        before.push((&interface.name, group, devices));
    }
    Ok(())
}

fn may_meet(one: &Devices, other: &Devices) -> bool {
    match (one.chosen.as_slice(), other.chosen.as_slice()) {
        ([], []) => true,
        ([], named) => named.iter().any(|name| !one.ignored.contains(name)),
        (named, []) => named.iter().any(|name| !other.ignored.contains(name)),
        (named, others) => named.iter().any(|name| others.contains(name)),
    }
}
