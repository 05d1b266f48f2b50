//! Pieces: while speech passes, what is too long to be waited for is cut as it leaves, and speech goes between.
//!
//! A frame that has begun is not interrupted, and on a slow medium the longest takes most of the time that a real-time packet has. Invariant:
//! at most one message is in pieces at a time, and all of it leaves soon: a receiver does not wait for long, and puts one together at a time.
//! Spec: spec/network.md#pieces.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::frame::{HEADER_LEN, SEALED_OVERHEAD};
use nexus_wire::nexus::message::MessageKind;

use super::flow::{Class, Then, patience};
use super::shares::Work;
use super::{Flow, Frame, Seal};
use crate::links::fragments::{Ends, cut};

/// Real time flows for so long after its last packet.
const FLOWS: Duration = Duration::from_secs(5);
/// A piece takes one part of so many of the time that a real-time packet may wait: the rest is its own, and that of others.
const PATIENCE_PARTS: u64 = 2;
/// A message is cut into so many pieces at most,
const MOST: usize = 6;
/// and not where all of them take more than so many halves of what it takes whole.
const HALVES: u64 = 3;
/// What is left of a message lets others pass for so many times the airtime of the longest frame: half as long as its receiver waits.
const WAITS_FRAMES: u64 = 4;

/// What is left of a message of which a piece has left.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    rest: VecDeque<Frame>,
    /// When it waits no more.
    until: Option<Instant>,
    /// When the last real-time packet came.
    real_time_at: Option<Instant>,
}

impl Pieces {
    /// What it may hold on the heap, in bytes: one message, and what its frames have beside it.
    pub(super) const MEMORY_BOUND: usize =
        2 * MOST * (size_of::<Frame>() + SEALED_OVERHEAD + 16) + 2 * nexus_wire::reticulum::MTU;

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Frame> {
        self.rest.front()
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        self.rest.pop_front()
    }

    /// Whether others may leave before the next piece.
    pub(super) fn lets_pass(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// A packet of this class came.
    pub(super) const fn note(&mut self, now: Instant, class: Class) {
        if matches!(class, Class::RealTime) {
            self.real_time_at = Some(now);
        }
    }

    fn real_time_flows(&self, now: Instant) -> bool {
        self.real_time_at.is_some_and(|at| now < at.after(FLOWS))
    }

    /// What leaves in place of a frame: its first piece, if somebody would wait for it too long; and how much more work all its pieces are than
    /// it is. The others leave next.
    pub(super) fn cut(&mut self, now: Instant, frame: Frame, work: &Work) -> (Frame, u64) {
        if !self.is_empty() || !is_to_be_cut(&frame) || !self.real_time_flows(now) {
            return (frame, 0);
        }
        let Some(size) = size_of_pieces(&frame, work) else { return (frame, 0) };
        let Some(mut pieces) = cut(&frame.bytes, size, Ends::WithFrame).map(VecDeque::from) else {
            return (frame, 0);
        };
        let Some(first) = pieces.pop_front() else { return (frame, 0) };
        let whole = work.of(frame.len_on_medium());
        let Frame { iface, to, about, load, flow, under, .. } = frame;
        let piece = |(behind, bytes): (usize, Vec<u8>)| {
            let then = if behind == 0 { Then::Anything } else { Then::ItsNext };
            Frame { iface, to, bytes, about, load, flow: Flow { then, ..flow }, under }
        };
        let count = pieces.len();
        let first = piece((count, first));
        self.rest = (0..count).rev().zip(pieces).map(piece).collect();
        self.until = Some(now.after(Duration::from_micros(work.longest()).times(WAITS_FRAMES)));
        let cut = self.rest.iter().fold(work.of(first.len_on_medium()), |sum, piece| {
            sum.saturating_add(work.of(piece.len_on_medium()))
        });
        (first, cut.saturating_sub(whole))
    }
}

/// Whether it is one message of a link that is not real time itself, nor in pieces.
fn is_to_be_cut(frame: &Frame) -> bool {
    let kind = frame.bytes.get(HEADER_LEN).copied();
    let is_packet = kind == Some(MessageKind::PACKET.without_length());
    let is_on_link = matches!(frame.under, Some(Seal::Link(_)));
    let is_patient = frame.flow.class != Class::RealTime && frame.flow.then == Then::Anything;
    frame.is_queued_traffic() && is_packet && is_on_link && is_patient
}

/// How long frames are in which a message leaves soonest, none of which takes too long; none if it may leave whole.
fn size_of_pieces(frame: &Frame, work: &Work) -> Option<usize> {
    // Where no rate is known nothing is known to take long.
    let most = patience(Class::RealTime).filter(|_| work.0.bandwidth_bps > 0)?.as_micros() / PATIENCE_PARTS;
    let whole = work.of(frame.len_on_medium());
    if whole <= most {
        return None;
    }
    let message = frame.bytes.len().saturating_sub(HEADER_LEN);
    let overhead = SEALED_OVERHEAD.saturating_add(Ends::WithFrame.overhead());
    let cost = |count: usize| {
        let piece = message.div_ceil(count);
        let last = message.saturating_sub(piece.saturating_mul(count.saturating_sub(1)));
        let size = piece.saturating_add(overhead);
        let others = work.of(size).saturating_mul(u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX));
        let all = others.saturating_add(work.of(last.saturating_add(overhead)));
        (last > 0 && work.of(size) <= most).then_some((all, size))
    };
    let (all, size) = (2..=MOST).filter_map(cost).min()?;
    (all.saturating_mul(2) <= whole.saturating_mul(HALVES)).then_some(size)
}
