//! Columns of text, as wide as their widest cell.

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Renders rows under a heading; every row has as many cells as the heading.
pub(crate) fn render<const COLUMNS: usize>(
    heading: [(&str, Align); COLUMNS],
    rows: &[[String; COLUMNS]],
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].0.chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = |cells: [&str; COLUMNS]| {
        let cells = cells.into_iter().zip(widths).zip(heading);
        let padded = cells.map(|((cell, width), (_, align))| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(heading.map(|(title, _)| title));
    text.push_str(&line(widths.map(|width| "-".repeat(width)).each_ref().map(String::as_str)));
    for row in rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["tidy".to_owned(), "0.4".to_owned()], ["bare metal".to_owned(), "61.0".to_owned()]];
        let text = render([("stage", Align::Left), ("s", Align::Right)], &rows);
        assert_eq!(text, "stage          s\n----------  ----\ntidy         0.4\nbare metal  61.0\n");
    }
}
