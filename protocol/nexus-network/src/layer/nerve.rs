//! What the layer's organs say to each other.

use super::Effect;
use crate::{announces, broadcast, gossip, keys, links, media};

/// What organs of this layer say. It is moved several times for each packet: what is large and rare is boxed in it.
#[derive(Debug)]
pub(super) enum Nerve {
    Media(media::Effect),
    Links(links::Effect),
    Broadcast(broadcast::Effect),
    Announces(announces::Effect),
    Gossip(gossip::Effect),
    Keys(keys::Effect),
    /// What already leaves the layer, in its order among the rest.
    Out(Effect),
}

impl From<links::Effect> for Nerve {
    fn from(effect: links::Effect) -> Self {
        Self::Links(effect)
    }
}

impl From<broadcast::Effect> for Nerve {
    fn from(effect: broadcast::Effect) -> Self {
        Self::Broadcast(effect)
    }
}

impl From<media::Effect> for Nerve {
    fn from(effect: media::Effect) -> Self {
        Self::Media(effect)
    }
}

impl From<announces::Effect> for Nerve {
    fn from(effect: announces::Effect) -> Self {
        Self::Announces(effect)
    }
}

impl From<gossip::Effect> for Nerve {
    fn from(effect: gossip::Effect) -> Self {
        Self::Gossip(effect)
    }
}

impl From<keys::Effect> for Nerve {
    fn from(effect: keys::Effect) -> Self {
        Self::Keys(effect)
    }
}
