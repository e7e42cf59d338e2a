//! The plots of the benchmarks: drawn from figures that the page has, and drawn again when those change.

use super::pictures;
use crate::documents::{Page, root};
use crate::programs::{has, program};
use crate::server::Folder;
use std::collections::BTreeSet;
use std::fs;

const PAGE: &str = "tutorial/reference/benchmarks.md";

#[test]
fn the_plots_are_drawn_from_the_committed_figures() {
    if !has("python3") {
        return;
    }
    let folder = Folder::new();
    let mut draw = program("python3");
    draw.arg(root().join("benches/plots.py")).arg(folder.path());
    assert!(draw.status().unwrap().success());
    let page = Page::load(PAGE).text;
    let mut count = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let committed = fs::read_to_string(root().join("tutorial/pictures").join(&name));
        let drawn = fs::read_to_string(folder.path().join(&name)).unwrap();
        assert!(committed.is_ok_and(|text| text == drawn), "{name} is old: run make plots");
        assert!(page.contains(&format!("(../pictures/{name})")), "{PAGE} does not show {name}");
        let labels = pictures::labels(&drawn).unwrap().join(" ");
        assert_eq!(pictures::check_svg(&drawn, &labels), [""; 0], "{name}");
        count += 1;
    }
    assert_eq!(count, plots(&figures()).len());
}

#[test]
fn every_figure_of_a_plot_stands_on_its_page() {
    let page = Page::load(PAGE).text;
    let missing: Vec<_> =
        figures().into_iter().filter(|figure| !stands_on(&page, figure)).collect();
    assert!(missing.is_empty(), "not in a table of {PAGE}: {missing:?}");
}

/// Plot, work, series and value.
type Figure = [String; 4];

fn figures() -> Vec<Figure> {
    let text = fs::read_to_string(root().join("benches/figures.csv")).unwrap();
    let figures: Vec<_> = text.lines().skip(1).map(fields).collect();
    assert!(figures.len() > 20);
    figures
}

fn plots(figures: &[Figure]) -> BTreeSet<&str> {
    figures.iter().map(|[plot, ..]| &plot[..]).collect()
}

/// Splits a line at its commas outside quotes.
fn fields(line: &str) -> Figure {
    let mut is_quoted = false;
    let fields = line.split(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    let fields: Vec<_> = fields.map(|field| field.trim_matches('"').to_string()).collect();
    fields.try_into().expect("four fields")
}

/// Returns whether a table has the value in the row of the work and the column of the series.
fn stands_on(page: &str, [_, work, series, value]: &Figure) -> bool {
    let mut column = None;
    page.lines().any(|line| {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if cells.len() < 3 {
            column = None;
        } else if column.is_none() {
            column = Some(cells.iter().position(|cell| cell == series).unwrap_or(0));
        }
        let at = column.unwrap_or(0);
        at > 0 && cells.get(1) == Some(&&work[..]) && cells.get(at) == Some(&&value[..])
    })
}

#[test]
fn a_planted_figure_is_found() {
    let page = "| work | a | `b` |\n|---|--:|--:|\n| one, two | 1 | 2 |\n\n| work | b |\n|---|--:|\n| one | 3 |\n";
    let stands = |line: &str| stands_on(page, &fields(line));
    for line in ["p,\"one, two\",a,1", "p,\"one, two\",b,2", "p,one,b,3"] {
        assert!(stands(line), "{line}");
    }
    for line in ["p,\"one, two\",a,2", "p,one,a,1", "p,one,a,3", "p,one,b,2", "p,three,b,3"] {
        assert!(!stands(line), "{line}");
    }
}
