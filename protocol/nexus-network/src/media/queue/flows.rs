//! The lines of an interface: which frame waits in which.

use super::super::flow::{CLASSES, Class, Feeder};
use super::super::lines::Line;
use super::super::{Frame, Load, Seal};
use crate::links::LinkId;

/// The lines of one neighbour's packets to another.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) from: Feeder,
    pub(super) to: Option<LinkId>,
    pub(super) by_class: [Line; CLASSES.len()],
    /// When it last had its turn.
    pub(super) turn: u64,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum LineName {
    Control,
    News,
    Traffic {
        from: Feeder,
        to: Option<LinkId>,
        class: Class,
    },
    /// What is left of a message that was cut as it left.
    Pieces,
}

impl Lines {
    pub(super) fn is(&self, from: Feeder, to: Option<LinkId>) -> bool {
        self.from == from && self.to == to
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_class.iter().all(Line::is_empty)
    }

    pub(super) const fn line(&self, class: Class) -> &Line {
        let [real_time, interactive, standard, bulk] = &self.by_class;
        match class {
            Class::RealTime => real_time,
            Class::Interactive => interactive,
            Class::Standard => standard,
            Class::Bulk => bulk,
        }
    }

    pub(super) const fn line_mut(&mut self, class: Class) -> &mut Line {
        let [real_time, interactive, standard, bulk] = &mut self.by_class;
        match class {
            Class::RealTime => real_time,
            Class::Interactive => interactive,
            Class::Standard => standard,
            Class::Bulk => bulk,
        }
    }
}

impl Frame {
    /// Whether it waits in a line of its neighbour and class.
    pub(in super::super) fn is_queued_traffic(&self) -> bool {
        self.load == Load::Traffic && self.about.is_none()
    }
}

impl LineName {
    pub(super) fn of(frame: &Frame) -> Self {
        let to = match frame.under {
            Some(Seal::Link(link)) => Some(link),
            None | Some(Seal::Broadcast | Seal::AccessCodes(_)) => None,
        };
        match frame.load {
            Load::Gossip(_) => Self::News,
            Load::Traffic | Load::Links | Load::Announces if frame.about.is_some() => Self::News,
            Load::Traffic => Self::Traffic { from: frame.flow.from, to, class: frame.flow.class },
            Load::Links | Load::Announces => Self::Control,
        }
    }
}
