//! The shared instance, as it is written.

use std::net::SocketAddr;

use nexus_network::{Mode, Role};
use serde::Deserialize;
use toml::Spanned;

use super::Wrong;
use crate::config::{Interface, Medium, Rpc};
use crate::decorators::Decorations;
use crate::drivers::local::Place;
use crate::rpc::key;

/// What an instance is called where nothing is said.
const DEFAULT: &str = "default";
/// The longest name that a socket can have, less what stands around it.
const MAX_NAME: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenShared {
    instance: Option<Spanned<String>>,
    listen: Option<Spanned<String>>,
    rpc_key: Option<Spanned<String>>,
}

impl WrittenShared {
    pub(super) fn interface(&self) -> Result<Interface, Wrong> {
        let place = self.place()?;
        Ok(Interface {
            name: "shared".to_owned(),
            mode: Mode::Reticulum,
            bandwidth_bps: None,
            price: 0,
            role: Role::Local,
            gravity: 0,
            access: None,
            medium: Medium::Shared { place },
            decorations: Decorations::default(),
        })
    }

    fn place(&self) -> Result<Place, Wrong> {
        let instance = match &self.instance {
            None => DEFAULT,
            Some(written) => instance(written)?,
        };
        match (&self.listen, &self.instance) {
            (None, _) => Ok(Place::named(instance)),
            (Some(listen), None) => local(listen).map(Place::Tcp),
            (Some(_), Some(instance)) => Err(Wrong::new(
                instance,
                "the shared instance has a name or a port: give `instance` or `listen`",
            )),
        }
    }

    /// Where attached programs ask.
    pub(super) fn rpc(&self) -> Result<Rpc, Wrong> {
        let parse = |written: &Spanned<String>| {
            let sentence = "`rpc_key` has 32 to 128 hexadecimal digits, two for a byte";
            key::parse(written.get_ref()).ok_or_else(|| Wrong::new(written, sentence))
        };
        let place = self.place()?.for_questions();
        Ok(Rpc { place, key: self.rpc_key.as_ref().map(parse).transpose()? })
    }
}

fn instance(written: &Spanned<String>) -> Result<&str, Wrong> {
    let name = written.get_ref();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(|char| char.is_control() || char == '/') {
        return Err(Wrong::new(
            written,
            format!(
                "{name:?} is no name of an instance: one has 1 to {MAX_NAME} bytes, no slash and no control characters"
            ),
        ));
    }
    Ok(name)
}

/// Whoever can reach it is one of this machine's programs, so that is where it is.
fn local(written: &Spanned<String>) -> Result<SocketAddr, Wrong> {
    let text = written.get_ref();
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().to_canonical().is_loopback() => Ok(address),
        Ok(_) => Err(Wrong::new(
            written,
            format!(
                "programs of other machines could attach at {text}: `listen` is an address of this machine alone, such as \"127.0.0.1:37428\""
            ),
        )),
        Err(_) => Err(Wrong::new(
            written,
            format!("{text:?} is no address where programs attach: one is written \"127.0.0.1:37428\""),
        )),
    }
}
