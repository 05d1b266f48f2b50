//! The traffic of a file.

use nexus_machine::Duration;

use super::prepare::{Names, Wrong};
use super::written::WorldFile;
use super::{Bulk, Messages, Telemetry, Voice, Written};
use crate::clock::WorldTime;
use crate::traffic::{Demand, Flow, LABEL, PIECE};

/// The names of all flows and the flows themselves.
pub(super) fn flows(file: &WorldFile, names: &Names) -> Result<(Vec<String>, Vec<Flow>), Wrong> {
    let mut all = Vec::new();
    for messages in &file.messages {
        all.push((messages.get_ref().name.clone(), people(messages, names)?));
    }
    for telemetry in &file.telemetry {
        for flow in readings(telemetry, names)? {
            all.push((telemetry.get_ref().name.clone(), flow));
        }
    }
    for voice in &file.voice {
        all.push((voice.get_ref().name.clone(), speech(voice, names)?));
    }
    for bulk in &file.bulk {
        all.push((bulk.get_ref().name.clone(), volume(bulk, names, file.duration_s)?));
    }
    Ok(all.into_iter().unzip())
}

fn second(seconds: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(seconds))
}

fn people(written: &Written<Messages>, names: &Names) -> Result<Flow, Wrong> {
    let messages = written.get_ref();
    let among = names.nodes(written, &messages.among)?;
    let [shortest, longest] = messages.bytes;
    text(written, shortest)?;
    text(written, longest)?;
    if among.len() < 2 || messages.per_node_and_hour == 0 || shortest > longest {
        return Err(Wrong::new(
            written,
            "messages are among two nodes at least, at least one an hour, the shorter `bytes` first",
        ));
    }
    let hourly =
        u64::try_from(among.len()).expect("a length fits u64") * u64::from(messages.per_node_and_hour);
    let demand = Demand::Messages {
        among,
        apart: Duration::from_micros(3_600_000_000 / hourly),
        bytes: (shortest, longest),
        lifetime: Duration::from_secs(messages.lifetime_s),
    };
    Ok(Flow { from: second(messages.from_s), until: second(messages.until_s), demand })
}

fn readings(written: &Written<Telemetry>, names: &Names) -> Result<Vec<Flow>, Wrong> {
    let telemetry = written.get_ref();
    text(written, telemetry.bytes)?;
    let sink = names.node(written, &telemetry.sink)?;
    let sources = names.nodes(written, &telemetry.sources)?;
    if telemetry.every_s == 0 || sources.contains(&sink) {
        return Err(Wrong::new(
            written,
            "telemetry comes every second at most, from other nodes than its sink",
        ));
    }
    let flow = |source| Flow {
        from: second(telemetry.from_s),
        until: second(telemetry.until_s),
        demand: Demand::Telemetry {
            source,
            sink,
            every: Duration::from_secs(telemetry.every_s),
            bytes: telemetry.bytes,
            lifetime: Duration::from_secs(telemetry.lifetime_s),
        },
    };
    Ok(sources.into_iter().map(flow).collect())
}

fn speech(written: &Written<Voice>, names: &Names) -> Result<Flow, Wrong> {
    let voice = written.get_ref();
    let bits = u64::from(voice.codec_bps) * u64::from(voice.packet_ms);
    let bytes = u16::try_from(bits.div_ceil(8_000)).unwrap_or(u16::MAX);
    text(written, bytes.saturating_add(u16::try_from(LABEL).expect("eight")))?;
    if voice.packet_ms == 0 || voice.spurt_ms == 0 || bytes == 0 {
        return Err(Wrong::new(written, "speech has packets, and spurts, of a millisecond at least"));
    }
    let ms = |ms: u32| Duration::from_millis(ms.into());
    let demand = Demand::Voice {
        from: names.node(written, &voice.from)?,
        to: other(written, names, &voice.from, &voice.to)?,
        packet: ms(voice.packet_ms),
        bytes,
        spurt: ms(voice.spurt_ms),
        pause: ms(voice.pause_ms),
    };
    Ok(Flow { from: second(voice.from_s), until: second(voice.until_s), demand })
}

fn volume(written: &Written<Bulk>, names: &Names, duration_s: u64) -> Result<Flow, Wrong> {
    let bulk = written.get_ref();
    if bulk.at_once == 0 || bulk.volume_bytes == 0 {
        return Err(Wrong::new(written, "a volume has a byte, and a piece on its way, at least"));
    }
    let demand = Demand::Bulk {
        from: names.node(written, &bulk.from)?,
        to: other(written, names, &bulk.from, &bulk.to)?,
        volume: bulk.volume_bytes,
        at_once: bulk.at_once,
        lifetime: Duration::from_secs(bulk.lifetime_s),
    };
    Ok(Flow { from: second(bulk.from_s), until: second(duration_s), demand })
}

fn other(
    at: &Written<impl Sized>,
    names: &Names,
    from: &str,
    to: &str,
) -> Result<crate::observation::NodeIndex, Wrong> {
    if from == to {
        return Err(Wrong::new(at, "nobody sends to themselves"));
    }
    names.node(at, to)
}

fn text(at: &Written<impl Sized>, bytes: u16) -> Result<(), Wrong> {
    let shortest = u16::try_from(LABEL).expect("eight");
    if (shortest..=PIECE).contains(&bytes) {
        return Ok(());
    }
    Err(Wrong::new(at, format_args!("a text has {shortest} to {PIECE} bytes, and not {bytes}")))
}
