//! A disk that loses what was not synced: an append-only log of checksummed records, one record per ticket.
//!
//! The log is what a node's store would keep: the writes of one ticket are one record, and a record counts only if it is
//! whole. A crash keeps every byte that was synced and any prefix of what was not, its end torn at any byte and sometimes
//! overwritten with noise. Because the log only grows, an image of an earlier moment is an earlier length.
//!
//! Record, little-endian: `length u32 ‖ sequence u64 ‖ ticket u64 ‖ writes ‖ check[16]`, where `length` counts the writes'
//! bytes, `sequence` counts records from 0 and `check` is the BLAKE3 of all before it in the record, truncated. A write is
//! `table u8 ‖ key length u32 ‖ key`, then `0` to delete the key or `1 ‖ value length u32 ‖ value` to set it. Source:
//! spec/simulation.md#disk.

use nexus_crypto::hash::{blake3, truncate};
use nexus_machine::{Snapshot, Stream, TableId, Ticket, Write};
use nexus_wire::codec::{DecodeError, Reader};

/// One node's disk. It outlives the node's crashes.
#[derive(Debug, Default)]
pub struct Disk {
    log: Vec<u8>,
    /// How much of the log survives every crash.
    durable: usize,
    /// The last ticket in the log, durable or not.
    appended: Ticket,
    syncing: Option<Sync>,
    records: u64,
    room: Room,
}

/// A sync under way: what it covers once it is done.
#[derive(Clone, Copy, Debug)]
struct Sync {
    end: usize,
    through: Ticket,
}

/// Whether a sync can succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Room {
    /// There is space.
    #[default]
    Free,
    /// The disk is full: nothing becomes durable until there is space again.
    Full,
}

/// The log as it was durable at one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Image(usize);

impl Disk {
    /// Appends the writes of `ticket`, not yet durable.
    pub fn append(&mut self, ticket: Ticket, writes: &[Write]) {
        encode_record(&mut self.log, self.records, ticket, writes);
        self.records += 1;
        self.appended = ticket;
    }

    /// Begins to make durable all that was appended; `false` if there is nothing to do, no room, or a sync under way.
    pub const fn begin_sync(&mut self) -> bool {
        let idle = self.syncing.is_none() && matches!(self.room, Room::Free);
        if !idle || self.durable == self.log.len() {
            return false;
        }
        self.syncing = Some(Sync { end: self.log.len(), through: self.appended });
        true
    }

    /// Ends the sync under way: all that it covered is durable. `None` if none was under way.
    pub fn finish_sync(&mut self) -> Option<Ticket> {
        let sync = self.syncing.take()?;
        self.durable = sync.end;
        Some(sync.through)
    }

    /// Fills the disk or frees space. A sync that is under way when the disk fills does not end.
    pub fn set_room(&mut self, room: Room) {
        self.room = room;
        if room == Room::Full {
            self.syncing = None;
        }
    }

    /// The power fails: any suffix of what was not synced is lost, and the end of the rest may be noise.
    pub fn crash(&mut self, random: &mut Stream) {
        self.syncing = None;
        let unsynced = self.log.len() - self.durable;
        let survives = index_below(random, unsynced + 1);
        self.log.truncate(self.durable + survives);
        if random.chance(1, 2) {
            let noisy = index_below(random, survives + 1);
            let start = self.log.len() - noisy;
            random.fill(&mut self.log[start..]);
        }
    }

    /// What is durable at this moment.
    #[must_use]
    pub const fn image(&self) -> Image {
        Image(self.durable)
    }

    /// Puts an earlier image in the disk's place. For a node that is not running.
    pub fn restore(&mut self, image: Image) {
        self.log.truncate(image.0);
        self.durable = self.log.len();
        self.syncing = None;
    }

    /// Reads the log as a starting node does: the whole records in order, up to the first that is torn, which is cut off.
    pub fn recover(&mut self) -> Snapshot {
        let recovered = recover(&self.log);
        self.log.truncate(recovered.length);
        self.durable = recovered.length;
        self.records = recovered.records;
        recovered.snapshot
    }
}

fn index_below(random: &mut Stream, bound: usize) -> usize {
    let bound = u64::try_from(bound).expect("a length fits u64");
    usize::try_from(random.below(bound)).expect("less than a length")
}

/// What a log holds up to its first damage.
#[derive(Debug)]
struct Recovered {
    snapshot: Snapshot,
    /// Bytes of the log that are whole records.
    length: usize,
    records: u64,
}

fn recover(log: &[u8]) -> Recovered {
    let mut recovered = Recovered { snapshot: Snapshot::empty(), length: 0, records: 0 };
    while let Ok((writes, length)) = decode_record(&log[recovered.length..], recovered.records) {
        for write in writes {
            recovered.snapshot.apply(write);
        }
        recovered.length += length;
        recovered.records += 1;
    }
    recovered
}

const CHECK: usize = 16;

fn encode_record(log: &mut Vec<u8>, sequence: u64, ticket: Ticket, writes: &[Write]) {
    let start = log.len();
    log.extend([0; 4]);
    log.extend(sequence.to_le_bytes());
    log.extend(ticket.0.to_le_bytes());
    let writes_start = log.len();
    for write in writes {
        log.push(write.table.0);
        put_bytes(log, &write.key);
        match &write.value {
            None => log.push(0),
            Some(value) => {
                log.push(1);
                put_bytes(log, value);
            }
        }
    }
    let length = length_u32(log.len() - writes_start);
    log[start..start + 4].copy_from_slice(&length.to_le_bytes());
    let check: [u8; CHECK] = truncate(&blake3(&[&log[start..]]));
    log.extend(check);
}

