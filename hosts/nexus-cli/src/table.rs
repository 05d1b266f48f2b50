//! Aligned tables that are never wider than a page.

use crate::terminal::{columns, cut, harmless};

/// The widest line, in columns.
pub(crate) const PAGE: usize = 80;
/// Between two columns.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    head: &'static str,
    side: Side,
    /// What it may be cut to if the page is too narrow; nothing if it is never cut.
    least: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Left,
    Right,
}

/// A column of words. It is cut when the page is too narrow, but not below `least` columns.
pub(crate) const fn words(head: &'static str, least: usize) -> Column {
    Column { head, side: Side::Left, least: Some(least) }
}

/// A column of words that are short by nature.
pub(crate) const fn marks(head: &'static str) -> Column {
    Column { head, side: Side::Left, least: None }
}

/// A column of quantities.
pub(crate) const fn numbers(head: &'static str) -> Column {
    Column { head, side: Side::Right, least: None }
}

/// The lines of a table: a head and a line for each row. What others wrote is made harmless and cut to fit.
pub(crate) fn render<const N: usize>(table: &[Column; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.clone().map(|cell| harmless(&cell))).collect();
    let mut widths: [usize; N] = std::array::from_fn(|at| {
        let widest = rows.iter().map(|row| columns(&row[at])).max().unwrap_or(0);
        widest.max(columns(table[at].head))
    });
    narrow(table, &mut widths);
    let heads = std::array::from_fn(|at| table[at].head.to_owned());
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let cell = cut(cell, widths[at]);
            let blanks = " ".repeat(widths[at].saturating_sub(columns(&cell)));
            match table[at].side {
                Side::Left => line.extend([cell.as_str(), &blanks]),
                Side::Right => line.extend([blanks.as_str(), &cell]),
            }
            line.push_str(&" ".repeat(GAP));
        }
        // Whatever could not be cut enough is cut here: a long line would break the page.
        text.push_str(&cut(line.trim_end(), PAGE));
        text.push('\n');
    }
    text
}

/// Takes columns from the widest that may be cut until the page holds all.
fn narrow<const N: usize>(table: &[Column; N], widths: &mut [usize; N]) {
    let gaps = GAP * N.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > PAGE {
        let spare = |at: &usize| table[*at].least.map_or(0, |least| widths[*at].saturating_sub(least));
        match (0..N).max_by_key(spare).filter(|at| spare(at) > 0) {
            Some(widest) => widths[widest] -= 1,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_as_narrow_as_its_cells() {
        let table = [words("NAME", 4), numbers("SENT")];
        let rows = [["a".to_owned(), "1 B".to_owned()], ["longer".to_owned(), "12.3 kB".to_owned()]];
        assert_eq!(render(&table, &rows), "NAME       SENT\na           1 B\nlonger  12.3 kB\n");
    }

    #[test]
    fn no_line_is_wider_than_the_page_and_the_widest_words_give_way() {
        let table = [words("NAME", 8), words("ADDRESS", 8), numbers("SENT")];
        let long = |character: &str| character.repeat(500);
        for row in [
            [long("n"), long("a"), "1 B".to_owned()],
            [long("世"), long("ä"), "1 B".to_owned()],
            ["short".to_owned(), long("a"), long("9")],
            [long("\x1b"), "\u{202e}x".to_owned(), String::new()],
        ] {
            let text = render(&table, &[row]);
            assert!(text.lines().all(|line| columns(line) <= PAGE), "{text}");
            assert!(!text.contains('\x1b'));
        }
        let text = render(&table, &[["short".to_owned(), long("a"), "1 B".to_owned()]]);
        assert!(text.contains("short ") && text.contains("aaa…  ") && text.ends_with("1 B\n"), "{text}");
    }
}
