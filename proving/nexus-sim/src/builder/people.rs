//! What people of a world do.

use super::{Life, Order, written};
use crate::worldfile::{Bulk, Messages, Telemetry, Voice, WorldFile};

/// Messages that a node writes in an hour, and how often it measures: usually, and if it wants more than the air has.
const USUAL: (u32, u64) = (2, 1_800);
const SATURATED: (u32, u64) = (720, 10);
/// Codec2 at its second lowest rate: 1,200 bit/s.
const CODEC2_BPS: u32 = 1_200;
/// Opus for speech at its lowest useful rate.
const OPUS_BPS: u32 = 12_000;

pub(super) fn settle(order: &Order, file: &mut WorldFile) {
    let (per_node_and_hour, every_s) = match order.life {
        Life::Idle => return,
        Life::Usual => USUAL,
        Life::Saturated => SATURATED,
    };
    let names: Vec<String> = file.nodes.iter().map(|node| node.get_ref().name.clone()).collect();
    // Until then nodes find and link with each other.
    let (from_s, until_s) = (order.duration_s / 2, order.duration_s - order.duration_s / 12);
    let lifetime_s = order.duration_s / 12;
    file.messages.push(written(Messages {
        name: "messages".to_owned(),
        among: names.clone(),
        per_node_and_hour,
        bytes: [20, 160],
        lifetime_s,
        from_s,
        until_s,
    }));
    file.telemetry.push(written(Telemetry {
        name: "telemetry".to_owned(),
        sources: names[1..].to_vec(),
        sink: names[0].clone(),
        every_s,
        bytes: 24,
        lifetime_s,
        from_s,
        until_s,
    }));
    let Some(cable) = file.cables.last() else { return };
    let [from, to] = cable.get_ref().between.clone();
    for (name, codec_bps, packet_ms) in [("voice codec2", CODEC2_BPS, 40), ("voice opus", OPUS_BPS, 60)] {
        file.voice.push(written(Voice {
            name: name.to_owned(),
            from: from.clone(),
            to: to.clone(),
            codec_bps,
            packet_ms,
            spurt_ms: 1_200,
            pause_ms: 1_800,
            from_s,
            until_s: (from_s + 20).min(until_s),
        }));
    }
    file.bulk.push(written(Bulk {
        name: "bulk".to_owned(),
        from: to,
        to: from,
        volume_bytes: 100_000,
        at_once: 16,
        lifetime_s: 30,
        from_s: (from_s + 20).min(until_s),
    }));
}