fn put_bytes(log: &mut Vec<u8>, bytes: &[u8]) {
    log.extend(length_u32(bytes.len()).to_le_bytes());
    log.extend_from_slice(bytes);
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("a simulated write is shorter than 4 GiB")
}

/// The writes of the record at the start of `log` and the record's length; an error if it is torn or not this `sequence`.
fn decode_record(log: &[u8], sequence: u64) -> Result<(Vec<Write>, usize), DecodeError> {
    let mut reader = Reader::new("disk record", log);
    let length = take_length(&mut reader, "length")?;
    let found = reader.u64_le("sequence")?;
    reader.u64_le("ticket")?;
    let body = reader.take("writes", length)?;
    let covered = log.len() - reader.remaining();
    let check: [u8; CHECK] = reader.array("check")?;
    if found != sequence || check != truncate::<CHECK>(&blake3(&[&log[..covered]])) {
        return Err(reader.error("check", nexus_wire::codec::Fault::Value));
    }
    Ok((decode_writes(body)?, covered + CHECK))
}

fn decode_writes(body: &[u8]) -> Result<Vec<Write>, DecodeError> {
    let mut reader = Reader::new("disk record", body);
    let mut writes = Vec::new();
    while reader.remaining() > 0 {
        let table = TableId(reader.u8("table")?);
        let key_length = take_length(&mut reader, "key length")?;
        let key = reader.take("key", key_length)?;
        writes.push(if reader.u8("set or delete")? == 0 {
            Write::delete(table, key)
        } else {
            let value_length = take_length(&mut reader, "value length")?;
            Write::set(table, key, reader.take("value", value_length)?.to_vec())
        });
    }
    Ok(writes)
}

fn take_length(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, DecodeError> {
    let length = reader.u32_le(field)?;
    usize::try_from(length).map_err(|_| reader.error(field, nexus_wire::codec::Fault::Length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    const TABLE: TableId = TableId(3);

    /// Three tickets, each of which sets two keys to its own number: a half-applied one would show as two numbers.
    fn pair(ticket: u8) -> Vec<Write> {
        vec![Write::set(TABLE, b"left", vec![ticket]), Write::set(TABLE, b"right", vec![ticket])]
    }

    fn last_pair(snapshot: &Snapshot) -> u8 {
        let side = |key| snapshot.get(TABLE, key).map_or(0, |value| value[0]);
        assert_eq!(side(b"left"), side(b"right"), "a ticket was applied by half");
        side(b"left")
    }

    #[test]
    fn a_log_cut_at_any_byte_yields_whole_tickets_only() {
        let mut disk = Disk::default();
        let mut ends = vec![0];
        for ticket in 1..=3 {
            disk.append(Ticket(ticket.into()), &pair(ticket));
            ends.push(disk.log.len());
        }
        for cut in 0..=disk.log.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(usize::from(last_pair(&recover(&disk.log[..cut]).snapshot)), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_log_before_its_record() {
        let mut disk = Disk::default();
        disk.append(Ticket(1), &pair(1));
        let first = disk.log.len();
        disk.append(Ticket(2), &pair(2));
        for bit in first * 8..disk.log.len() * 8 {
            let mut log = disk.log.clone();
            log[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(last_pair(&recover(&log).snapshot), 1, "bit {bit}");
        }
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_never_half_a_ticket() {
        let mut random = Seed::new([1; 32]).fork("disk");
        let mut outcomes = [0; 4];
        for _ in 0..400 {
            let mut disk = Disk::default();
            disk.append(Ticket(1), &pair(1));
            assert!(disk.begin_sync() && !disk.begin_sync());
            disk.append(Ticket(2), &pair(2));
            assert_eq!(disk.finish_sync(), Some(Ticket(1)), "what came after the sync began is not covered");
            disk.append(Ticket(3), &pair(3));
            disk.crash(&mut random);
            outcomes[usize::from(last_pair(&disk.recover()))] += 1;
        }
        assert_eq!(outcomes[0], 0, "the synced ticket survives every crash");
        assert!(outcomes[1..].iter().all(|times| *times > 0), "every other outcome happens: {outcomes:?}");
    }

    #[test]
    fn a_log_goes_on_after_a_torn_end_was_cut_off() {
        let mut disk = Disk::default();
        disk.append(Ticket(1), &pair(1));
        disk.append(Ticket(2), &pair(2));
        disk.log.pop();
        assert_eq!(last_pair(&disk.recover()), 1);
        disk.append(Ticket(1), &pair(7));
        assert_eq!(last_pair(&disk.recover()), 7);
    }

    #[test]
    fn nothing_becomes_durable_on_a_full_disk_until_there_is_room() {
        let mut disk = Disk::default();
        disk.append(Ticket(1), &pair(1));
        assert!(disk.begin_sync());
        disk.set_room(Room::Full);
        assert_eq!(disk.finish_sync(), None);
        assert!(!disk.begin_sync());
        disk.set_room(Room::Free);
        assert!(disk.begin_sync());
        assert_eq!(disk.finish_sync(), Some(Ticket(1)));
    }

    #[test]
    fn a_restored_image_forgets_what_came_after_it() {
        let mut disk = Disk::default();
        disk.append(Ticket(1), &pair(1));
        disk.begin_sync();
        disk.finish_sync();
        let image = disk.image();
        disk.append(Ticket(2), &pair(2));
        disk.begin_sync();
        disk.finish_sync();
        disk.restore(image);
        assert_eq!(last_pair(&disk.recover()), 1);
    }
}
