//! What is said to a neighbour, as far as its share goes.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Cx, Instant, Sink};
use nexus_wire::nexus::frame::{HEADER_LEN, SEALED_OVERHEAD, TAG_LEN};
use nexus_wire::nexus::gossip::{Done, ItemId, ItemsBuilder, StoreId, Summary};
use nexus_wire::nexus::message::{Body, MessageWriter};

use super::allowance::Account;
use super::index::Stock;
use super::neighbour::{Neighbour, Talk};
use super::summary::Room;
use super::{Effect, Gossip, Timer};
use crate::links::LinkId;
use crate::media::Tier;

/// What one fragment has beside its piece, all in.
const FRAGMENT: usize = SEALED_OVERHEAD + 2;
/// Kind and store, before items.
const ITEMS_HEAD: usize = 2;
/// A length, before each item.
const ITEM_HEAD: usize = 2;
/// Kind and the body of DONE.
const STATE: usize = 1 + Done::LEN;
/// Messages of one summary in a round, at most: as many as a neighbour compares in sixteen seconds.
const MESSAGES: usize = 8;

/// What is said next to a neighbour.
enum Word {
    Nothing,
    /// There is no share for it before.
    Wait(Instant),
    Items(Batch),
    State(Tier, StoreId),
}

/// Items that go together.
struct Batch {
    tier: Tier,
    store: StoreId,
    picked: Vec<(u64, ItemId)>,
    /// What the message has, its kind included.
    len: usize,
}

impl Gossip {
    /// Says to a neighbour what it is owed, until its share is spent or enough waits for the medium.
    pub(super) fn speak(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        self.owe_rest(cx.now, link);
        loop {
            match self.next_word(cx.now, link) {
                Word::Nothing => return,
                Word::Wait(at) => return self.deadlines.set(Timer::Speak(link), at),
                Word::Items(batch) => return self.fetch(cx.now, link, &batch, out),
                Word::State(tier, store) => {
                    let Some(done) = self.state(cx.now, link, store) else { return };
                    self.tally.said.states = self.tally.said.states.saturating_add(1);
                    self.say(cx.now, link, tier, alone(&done), out);
                }
            }
        }
    }

    /// A newcomer that was said all that could be owed at once is owed what is older.
    fn owe_rest(&mut self, now: Instant, link: LinkId) {
        let (pace, most) = (self.pace_of(link), self.limits.owed);
        let Some(Neighbour { talks, owed, sent, .. }) = self.neighbours.get_mut(&link) else { return };
        for (store, talk) in talks {
            if owed.of(*store).next().is_some() {
                continue;
            }
            let (Some(rest), Some(stock)) = (talk.rest.take(), self.index.stock(*store)) else { continue };
            for (age, id) in stock.before(rest).take(most) {
                talk.rest = Some(age);
                if sent.may_send(now, pace, id) {
                    owed.add(stock.tier(), age, *store, *id);
                }
            }
        }
    }

    /// What is said next. A tier without a share does not keep the next one from using its own.
    fn next_word(&mut self, now: Instant, link: LinkId) -> Word {
        let mut wait: Option<Instant> = None;
        for tier in [Tier::Routing, Tier::Payment, Tier::Services, Tier::Social] {
            let Some(word) = self.word_of(link, tier) else { continue };
            match self.when(now, link, tier, &word) {
                None => self.drop_word(link, &word),
                Some(at) if at > now => wait = Some(wait.map_or(at, |wait| wait.min(at))),
                Some(_) => return word,
            }
        }
        wait.map_or(Word::Nothing, Word::Wait)
    }

    /// What a tier says next.
    fn word_of(&self, link: LinkId, tier: Tier) -> Option<Word> {
        let neighbour = self.neighbours.get(&link).filter(|neighbour| !neighbour.is_full())?;
        if let Some(store) = neighbour.owed.first_of(tier) {
            let room = self.room(link, tier).saturating_sub(ITEMS_HEAD);
            return Some(Word::Items(pick(neighbour, self.index.stock(store)?, store, room)));
        }
        let closing = neighbour.talks.iter().filter(|(_, talk)| talk.closes).map(|(store, _)| *store);
        let of_tier = |store: &StoreId| self.index.stock(*store).is_some_and(|stock| stock.tier() == tier);
        closing.into_iter().find(of_tier).map(|store| Word::State(tier, store))
    }

    /// When a word may be said; none if there never is a share for it.
    fn when(&mut self, now: Instant, link: LinkId, tier: Tier, word: &Word) -> Option<Instant> {
        let neighbour = self.neighbours.get(&link)?;
        let (len, not_before) = match word {
            Word::Items(batch) => (batch.len, neighbour.next_batch_at()),
            Word::State(..) => (STATE, now),
            Word::Nothing | Word::Wait(_) => return None,
        };
        let bytes = on_medium(len, neighbour.max_frame);
        let account = self.account(link)?;
        if bytes > account.longest(tier) {
            return None;
        }
        let allowed = account.allows(now, tier, bytes);
        Some(allowed.map_or_else(|at| at, |()| now).max(not_before))
    }

