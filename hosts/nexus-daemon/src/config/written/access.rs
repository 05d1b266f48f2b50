//! Access codes as they are written: `access = { network_name = "…", passphrase = "file:…", ifac_bits = 128 }`.

use std::path::Path;

use nexus_network::Mode;
use nexus_wire::reticulum::ifac::TagLen;
use serde::Deserialize;
use toml::Spanned;

use super::{Wrong, parsed};
use crate::config::access::{Access, Source};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAccess {
    network_name: Option<Spanned<String>>,
    passphrase: Option<Spanned<String>>,
    ifac_bits: Option<Spanned<u16>>,
}

/// The codes of an interface, as long as `usual` unless it is written otherwise.
pub(super) fn access(
    written: Option<&Spanned<WrittenAccess>>,
    mode: Mode,
    usual: TagLen,
    base: &Path,
) -> Result<Option<Access>, Wrong> {
    let Some(spanned) = written else { return Ok(None) };
    let WrittenAccess { network_name, passphrase, ifac_bits } = spanned.get_ref();
    if mode == Mode::Nexus {
        return Err(Wrong::new(
            spanned,
            "`access` is for interfaces in reticulum mode: links need no access codes",
        ));
    }
    if network_name.is_none() && passphrase.is_none() {
        return Err(Wrong::new(spanned, "a network has a `network_name`, a `passphrase`, or both"));
    }
    if let Some(name) = network_name.as_ref().filter(|name| name.get_ref().is_empty()) {
        return Err(Wrong::new(name, "a network's name is not empty"));
    }
    let passphrase = match parsed::<Source>(passphrase.as_ref())? {
        Some(Source::File(path)) => Some(Source::File(base.join(path))),
        other => other,
    };
    let tag_len = ifac_bits.as_ref().map(tag_len).transpose()?.unwrap_or(usual);
    let network_name = network_name.as_ref().map(|name| name.get_ref().clone());
    Ok(Some(Access { network_name, passphrase, tag_len }))
}

fn tag_len(bits: &Spanned<u16>) -> Result<TagLen, Wrong> {
    let whole = bits.get_ref().is_multiple_of(8).then_some(usize::from(bits.get_ref() / 8));
    whole.and_then(TagLen::new).ok_or_else(|| {
        Wrong::new(bits, "access codes have 8 to 512 bits, in whole bytes: stock nodes use 128, and 64 on radio and serial lines")
    })
}
