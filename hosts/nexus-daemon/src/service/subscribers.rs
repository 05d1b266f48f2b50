//! Who wants to know what happens.

use crate::api::{self, Event};
use crate::control::Replier;

/// Clients that subscribed.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    watchers: Vec<Watcher>,
    listeners: Vec<Listener>,
}

/// Wants all events. One that reads too slowly misses some, and is told how many.
#[derive(Debug)]
struct Watcher {
    replier: Replier,
    missed: u64,
}

/// Wants every message, each once, in order: those that find no room wait in the inbox.
#[derive(Debug)]
struct Listener {
    replier: Replier,
    since: u64,
}

impl Subscribers {
    pub(super) fn watch(&mut self, replier: Replier) {
        self.watchers.push(Watcher { replier, missed: 0 });
    }

    pub(super) fn listen(&mut self, replier: Replier, since: u64) {
        self.listeners.push(Listener { replier, since });
    }

    pub(super) const fn anybody_watches(&self) -> bool {
        !self.watchers.is_empty()
    }

    pub(super) fn tell(&mut self, event: &Event) {
        self.watchers.retain(|watcher| watcher.replier.is_open());
        for watcher in &mut self.watchers {
            if !watcher.replier.has_room() {
                watcher.missed += 1;
                continue;
            }
            if watcher.missed > 0 {
                watcher.replier.event(Event::Missed { events: watcher.missed });
                watcher.missed = 0;
            }
            watcher.replier.event(event.clone());
        }
    }

    pub(super) fn missed(&mut self, events: u64) {
        for watcher in &mut self.watchers {
            watcher.missed += events;
        }
    }

    /// The number after which somebody wants messages; none if nobody listens.
    pub(super) fn listening_since(&mut self) -> Option<u64> {
        self.watchers.retain(|watcher| watcher.replier.is_open());
        self.listeners.retain(|listener| listener.replier.is_open());
        self.listeners.iter().map(|listener| listener.since).min()
    }

    /// Hands out messages, oldest first, as far as there is room.
    pub(super) fn deliver(&mut self, messages: &[api::Message]) {
        for listener in &mut self.listeners {
            for message in messages {
                if message.number <= listener.since {
                    continue;
                }
                if !listener.replier.has_room() {
                    break;
                }
                listener.replier.event(Event::Message(message.clone()));
                listener.since = message.number;
            }
        }
    }
}