    /// There never is a share for this: it is not owed.
    fn drop_word(&mut self, link: LinkId, word: &Word) {
        let Some(neighbour) = self.neighbours.get_mut(&link) else { return };
        match word {
            Word::Items(batch) => {
                for (age, id) in &batch.picked {
                    neighbour.owed.remove(batch.tier, *age, batch.store, *id);
                }
            }
            Word::State(_, store) => neighbour.talks.entry(*store).or_default().closes = false,
            Word::Nothing | Word::Wait(_) => {}
        }
    }

    /// The bytes of messages in the longest frame that a tier may say over a link.
    fn room(&self, link: LinkId, tier: Tier) -> usize {
        let longest = self.account_of(link).map_or(0, |account| account.longest(tier));
        let max_frame = self.neighbours.get(&link).map_or(0, |neighbour| neighbour.max_frame);
        max_frame.min(longest).saturating_sub(SEALED_OVERHEAD)
    }

    fn fetch(&mut self, now: Instant, link: LinkId, batch: &Batch, out: &mut impl Sink<Effect>) {
        let Some(neighbour) = self.neighbours.get_mut(&link) else { return };
        if !neighbour.may_be_said(now, batch.picked.len()) {
            return;
        }
        let mut ids = Vec::with_capacity(batch.picked.len());
        for (age, id) in &batch.picked {
            neighbour.owed.remove(batch.tier, *age, batch.store, *id);
            neighbour.sent.note_sent(now, id);
            ids.push(*id);
        }
        let sent = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        neighbour.talks.entry(batch.store).or_default().comparison.sent(sent);
        out.push(Effect::Fetch { store: batch.store, to: link, ids });
    }

    /// What was fetched is said, and behind the last of it the store's state.
    pub(super) fn bodies(
        &mut self,
        cx: Cx,
        store: StoreId,
        to: LinkId,
        bodies: &[Vec<u8>],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(tier) = self.index.stock(store).map(Stock::tier) else { return };
        let len =
            bodies.iter().fold(0_usize, |len, body| len.saturating_add(body.len()).saturating_add(ITEM_HEAD));
        let mut buffer = vec![0; len];
        let mut builder = ItemsBuilder::new(store, &mut buffer);
        let said = bodies.iter().filter(|body| builder.push(body).is_ok()).count();
        let room = self.room(to, tier);
        if let Some(items) = builder.finish() {
            let closes = self.neighbours.get(&to).is_some_and(|neighbour| neighbour.closes_behind(store));
            let fits = MessageWriter::len_of(&items).saturating_add(STATE) <= room;
            let done = if closes && fits { self.state(cx.now, to, store) } else { None };
            let plaintext = match &done {
                Some(done) => both(&items, done),
                None => alone(&items),
            };
            self.tally.said.items =
                self.tally.said.items.saturating_add(u64::try_from(said).unwrap_or(u64::MAX));
            self.say(cx.now, to, tier, plaintext, out);
        }
        self.speak(cx, to, out);
    }

    /// The state of a store, which the neighbour is told with this.
    fn state(&mut self, now: Instant, link: LinkId, store: StoreId) -> Option<Done> {
        let state_hash = self.index.stock(store)?.state();
        let talk = self.neighbours.get_mut(&link)?.talks.entry(store).or_default();
        talk.closes = false;
        talk.said = Some((state_hash, now));
        Some(Done { store, state_hash })
    }

