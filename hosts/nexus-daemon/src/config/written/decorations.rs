//! What wraps an interface, as it is written.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::Wrong;
use crate::decorators::{Decorations, Faults, Pcap, Tracer};

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenFaults {
    loss_permille: u16,
    duplication_permille: u16,
    reordering_permille: u16,
    corruption_permille: u16,
    delay_ms: u16,
    seed: u64,
}

impl Default for WrittenFaults {
    fn default() -> Self {
        Self {
            loss_permille: 0,
            duplication_permille: 0,
            reordering_permille: 0,
            corruption_permille: 0,
            delay_ms: 0,
            seed: 1,
        }
    }
}

pub(super) fn decorations(
    trace: bool,
    pcap: Option<&Path>,
    faults: Option<&Spanned<WrittenFaults>>,
    base: &Path,
) -> Result<Decorations, Wrong> {
    let faults = faults.map(|spanned| {
        let WrittenFaults {
            loss_permille: loss,
            duplication_permille: duplication,
            reordering_permille: reordering,
            corruption_permille: corruption,
            delay_ms,
            seed,
        } = *spanned.get_ref();
        if [loss, duplication, reordering, corruption].iter().any(|share| *share > 1_000) {
            return Err(Wrong::new(spanned, "a share of faults is at most 1000 permille"));
        }
        let delay = std::time::Duration::from_millis(delay_ms.into());
        Ok(Faults { seed, loss, duplication, reordering, corruption, delay })
    });
    Ok(Decorations {
        faults: faults.transpose()?,
        tracer: trace.then_some(Tracer),
        pcap: pcap.map(|pcap| Pcap { path: base.join(pcap), most: None }),
    })
}
