//! Why a way is taken, or not, in words.

use nexus_daemon::api::{PathPolicy, Said, Standing, Way, Ways};

use super::called;
use crate::address_book::AddressBook;
use crate::quantities::price;

/// Why the way at `place` is taken, or is not.
pub(super) fn reason(ways: &Ways, place: usize, book: &AddressBook) -> String {
    let Some(way) = ways.ways.get(place) else { return String::new() };
    match way.standing {
        Standing::Usable | Standing::Stale | Standing::Doubted | Standing::Distrusted => {}
        Standing::Infeasible { said, limit } => return may_lead_back(way, said, limit, book),
        Standing::Outdated => {
            return format!(
                "not usable: it may lead back here: {} speaks of costs that are older than those that this node \
                 spoke of",
                called(way.via.as_deref(), book)
            );
        }
        Standing::TooLong => {
            return format!("not usable: with {} hops it is longer than a packet may travel", way.total.hops);
        }
        Standing::Gone => return "not usable: its neighbour is gone".to_owned(),
        Standing::Unjudged => {
            return "not usable yet: something of it changed, and nothing was chosen since".to_owned();
        }
        Standing::Unknown => {
            return "not usable, for a reason that this program does not know".to_owned();
        }
    }
    let stale = match way.standing {
        Standing::Stale => "stale (nobody said it of late), ",
        Standing::Doubted => "doubted (its neighbour does not answer), ",
        Standing::Distrusted => "distrusted (nothing that went that way was proved), ",
        _usable => "",
    };
    if way.chosen_by.contains(&ways.policy) {
        format!("{stale}{}", why_chosen(ways, way, book))
    } else {
        format!("{stale}{}", why_not_chosen(ways, way, book))
    }
}

fn may_lead_back(way: &Way, said: Said, limit: Said, book: &AddressBook) -> String {
    let neighbour = called(way.via.as_deref(), book);
    let (theirs, ours) = if said.unxs_per_kib == limit.unxs_per_kib {
        (format!("{} hops", said.hops), limit.hops.to_string())
    } else {
        (price(said.unxs_per_kib), price(limit.unxs_per_kib))
    };
    format!(
        "not usable: {neighbour}'s way may lead back here: it said {theirs} where this node said {ours}; \
         another generation of costs opens it, if it is better"
    )
}

fn why_chosen(ways: &Ways, chosen: &Way, book: &AddressBook) -> String {
    let others: Vec<&Way> = ways.ways.iter().filter(|way| *way != chosen).collect();
    let also = also_chosen(ways.policy, chosen);
    let head = format!("chosen under {}{also}", ways.policy);
    let usable = others.iter().filter(|way| way.standing.is_usable());
    let score = |way: &&&Way| way.scores.get(&ways.policy).copied().unwrap_or(u16::MAX);
    let Some(next) = usable.min_by_key(score) else {
        let only = if others.is_empty() { "the only way" } else { "the only way that may be used" };
        return format!("{head}: {only}");
    };
    let other = called(next.via.as_deref(), book);
    if chosen.standing == Standing::Usable {
        match next.standing {
            Standing::Stale => return format!("{head}: {other}'s way is stale"),
            Standing::Doubted => return format!("{head}: {other} does not answer"),
            Standing::Distrusted => return format!("{head}: nothing that went by {other} was proved"),
            _as_good => {}
        }
    }
    let differences = differences(chosen, next, &other);
    if differences.is_empty() {
        return format!("{head}: as good as {other}'s way, and one of them has to be");
    }
    let is_kept = score(&next) < score(&&chosen);
    let kept = if is_kept { "; kept, as the other is better by less than a quarter" } else { "" };
    format!("{head}: {}{kept}", differences.join(", "))
}

fn also_chosen(policy: PathPolicy, way: &Way) -> String {
    let others: Vec<&str> = way.chosen_by.iter().filter(|by| **by != policy).map(|by| by.name()).collect();
    match others.as_slice() {
        [] => String::new(),
        [only] => format!(" (and {only})"),
        [first @ .., last] => format!(" (and {}, {last})", first.join(", ")),
    }
}