    /// Says what a store holds, if there is a share for it; else later.
    pub(super) fn summarise(
        &mut self,
        now: Instant,
        link: LinkId,
        store: StoreId,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(stock) = self.index.stock(store) else { return };
        let (tier, count) = (stock.tier(), stock.own().count);
        let salt = self.random.next_u32();
        let room = match self.room_of_summary(now, link, tier, count) {
            Ok(room) => room,
            Err(None) => return,
            Err(Some(at)) => {
                return self.round_by(link, at);
            }
        };
        let (Some(stock), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&link)) else {
            return;
        };
        let (round, talk) = (neighbour.round, neighbour.talks.entry(store).or_default());
        if !talk.summaries.take(now) {
            return;
        }
        talk.said = Some((stock.state(), now));
        talk.fruitless = talk.fruitless.saturating_add(1);
        talk.unanswered = talk.unanswered.saturating_add(1);
        let messages = messages(talk, stock, salt, room, (store, round));
        for plaintext in messages {
            self.tally.said.summaries = self.tally.said.summaries.saturating_add(1);
            self.say(now, link, tier, plaintext, out);
        }
    }

    /// How much of a summary of so many items there is a share for: as many messages as may be, at least one. None if there never is.
    fn room_of_summary(
        &mut self,
        now: Instant,
        link: LinkId,
        tier: Tier,
        items: u32,
    ) -> Result<Room, Option<Instant>> {
        let max_frame = self.neighbours.get(&link).ok_or(None)?.max_frame;
        let around = Summary::HEADER_LEN.saturating_add(1);
        // One frame each: of a summary in pieces all of them have to arrive.
        let filter = self.room(link, tier).saturating_sub(around);
        let account = self.account(link).ok_or(None)?;
        let on_medium = |room: Room| on_medium(room.filter_for(items).saturating_add(around), max_frame);
        let whole = account.summary_room().clipped(filter);
        let fitting = whole.into_iter().chain([Room::NARROWEST]);
        let room = fitting.into_iter().find(|room| on_medium(*room) <= account.longest(tier)).ok_or(None)?;
        let mut refused = None;
        for messages in [MESSAGES, MESSAGES / 2, MESSAGES / 4, 1] {
            match account.allows(now, tier, on_medium(room).saturating_mul(messages)) {
                Ok(()) => return Ok(room.within(messages)),
                Err(at) => refused = Some(at),
            }
        }
        Err(refused)
    }

    /// Says something over a link, of its share.
    pub(super) fn say(
        &mut self,
        now: Instant,
        link: LinkId,
        tier: Tier,
        plaintext: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(&link) else { return };
        neighbour.say(now);
        let bytes = on_medium(plaintext.len().saturating_sub(HEADER_LEN), neighbour.max_frame);
        if let Some(account) = self.account(link) {
            account.promise(now, tier, bytes);
        }
        out.push(Effect::Say { link, plaintext, tier });
    }

    /// Whether there is a share for a message of so many bytes at present.
    pub(super) fn may_say(&mut self, now: Instant, link: LinkId, tier: Tier, len: usize) -> bool {
        let Some(max_frame) = self.neighbours.get(&link).map(|neighbour| neighbour.max_frame) else {
            return false;
        };
        self.account(link).is_some_and(|account| account.allows(now, tier, on_medium(len, max_frame)).is_ok())
    }

    fn account_of(&self, link: LinkId) -> Option<&Account> {
        self.accounts.get(&self.scope(link)?)
    }
}

/// What a store holds, in messages that each stand alone.
fn messages(
    talk: &mut Talk,
    stock: &Stock,
    salt: u32,
    room: Room,
    (store, round): (StoreId, u32),
) -> Vec<Vec<u8>> {
    let own = stock.own();
    let told = talk.comparison.tell(&own, salt, room);
    told.iter().map(|told| alone(&told.summary(store, round, &own))).collect()
}

/// Of what is owed of a store, as much as one message has room for; or one item, if that has to be cut in pieces.
fn pick(neighbour: &Neighbour, stock: &Stock, store: StoreId, room: usize) -> Batch {
    let (mut picked, mut len) = (Vec::new(), 0_usize);
    for (age, id) in neighbour.owed.of(store).take(usize::try_from(neighbour.batch()).unwrap_or(usize::MAX)) {
        let Some((_, size)) = stock.get(&id) else {
            // It went meanwhile. Picked, it is owed no more; fetched, it is left out.
            picked.push((age, id));
            continue;
        };
        let longer = len.saturating_add(usize::from(size)).saturating_add(ITEM_HEAD);
        if len > 0 && longer > room {
            break;
        }
        picked.push((age, id));
        len = longer;
    }
    Batch { tier: stock.tier(), store, picked, len: len.saturating_add(ITEMS_HEAD) }
}

/// What messages of so many bytes have on the medium: in one frame, or in pieces.
pub(super) fn on_medium(len: usize, max_frame: usize) -> usize {
    let whole = len.saturating_add(SEALED_OVERHEAD);
    if whole <= max_frame {
        return whole;
    }
    let piece = max_frame.saturating_sub(FRAGMENT).max(1);
    len.saturating_add(len.div_ceil(piece).saturating_mul(FRAGMENT))
}

/// A message without a length, behind room for the frame's header.
pub(super) fn alone<'a, T: Body<'a>>(body: &T) -> Vec<u8> {
    let mut plaintext = behind_headroom(body.encoded_len().saturating_add(1));
    let messages = plaintext.get_mut(HEADER_LEN..).unwrap_or_default();
    MessageWriter::new(messages).put_last(body).expect("there is room for the message");
    plaintext
}

/// Two messages, the second without a length.
fn both<'a, 'b, T: Body<'a>, U: Body<'b>>(first: &T, second: &U) -> Vec<u8> {
    let len = MessageWriter::len_of(first).saturating_add(second.encoded_len()).saturating_add(1);
    let mut plaintext = behind_headroom(len);
    let mut writer = MessageWriter::new(plaintext.get_mut(HEADER_LEN..).unwrap_or_default());
    writer.put(first).expect("there is room for the first message");
    writer.put_last(second).expect("and for the second");
    plaintext
}

fn behind_headroom(len: usize) -> Vec<u8> {
    let len = len.saturating_add(HEADER_LEN);
    let mut plaintext = Vec::with_capacity(len.saturating_add(TAG_LEN));
    plaintext.resize(len, 0);
    plaintext
}
