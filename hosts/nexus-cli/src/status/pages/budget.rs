//! What interfaces had on their media, by what it was for.

use nexus_daemon::api::{Metered, Span};

use crate::quantities::{bytes, rate};
use crate::table::{PAGE, marks, numbers, render, words};
use crate::terminal::{harmless, wrapped};

/// What of an interface's bandwidth was for what; below it what there was in all.
pub(in super::super) fn page(interfaces: &[Metered]) -> String {
    if interfaces.is_empty() {
        return "no budget: there are no interfaces; see `nexus doctor`\n".to_owned();
    }
    let table = [
        words("BUDGET OF", 9),
        marks("IN"),
        numbers("TRAFFIC"),
        numbers("LINKS"),
        numbers("NEWS"),
        numbers("T1"),
        numbers("T2"),
        numbers("T3"),
        numbers("T4"),
        numbers("SUM"),
    ];
    let rows: Vec<[String; 10]> = interfaces
        .iter()
        .flat_map(|metered| [row(metered, "10m", &metered.ten_minutes), row(metered, "1h", &metered.hour)])
        .collect();
    let mut text = render(&table, &rows);
    for metered in interfaces {
        let sums: Vec<String> = metered
            .total
            .iter()
            .map(|(load, sum)| format!("{} {}", harmless(&load.replace('_', " ")), bytes(sum.bytes)))
            .collect();
        let sums = if sums.is_empty() { "nothing".to_owned() } else { sums.join(", ") };
        let (name, carries) = (harmless(&metered.interface), rate(metered.measured_bps));
        text.push_str(&wrapped(&format!("{name} carries {carries}; sent in all: {sums}"), PAGE));
    }
    let most = percent(interfaces.iter().map(|metered| metered.limit_ppm).min());
    let legend =
        format!("NEWS: announces; T1-T4: gossip by tier; SUM: both, {most} at most of what it carries");
    text.push_str(&wrapped(&legend, PAGE));
    text
}

fn row(metered: &Metered, called: &str, span: &Span) -> [String; 10] {
    let share = |load: &str| match span.loads.get(load) {
        None => "-".to_owned(),
        Some(share) => percent(share.share_ppm),
    };
    [
        metered.interface.clone(),
        called.to_owned(),
        share("traffic"),
        share("links"),
        share("announces"),
        share("gossip_routing"),
        share("gossip_payment"),
        share("gossip_services"),
        share("gossip_social"),
        percent(span.together_ppm),
    ]
}

/// Millionths as a percentage, with as many digits as tell something.
fn percent(ppm: Option<u64>) -> String {
    match ppm {
        None => "?".to_owned(),
        Some(0) => "0%".to_owned(),
        Some(1..100) => "<.01%".to_owned(),
        Some(ppm @ 100..100_000) => {
            let hundredths = ppm / 100;
            let digits = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            format!("{}%", digits.trim_start_matches('0'))
        }
        Some(ppm @ 100_000..10_000_000) => format!("{}%", ppm / 10_000),
        Some(_) => ">999%".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_as_exactly_as_they_matter() {
        let ppm = [0, 7, 100, 31_400, 99_999, 100_000, 2_000_000, u64::MAX];
        let told = ppm.map(|ppm| percent(Some(ppm)));
        assert_eq!(told, ["0%", "<.01%", ".01%", "3.14%", "9.99%", "10%", "200%", ">999%"]);
        assert_eq!(percent(None), "?");
    }
}
