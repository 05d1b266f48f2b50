//! What a node says of itself.

use nexus_network::AppData;

/// The field of an announce that holds a label. Source: spec/wire.md#announce-extension.
const LABEL: u8 = nexus_wire::nexus::announce::FieldKind::COMMUNITY.0;

/// An announce's own data, with a label if there is one. The configuration holds labels to their length.
pub(super) fn app_data(label: Option<&str>) -> AppData {
    let Some(label) = label else { return AppData::default() };
    let mut bytes = b"N\x01".to_vec();
    bytes.push(LABEL);
    bytes.push(u8::try_from(label.len()).expect("a label of a configuration has 32 bytes at most"));
    bytes.extend_from_slice(label.as_bytes());
    AppData::new(&bytes).expect("a label of a configuration has 32 bytes at most")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::nexus::Layout as _;
    use nexus_wire::nexus::announce::Extension;

    #[test]
    fn a_label_is_read_back_from_what_is_announced() {
        let mut bytes = b"N\x01\x04\x07".to_vec();
        bytes.extend_from_slice(b"kitchen");
        assert_eq!(app_data(Some("kitchen")), AppData::new(&bytes).unwrap());
        assert_eq!(Extension::decode(&bytes).unwrap().community().unwrap().as_str(), "kitchen");
        assert_eq!(app_data(None), AppData::default());
    }
}
