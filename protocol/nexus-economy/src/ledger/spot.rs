//! Where an item stands: what it shows, and so what replaces it. Source: spec/economy.md#the-ledger-on-disk.

use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_wire::nexus::gossip::StoreId;

use super::entry::{ChannelKey, Side};

/// What an item shows. At each spot stands one item: that which shows the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Spot {
    /// What one side of a channel paid.
    Paid(ChannelKey, Side),
    /// An owner's order, by number.
    Order(NodeId, u32),
    /// Its certificate.
    OrderCertificate(NodeId, u32),
    /// What one side had paid when a channel was closed.
    Close(ChannelKey, Side),
    /// The certificate of that.
    CloseCertificate(ChannelKey, Side),
    /// That somebody signed what may not be signed.
    Evidence(NodeId),
}

impl Spot {
    /// The store of its items.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        match self {
            Self::Paid(..) => StoreId::SETTLEMENTS,
            Self::Order(..) | Self::OrderCertificate(..) | Self::Close(..) | Self::CloseCertificate(..) => {
                StoreId::CERTIFICATES
            }
            Self::Evidence(_) => StoreId::EVIDENCE,
        }
    }

    /// As the disk names it: a kind, then `a ‖ b ‖ id ‖ side`, or `owner ‖ number` big-endian, or the node.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Paid(key, side) => of_channel(1, key, *side),
            Self::Order(owner, number) => of_order(2, owner, *number),
            Self::OrderCertificate(owner, number) => of_order(3, owner, *number),
            Self::Close(key, side) => of_channel(4, key, *side),
            Self::CloseCertificate(key, side) => of_channel(5, key, *side),
            Self::Evidence(node) => [&[6][..], &node.0].concat(),
        }
    }

    /// From the disk, if that is what it is.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            1 => channel(rest).map(|(key, side)| Self::Paid(key, side)),
            2 => order(rest).map(|(owner, number)| Self::Order(owner, number)),
            3 => order(rest).map(|(owner, number)| Self::OrderCertificate(owner, number)),
            4 => channel(rest).map(|(key, side)| Self::Close(key, side)),
            5 => channel(rest).map(|(key, side)| Self::CloseCertificate(key, side)),
            6 => rest.try_into().ok().map(|node| Self::Evidence(NodeId(node))),
            _ => None,
        }
    }
}

fn of_channel(kind: u8, key: &ChannelKey, side: Side) -> Vec<u8> {
    let side = match side {
        Side::A => 0,
        Side::B => 1,
    };
    [&[kind][..], &key.to_bytes(), &[side]].concat()
}

fn of_order(kind: u8, owner: &NodeId, number: u32) -> Vec<u8> {
    [&[kind][..], &owner.0, &number.to_be_bytes()].concat()
}

fn channel(bytes: &[u8]) -> Option<(ChannelKey, Side)> {
    let (side, key) = bytes.split_last()?;
    let side = match side {
        0 => Side::A,
        1 => Side::B,
        _ => return None,
    };
    ChannelKey::from_bytes(key).map(|key| (key, side))
}

fn order(bytes: &[u8]) -> Option<(NodeId, u32)> {
    let (owner, number) = bytes.split_first_chunk()?;
    Some((NodeId(*owner), u32::from_be_bytes(number.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_is_read_from_disk_as_it_was_written_and_nothing_else_is_one() {
        let (low, high) = (NodeId([1; 16]), NodeId([2; 16]));
        let key = ChannelKey::new(low, high, [7; 16]).expect("two");
        let spots = [
            Spot::Paid(key, Side::A),
            Spot::Order(low, 256),
            Spot::OrderCertificate(high, u32::MAX),
            Spot::Close(key, Side::B),
            Spot::CloseCertificate(key, Side::A),
            Spot::Evidence(high),
        ];
        for spot in spots {
            let bytes = spot.to_bytes();
            assert_eq!(Spot::from_bytes(&bytes), Some(spot));
            assert_eq!(Spot::from_bytes(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(Spot::from_bytes(&[]), None);
        assert_eq!(Spot::from_bytes(&[9; 17]), None);
    }
}