fn why_not_chosen(ways: &Ways, way: &Way, book: &AddressBook) -> String {
    let Some(chosen) = ways.ways.iter().find(|way| way.chosen_by.contains(&ways.policy)) else {
        return "usable".to_owned();
    };
    let other = called(chosen.via.as_deref(), book);
    let ready = "ready to take over at once";
    let by = match also_chosen(ways.policy, way) {
        none if none.is_empty() => String::new(),
        by => format!("; chosen{}", by.replace(" (and ", " under ").trim_end_matches(')')),
    };
    let differences = differences(way, chosen, &other);
    if differences.is_empty() {
        return format!("{ready}: as good as {other}'s way{by}");
    }
    format!("{ready}: {}{by}", differences.join(", "))
}

/// In what one way differs from another, the weightiest first.
fn differences(one: &Way, other: &Way, name: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    all.extend(cost(one.total.unxs_per_kib, other.total.unxs_per_kib, name));
    let [this, that] = [one, other].map(|way| u32::from(way.total.worst_latency_ms));
    match this.cmp(&that) {
        std::cmp::Ordering::Less => all.push(format!("{} ms faster", that - this)),
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => all.push(format!("{} ms slower", this - that)),
    }
    match (one.reliability_percent, other.reliability_percent) {
        (Some(this), Some(that)) if this != that => {
            all.push(format!("{this} % of its packets are proved and {that} % of the other's"));
        }
        (Some(_), None) => all.push("the other was not tried yet".to_owned()),
        (None, Some(_)) => all.push("not tried yet".to_owned()),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if all.is_empty() {
        let [this, that] = [one, other].map(|way| u32::from(way.total.hops));
        let counted = |hops: u32| if hops == 1 { "1 hop".to_owned() } else { format!("{hops} hops") };
        match this.cmp(&that) {
            std::cmp::Ordering::Less => {
                all.push(format!("{} shorter than {name}'s way", counted(that - this)));
            }
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => {
                all.push(format!("{} longer than {name}'s way", counted(this - that)));
            }
        }
    }
    all
}

fn cost(this: Option<u64>, that: Option<u64>, name: &str) -> Option<String> {
    let (this, that) = match (this, that) {
        (Some(this), Some(that)) => (this, that),
        (None, Some(_)) => return Some(format!("its cost is unknown, and that of {name}'s way is not")),
        (Some(_), None) => return Some(format!("the cost of {name}'s way is unknown")),
        (None, None) => return None,
    };
    let ratio = |part: u64, whole: u64| u128::from(part) * 100 / u128::from(whole.max(1));
    Some(match (this, that) {
        (this, that) if this == that => return None,
        (0, that) => format!("free, where {name}'s way costs {}", price(Some(that))),
        (this, 0) => format!("{}, where {name}'s way is free", price(Some(this))),
        (this, that) if this < that => match ratio(this, that) {
            45..=55 => format!("half the cost of {name}'s way"),
            0 => format!("less than a hundredth of the cost of {name}'s way"),
            percent => format!("{percent} % of the cost of {name}'s way"),
        },
        (this, that) => match ratio(this, that) {
            percent @ 0..190 => format!("{} % dearer than {name}'s way", percent.saturating_sub(100).max(1)),
            190..=210 => format!("twice the cost of {name}'s way"),
            percent => format!("{} times the cost of {name}'s way", (percent + 50) / 100),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_daemon::api::Quote;

    #[test]
    fn costs_are_compared_as_people_do() {
        let said = |this, that| cost(this, that, "bert").unwrap_or_default();
        assert_eq!(said(Some(40), Some(80)), "half the cost of bert's way");
        assert_eq!(said(Some(0), Some(1_234)), "free, where bert's way costs 1.2 mNXS/KiB");
        assert_eq!(said(Some(90), Some(100)), "90 % of the cost of bert's way");
        assert_eq!(said(Some(1), Some(u64::MAX)), "less than a hundredth of the cost of bert's way");
        assert_eq!(said(Some(130), Some(100)), "30 % dearer than bert's way");
        assert_eq!(said(Some(1_001), Some(1_000)), "1 % dearer than bert's way");
        assert_eq!(said(Some(u64::MAX), Some(u64::MAX / 2)), "twice the cost of bert's way");
        assert_eq!(said(Some(1_000), Some(100)), "10 times the cost of bert's way");
        assert_eq!(said(None, Some(1)), "its cost is unknown, and that of bert's way is not");
        assert_eq!(said(Some(7), Some(7)), "");
    }

    #[test]
    fn what_is_chosen_says_why_and_so_does_what_is_not() {
        let book = AddressBook::empty();
        let dear = way("b", 80, 5);
        let cheap =
            Way { chosen_by: [PathPolicy::Balanced, PathPolicy::Cheapest].into(), ..way("a", 40, 25) };
        let ways = of(vec![cheap, dear]);
        assert_eq!(
            reason(&ways, 0, &book),
            "chosen under balanced (and cheapest): half the cost of bbbbbbbb…'s way, 20 ms slower"
        );
        assert_eq!(
            reason(&ways, 1, &book),
            "ready to take over at once: twice the cost of aaaaaaaa…'s way, 20 ms faster"
        );
    }

    #[test]
    fn a_way_that_may_lead_back_says_what_was_said() {
        let book = AddressBook::empty();
        let said = |unxs: u64, hops| Said { unxs_per_kib: Some(unxs), hops };
        let standing = Standing::Infeasible { said: said(40, 2), limit: said(38, 2) };
        let ways = of(vec![Way { standing, ..way("b", 50, 5) }]);
        let text = reason(&ways, 0, &book);
        assert!(
            text.starts_with("not usable: bbbbbbbb…'s way may lead back here: it said 40 µNXS/KiB where this node said 38 µNXS/KiB"),
            "{text}"
        );
        let standing = Standing::Infeasible { said: said(0, 3), limit: said(0, 2) };
        let text = reason(&of(vec![Way { standing, ..way("b", 0, 5) }]), 0, &book);
        assert!(text.contains("it said 3 hops where this node said 2"), "{text}");
    }

    #[test]
    fn an_only_way_equal_ways_and_a_kept_way_are_called_that() {
        let book = AddressBook::empty();
        let balanced = |way: Way| Way { chosen_by: [PathPolicy::Balanced].into(), ..way };
        let text = reason(&of(vec![balanced(way("a", 0, 5))]), 0, &book);
        assert_eq!(text, "chosen under balanced: the only way");
        let gone = Way { standing: Standing::Gone, ..way("b", 0, 5) };
        let text = reason(&of(vec![balanced(way("a", 0, 5)), gone]), 0, &book);
        assert_eq!(text, "chosen under balanced: the only way that may be used");
        let text = reason(&of(vec![balanced(way("a", 0, 5)), way("b", 0, 5)]), 0, &book);
        assert_eq!(text, "chosen under balanced: as good as bbbbbbbb…'s way, and one of them has to be");
        let mut kept = balanced(way("a", 110, 5));
        kept.scores = [(PathPolicy::Balanced, 5_000)].into();
        let mut better = way("b", 100, 5);
        better.scores = [(PathPolicy::Balanced, 4_800)].into();
        let text = reason(&of(vec![kept, better]), 0, &book);
        assert!(
            text.ends_with(
                "10 % dearer than bbbbbbbb…'s way; kept, as the other is better by less than a quarter"
            ),
            "{text}"
        );
    }

    fn of(ways: Vec<Way>) -> Ways {
        let (destination, policy) = ("d".repeat(32), PathPolicy::Balanced);
        Ways { destination, node: true, emission: 1, age_s: 5, policy, ways }
    }

    fn way(via: &str, unxs: u64, latency_ms: u16) -> Way {
        let total =
            Quote { unxs_per_kib: Some(unxs), worst_latency_ms: latency_ms, bottleneck_bps: 0, hops: 2 };
        Way {
            via: Some(via.repeat(32)),
            last: false,
            interface: "udp0".to_owned(),
            said: total,
            total,
            reliability_percent: None,
            emission: 1,
            generation: 0,
            age_s: 1,
            expires_in_s: 1,
            standing: Standing::Usable,
            scores: std::collections::BTreeMap::new(),
            chosen_by: std::collections::BTreeSet::new(),
        }
    }
}
