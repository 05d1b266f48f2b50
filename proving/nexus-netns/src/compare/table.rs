//! The table, as the documentation has it.

use std::time::Duration;

use super::Measured;

/// Ethernet's header, IPv4's and UDP's. IPv6's is twenty bytes more, and OSPF has none of UDP.
const HEADERS: u64 = 14 + 20 + 8;

pub(super) fn render(measured: &[Measured]) -> String {
    let mut text = String::from(
        "| contender | probe | outage, ms: min | median | max | idle, bytes/s a link | of which above IPv4 and UDP | frames/s a link |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for one in measured {
        let idle = one.idle;
        let payload = idle.bytes.saturating_sub(idle.frames * HEADERS);
        let each = |sum: u64| tenths(sum, idle.cables * idle.seconds);
        let cells = [
            one.name.to_owned(),
            one.probe.to_owned(),
            ms(one.outages.first()),
            ms(one.outages.get(one.outages.len() / 2)),
            ms(one.outages.last()),
            each(idle.bytes),
            each(payload),
            hundredths(idle.frames, idle.cables * idle.seconds),
        ];
        text.push_str("| ");
        text.push_str(&cells.join(" | "));
        text.push_str(" |\n");
    }
    text
}

fn ms(time: Option<&Duration>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| time.as_millis().to_string())
}

fn tenths(sum: u64, over: u64) -> String {
    let tenths = sum * 10 / over.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn hundredths(sum: u64, over: u64) -> String {
    let hundredths = sum * 100 / over.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::super::Idle;
    use super::*;

    #[test]
    fn a_row_has_the_median_outage_and_what_a_link_carries_in_a_second() {
        let outages = [30, 10, 20].map(Duration::from_millis).to_vec();
        let mut outages = outages;
        outages.sort();
        let idle = Idle { frames: 500, bytes: 50_000, cables: 5, seconds: 100 };
        let text = render(&[Measured { name: "one", probe: "datagrams", outages, idle }]);
        assert!(text.ends_with("| one | datagrams | 10 | 20 | 30 | 100.0 | 58.0 | 1.00 |\n"), "{text}");
    }
}
