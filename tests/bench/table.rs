//! What is printed: each figure beside the floor's from the same run, and beside its goal.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a figure should reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At least so many times the floor's.
    AtLeast(f64),
    /// At most so many times the floor's.
    AtMost(f64),
    /// At most so much, whatever the floor is.
    Bound(f64),
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    what: String,
    unit: &'static str,
    product: f64,
    floor: f64,
    /// None where there is none.
    pub goal: Option<Goal>,
}

impl Row {
    /// A figure of the product's, and the floor's.
    pub fn new(what: &str, unit: &'static str, product: f64, floor: f64) -> Self {
        Self {
            what: what.to_owned(),
            unit,
            product,
            floor,
            goal: None,
        }
    }

    /// It should be at least so many times the floor's.
    #[must_use]
    pub const fn at_least(mut self, factor: f64) -> Self {
        self.goal = Some(Goal::AtLeast(factor));
        self
    }

    /// It should be at most so many times the floor's.
    #[must_use]
    pub const fn at_most(mut self, factor: f64) -> Self {
        self.goal = Some(Goal::AtMost(factor));
        self
    }

    /// It should be at most so much.
    #[must_use]
    pub const fn bound(mut self, most: f64) -> Self {
        self.goal = Some(Goal::Bound(most));
        self
    }

    fn ratio(&self) -> f64 {
        self.product / self.floor
    }

    fn is_met(&self) -> bool {
        match self.goal {
            None => true,
            Some(Goal::AtLeast(factor)) => self.ratio() >= factor,
            Some(Goal::AtMost(factor)) => self.ratio() <= factor,
            Some(Goal::Bound(most)) => self.product <= most,
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::AtLeast(factor)) => format!("≥ {factor} ×"),
            Some(Goal::AtMost(factor)) => format!("≤ {factor} ×"),
            Some(Goal::Bound(most)) => format!("≤ {most} {}", self.unit),
        }
    }
}

/// All figures of a run.
#[derive(Debug)]
pub struct Table {
    records: u64,
    rows: Vec<Row>,
}

impl Table {
    /// An empty one, of workloads with so many records.
    pub const fn new(records: u64) -> Self {
        Self {
            records,
            rows: Vec::new(),
        }
    }

    /// Adds a figure.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether every goal was reached.
    pub fn is_met(&self) -> bool {
        self.rows.iter().all(Row::is_met)
    }

    /// As a table of Markdown, which reads well in a terminal too.
    pub fn text(&self) -> String {
        let headings = ["what", "unit", "product", "floor", "ratio", "goal", ""];
        let mut cells = vec![headings.map(str::to_owned)];
        cells.push([(); 7].map(|()| "-".to_owned()));
        for row in &self.rows {
            let reached = match row.goal {
                None => "",
                Some(_) if row.is_met() => "reached",
                Some(_) => "missed",
            };
            cells.push([
                row.what.clone(),
                row.unit.to_owned(),
                shown(row.product),
                shown(row.floor),
                format!("{:.2}", row.ratio()),
                row.goal_text(),
                reached.to_owned(),
            ]);
        }
        let width = |column: usize| {
            let of = |row: &[String; 7]| row.get(column).map_or(0, |cell| cell.chars().count());
            cells.iter().map(of).max().unwrap_or(0)
        };
        let mut text = format!("{} records; medians\n", self.records);
        for row in &cells {
            for (column, cell) in row.iter().enumerate() {
                let missing = width(column).saturating_sub(cell.chars().count());
                let fill = if cell == "-" { "-" } else { " " };
                // Writing into a text does not fail.
                let _ = write!(text, "| {cell}{} ", fill.repeat(missing));
            }
            text.push_str("|\n");
        }
        text
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "what": row.what, "unit": row.unit, "product": row.product, "floor": row.floor,
                "ratio": row.ratio(), "goal": row.goal_text(), "is_met": row.is_met(),
            })
        };
        json!({"records": self.records, "rows": self.rows.iter().map(row).collect::<Vec<_>>()})
    }

    /// As bars: how often the floor's figure goes into the product's.
    pub fn svg(&self) -> String {
        const LINE: usize = 26;
        const NAMES: usize = 430;
        const BARS: f64 = 300.0;
        let height = LINE * (self.rows.len() + 1);
        let width = NAMES + 400;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n"
        );
        let largest = self.rows.iter().map(Row::ratio);
        let largest = largest
            .filter(|ratio| ratio.is_finite())
            .fold(1.0, f64::max);
        for (number, row) in self.rows.iter().enumerate() {
            let (y, ratio) = (LINE * (number + 1), row.ratio());
            let bar = if ratio.is_finite() {
                ratio / largest * BARS
            } else {
                0.0
            };
            let color = if row.is_met() { "#3a7d44" } else { "#b3412e" };
            let _ = writeln!(
                svg,
                "<text x=\"4\" y=\"{y}\">{}</text><rect x=\"{NAMES}\" y=\"{}\" width=\"{bar:.1}\" \
                 height=\"14\" fill=\"{color}\"/><text x=\"{}\" y=\"{y}\">{ratio:.2} ×</text>",
                row.what,
                y - 12,
                NAMES + 310,
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A figure with three places that say something.
fn shown(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}
