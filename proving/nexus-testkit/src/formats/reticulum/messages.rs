//! LXMF under test. Spec: `spec/lxmf.md`; vectors: `spec/vectors/lxmf.json`.

use core::convert::Infallible;

use nexus_wire::reticulum::lxmf::{DeliveryInfo, Message, Upload};
use serde_json::Value;

use crate::format::{Format, reencode_with, unhex};

/// A message with its destination.
pub(super) const MESSAGE: Format = Format {
    name: "lxmf-message",
    reencode: |bytes| reencode_with(bytes, Message::decode, |message| Ok::<_, Infallible>(message.encode())),
    samples: || samples("messages", "packed"),
    possible_length: |length| length >= 103,
};

/// What the announce of a delivery destination says.
pub(super) const DELIVERY_ANNOUNCE: Format = Format {
    name: "lxmf-delivery-announce",
    reencode: |bytes| reencode_with(bytes, DeliveryInfo::decode, |info| Ok::<_, Infallible>(info.encode())),
    samples: || {
        let mut all = samples("delivery_announces", "app_data");
        all.push(b"A name alone".to_vec());
        all
    },
    possible_length: |_| true,
};

/// A message that is left at a propagation node.
pub(super) const UPLOAD: Format = Format {
    name: "lxmf-upload",
    reencode: |bytes| reencode_with(bytes, Upload::decode, |upload| Ok::<_, Infallible>(upload.encode())),
    samples: || samples("uploads", "upload"),
    possible_length: |length| length >= 13,
};

fn samples(list: &str, key: &str) -> Vec<Vec<u8>> {
    let text = include_str!("../../../../../spec/vectors/lxmf.json");
    let vectors: Value = serde_json::from_str(text).expect("the committed vectors are JSON");
    let list = vectors[list].as_array().expect("a list");
    list.iter().map(|one| unhex(one[key].as_str().expect("hexadecimal"))).collect()
}
