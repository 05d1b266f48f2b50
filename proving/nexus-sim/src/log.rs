//! A run as text, one line for each thing worth reading.

use std::fmt::Write as _;
use std::io::Write;

use nexus_node::{Event, Input, Output};

use crate::observation::{Act, Observation, Observer, Provenance, What};

/// How much to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Starts, crashes, the schedule, and what nodes report.
    Events,
    /// Everything that is observed.
    Everything,
}

/// An observer that writes.
#[derive(Debug)]
pub struct Log<W> {
    to: W,
    detail: Detail,
    /// The first error of the writer: nothing is written after it.
    error: Option<std::io::Error>,
}

impl<W: Write> Log<W> {
    /// A log of this much detail.
    pub const fn new(to: W, detail: Detail) -> Self {
        Self { to, detail, error: None }
    }

    /// Whether all could be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.error.take().map_or_else(|| self.to.flush(), Err)
    }
}

impl<W: Write> Observer for Log<W> {
    fn observe(&mut self, observation: &Observation<'_>) {
        if self.error.is_none()
            && let Some(line) = line(observation, self.detail)
        {
            self.error = writeln!(self.to, "{}  {line}", observation.at).err();
        }
    }
}

fn line(observation: &Observation<'_>, detail: Detail) -> Option<String> {
    let everything = detail == Detail::Everything;
    match &observation.what {
        What::Scheduled(action) => Some(format!("world    {action:?}")),
        What::Marred { medium, receiver, damage } => {
            everything.then(|| format!("medium {} to node {}: {damage:?}", medium.0, receiver.0))
        }
        What::Aired { medium, sender, airtime, bytes, .. } => everything.then(|| {
            let (length, ms) = (bytes.len(), airtime.as_millis());
            format!("medium {} had {length} bytes of node {} for {ms} ms", medium.0, sender.0)
        }),
        What::Node { node, incarnation, act } => {
            let text = event(act).or_else(|| everything.then(|| detailed(act)))?;
            Some(format!(
                "node {:<3} {}{text}",
                node.0,
                "'".repeat(usize::try_from(*incarnation).unwrap_or(0).min(9))
            ))
        }
    }
}

/// What is worth a line in any log.
fn event(act: &Act<'_>) -> Option<String> {
    match act {
        Act::Booted { disk: Provenance::Kept, .. } => Some("starts".to_owned()),
        Act::Booted { disk: Provenance::Stale, .. } => {
            Some("starts from an earlier image of its disk".to_owned())
        }
        Act::Crashed => Some("crashes".to_owned()),
        Act::Took(Output::Event(event)) => match event {
            Event::Reached { destination, emitted_at, hops, iface } => Some(format!(
                "reaches {destination} ({hops} hops, interface {}, emission {emitted_at})",
                iface.0
            )),
            Event::Announced { emitted_at } => Some(format!("announces itself (emission {emitted_at})")),
            Event::PathFound { destination, hops, after } => {
                let ms = after.as_millis();
                Some(format!("found a way to {destination} after {ms} ms, hops: {hops}"))
            }
            Event::PathNotFound { destination } => Some(format!("looked for {destination} in vain")),
            Event::ChannelJammed { iface } => {
                Some(format!("gives up a frame: interface {} is jammed", iface.0))
            }
            Event::ClocksParted { by } => Some(format!("sees its clocks part by {by:?}")),
            Event::EntropyWanted => None,
            Event::Economy(event) => Some(format!("of money: {event:?}")),
            Event::Ledger(event) => Some(format!("of the books: {event:?}")),
            Event::Lxmf(event) => Some(format!("of LXMF: {event:?}")),
            Event::Endpoint(event) => Some(format!("as an endpoint: {event:?}")),
            Event::LinkUp(link) => {
                Some(format!("links with {} (interface {})", link.peer.node_id(), link.iface.0))
            }
            Event::LinkDown { last, why } => {
                let (peer, iface) = (last.peer.node_id(), last.iface.0);
                Some(format!("loses its link with {peer} (interface {iface}): {why:?}"))
            }
            Event::MessageArrived(message) => Some(format!(
                "is shown message {} of {} bytes from {:?}",
                message.number,
                message.text.len(),
                message.sender
            )),
            Event::Attempted { handle, attempt } => Some(format!("tries {handle}: {attempt:?}")),
            Event::Delivered { handle, attempts, round_trip } => {
                Some(format!("delivered {handle} after {attempts} attempts, in {round_trip:?}"))
            }
            Event::Traced { handle, attempts, round_trip, traced } => {
                Some(format!("traced {handle} after {attempts} attempts, in {round_trip:?}: {traced:?}"))
            }
            Event::Undelivered { handle, why } => Some(format!("gives {handle} up: {why:?}")),
        },
        Act::Took(Output::Transmit { .. } | Output::Sense { .. } | Output::Persist { .. })
        | Act::Given { .. }
        | Act::Woken { .. }
        | Act::Rested { .. }
        | Act::Durable(_) => None,
    }
}

fn detailed(act: &Act<'_>) -> String {
    match act {
        Act::Given { input: Input::Frame { iface, bytes, .. }, .. } => {
            format!("hears   {} on interface {}", hex(bytes), iface.0)
        }
        Act::Took(Output::Transmit { iface, bytes, .. }) => {
            format!("sends   {} on interface {}", hex(bytes), iface.0)
        }
        Act::Given { input: Input::Entropy(_), .. } => "is given entropy".to_owned(),
        Act::Given { input, .. } => format!("is given {input:?}"),
        Act::Took(output) => format!("wants   {output:?}"),
        Act::Woken { now, due } => format!("is woken at {now:?} (due {due:?})"),
        Act::Rested { due, .. } => format!("rests until {due:?}"),
        Act::Durable(ticket) => format!("has {ticket:?} on disk"),
        Act::Booted { .. } | Act::Crashed => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}
