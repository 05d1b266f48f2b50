//! What programs ask, as it comes: a map in `MessagePack`.

use nexus_crypto::DestinationHash;
use rmpv::Value;

/// The longest question in bytes; those that are known have less than a hundred.
pub(super) const MAX_LEN: usize = 1_024;
/// How deep values may stand in each other, as the reader counts it: several for each.
const MAX_DEPTH: usize = 16;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Of the interfaces.
    InterfaceStats,
    /// Of all paths, or those of so many hops at most.
    PathTable { max_hops: Option<u64> },
    /// Of how often destinations announce themselves.
    RateTable,
    /// Whom packets to it are given to.
    NextHop(DestinationHash),
    /// Out of which interface.
    NextHopInterface(DestinationHash),
    /// How long the first hop there may take.
    FirstHopTimeout(DestinationHash),
    /// How long a path may take to be found on the slowest interface.
    MediumPathTimeout,
    /// The rate of the slowest interface.
    LowestBitrate,
    /// How many links stand.
    LinkCount,
    /// How a packet was heard.
    PacketMeasure,
    /// Whether nothing of an identity is passed on.
    IsBlackholed,
    /// A program used a destination, or wants what is known of it kept.
    DestinationData(DestinationHash),
    /// Its path is to be forgotten.
    DropPath(DestinationHash),
    /// All paths over a relay are to be forgotten.
    DropAllVia(DestinationHash),
    /// Something else.
    Unknown,
}

impl Question {
    /// Reads one; none if the bytes are no map.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let value = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let Value::Map(entries) = value else { return None };
        let find =
            |key: &str| entries.iter().find(|(found, _)| found.as_str() == Some(key)).map(|(_, value)| value);
        let word = |key: &str| find(key).and_then(Value::as_str);
        let destination = || {
            let bytes = find("destination_hash").and_then(Value::as_slice)?;
            <[u8; 16]>::try_from(bytes).ok().map(DestinationHash)
        };
        let of = |question: fn(DestinationHash) -> Self| destination().map_or(Self::Unknown, question);
        if let Some("used" | "retain") = word("destination_data") {
            return Some(of(Self::DestinationData));
        }
        Some(match (word("get"), word("drop")) {
            (Some("interface_stats"), None) => Self::InterfaceStats,
            (Some("path_table"), None) => {
                Self::PathTable { max_hops: find("max_hops").and_then(Value::as_u64) }
            }
            (Some("rate_table"), None) => Self::RateTable,
            (Some("next_hop"), None) => of(Self::NextHop),
            (Some("next_hop_if_name"), None) => of(Self::NextHopInterface),
            (Some("first_hop_timeout"), None) => of(Self::FirstHopTimeout),
            (Some("medium_path_timeout"), None) => Self::MediumPathTimeout,
            (Some("lowest_interface_bitrate"), None) => Self::LowestBitrate,
            (Some("link_count" | "active_link_count"), None) => Self::LinkCount,
            (Some("packet_rssi" | "packet_snr" | "packet_q"), None) => Self::PacketMeasure,
            (Some("is_blackholed"), None) => Self::IsBlackholed,
            (None, Some("path")) => of(Self::DropPath),
            (None, Some("all_via")) => of(Self::DropAllVia),
            (Some(_) | None, Some(_) | None) => Self::Unknown,
        })
    }
}

/// The words of a question, for a log: what is asked for, and nothing of whom it concerns.
pub(super) fn words(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    let value = rmpv::decode::read_value_with_max_depth(&mut &*bytes, MAX_DEPTH);
    let entries = value.ok().and_then(|value| value.as_map().cloned()).unwrap_or_default();
    let words = entries.iter().flat_map(|(key, value)| {
        let is_verb = matches!(key.as_str(), Some("get" | "drop"));
        [key.as_str(), value.as_str().filter(|_| is_verb)]
    });
    let text = words.flatten().collect::<Vec<_>>().join(" ");
    text.chars().take(MOST).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(entries: &[(&str, Value)]) -> Vec<u8> {
        let entries = entries.iter().map(|(key, value)| (Value::from(*key), value.clone()));
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &Value::Map(entries.collect())).unwrap();
        bytes
    }

    /// As rns 1.5.7 was seen to send them.
    #[test]
    fn questions_of_the_published_package_are_understood() {
        let table = b"\x82\xA3get\xAApath_table\xA8max_hops\xC0";
        assert_eq!(Question::read(table), Some(Question::PathTable { max_hops: None }));
        let near = b"\x82\xA3get\xAApath_table\xA8max_hops\x02";
        assert_eq!(Question::read(near), Some(Question::PathTable { max_hops: Some(2) }));
        let hop = b"\x82\xA3get\xA8next_hop\xB0destination_hash\xC4\x10\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F";
        let to = DestinationHash([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(Question::read(hop), Some(Question::NextHop(to)));
        assert_eq!(Question::read(b"\x81\xA3get\xAFinterface_stats"), Some(Question::InterfaceStats));
        let used = asked(&[("destination_data", "used".into()), ("destination_hash", to.0[..].into())]);
        assert_eq!(Question::read(&used), Some(Question::DestinationData(to)));
        assert_eq!(Question::read(b"\x81\xA3get\xAAlink_count"), Some(Question::LinkCount));
    }

    #[test]
    fn what_is_not_known_is_a_question_all_the_same() {
        for entries in [
            vec![],
            vec![("get", Value::from("the_weather"))],
            vec![("get", Value::from(7))],
            vec![("get", Value::from("next_hop"))],
            vec![("get", Value::from("next_hop")), ("destination_hash", Value::from(&[0_u8; 15][..]))],
            vec![("get", Value::from("link_count")), ("drop", Value::from("path"))],
        ] {
            assert_eq!(Question::read(&asked(&entries)), Some(Question::Unknown), "{entries:?}");
        }
    }

    #[test]
    fn a_log_has_the_words_of_a_question_and_not_what_they_are_about() {
        let weather = asked(&[("get", Value::from("the\nweather")), ("where", Value::from("at home"))]);
        assert_eq!(words(&weather), "get the\\nweather where");
        assert_eq!((words(b"\xC0"), words(&asked(&vec![("x", Value::Nil); 400])).len()), (String::new(), 80));
    }

    #[test]
    fn what_is_no_map_is_no_question() {
        let nested = [0x91; 100];
        let huge = [0xDF, 0xFF, 0xFF, 0xFF, 0xFF];
        for bytes in [&b""[..], b"\xC0", b"\x81", b"\x80\x80", b"\xA3get", &nested, &huge] {
            assert_eq!(Question::read(bytes), None, "{bytes:?}");
        }
    }
}
