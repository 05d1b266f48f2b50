//! Says in the log what was refused: a sentence when a cause first occurs, and at most one in a minute after that.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was said of each cause.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    said: BTreeMap<String, (u64, Instant)>,
}

/// A flood must not fill the disk.
const REST: Duration = Duration::from_mins(1);

impl RefusalLog {
    /// The sentences to say of these counters.
    pub(super) fn news(&mut self, counters: &BTreeMap<String, u64>, now: Instant) -> Vec<String> {
        let mut news = Vec::new();
        for (cause, count) in counters {
            let Some(what) = sentence(cause) else { continue };
            let said = self.said.get(cause).copied();
            let (before, rests) =
                said.map_or((0, false), |(count, at)| (count, now.saturating_duration_since(at) < REST));
            if *count > before && !rests {
                self.said.insert(cause.clone(), (*count, now));
                news.push(format!("refused {} times: {what} ({cause})", count - before));
            }
        }
        news
    }
}

/// What somebody who runs a node wants to hear of. What is part of any mesh (repeated, overtaken, for others) is not.
fn sentence(cause: &str) -> Option<&'static str> {
    Some(match cause {
        "lxmf_malformed" => "what came as an LXMF message is none",
        "lxmf_forged" => "an LXMF message whose signature is not its sender's",
        "lxmf_unstamped" => "an LXMF message without the stamp that is asked for",
        "lxmf_busy" => "more LXMF messages than can be looked at",
        "lxmf_too_long" => "an LXMF message that is longer than is kept",
        "link_malformed" => "what came is no frame",
        "link_other_version" => "a frame of another version",
        "link_not_authentic" => "a frame that was made or changed by somebody without its key",
        "link_looped" => "this node's own handshake came back to it",
        "link_not_a_node" => "a peer whose key is no node's",
        "link_other_peer" => "somebody else answered than the node that was named",
        "link_unwanted" => "a peer that the policy does not want",
        "link_downgraded" => "a link below the highest version that both ends speak",
        "link_flooded" => "more first messages than are answered",
        "broadcast_forged" => "a broadcast that is not signed by the neighbour under whose key it came",
        "broadcast_unsigned" => "a broadcast that nobody signed",
        "broadcast_not_authentic" => "a broadcast that was made or changed by somebody without its key",
        "announce_malformed" => "an announce that cannot be read",
        "announce_forged" => "an announce that is not signed by whom it names",
        "announce_other_key" => "an announce of a known address with another key",
        "packet_bad_proof" => {
            "a proof of a Reticulum link that is not signed by the destination that was asked"
        }
        "access_missing" => "a frame without the access codes of its interface",
        "access_wrong" => "a frame with the access codes of another network",
        "access_unexpected" => "a frame with access codes, which its interface has none of",
        "message_forged" => "a message that is not signed by whom it names",
        _others => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_when_it_occurs_and_rests_for_a_minute() {
        let (mut log, start) = (RefusalLog::default(), Instant::now());
        let counters = |unwanted| {
            BTreeMap::from([("link_unwanted".to_owned(), unwanted), ("packet_loop".to_owned(), 9)])
        };
        assert_eq!(log.news(&counters(0), start), [""; 0]);
        let said = log.news(&counters(2), start);
        assert_eq!(said, ["refused 2 times: a peer that the policy does not want (link_unwanted)"]);
        assert_eq!(log.news(&counters(5), start + REST / 2), [""; 0]);
        assert_eq!(log.news(&counters(5), start + REST).len(), 1);
        assert_eq!(log.news(&counters(5), start + 3 * REST), [""; 0], "nothing more occurred");
    }
}
