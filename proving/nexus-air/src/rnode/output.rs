//! What waits for the host to read it.

use nexus_wire::reticulum::rnode::FromDevice;

/// The data of [`FromDevice::Ready`]: the modem takes another packet.
pub(super) const TAKES_ANOTHER: u8 = 0x01;
/// The same: its queue is full.
pub(super) const TAKES_NONE: u8 = 0x00;

/// Messages that wait, at most, in bytes: beyond them a host that does not read loses the newest.
const MOST: usize = 16 * 1024;
/// The longest message: a packet of which every byte is escaped, its command and delimiters.
const MESSAGE_MAX: usize = 2 * (nexus_network::lora::FRAME_MAX as usize + 1) + 2;

#[derive(Default, Debug)]
pub(super) struct Output {
    bytes: Vec<u8>,
    dropped: u32,
}

impl Output {
    pub(super) fn push(&mut self, message: &FromDevice<'_>) {
        let mut buffer = [0; MESSAGE_MAX];
        let encoded = message.encode(&mut buffer).expect("the buffer takes the longest message");
        if self.bytes.len().saturating_add(encoded.len()) > MOST {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.bytes.extend_from_slice(encoded);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.bytes.drain(..bytes.min(self.bytes.len()));
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) const fn dropped(&self) -> u32 {
        self.dropped
    }
}
