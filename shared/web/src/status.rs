//! The page with the state of a program.

use askama::Template;

/// One fact: what it is, and what it says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// What it says.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(label: &str, value: impl Into<String>) -> Self {
        Self {
            label: label.to_owned(),
            value: value.into(),
        }
    }
}

/// A table below the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it lists.
    pub caption: String,
    /// The heads of its columns.
    pub headings: Vec<&'static str>,
    /// Its rows, a cell for each heading.
    pub rows: Vec<Vec<String>>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "status.html")]
pub struct StatusPage {
    /// Whose state it is.
    pub heading: String,
    /// The facts, the most important first.
    pub facts: Vec<Fact>,
    /// The tables.
    pub tables: Vec<Table>,
}

impl StatusPage {
    /// The page of a program that cannot read its data, which says so and nothing else.
    pub fn unwell(heading: String, error: &impl std::fmt::Display) -> Self {
        Self {
            heading,
            facts: vec![Fact::new("状态", format!("读不到数据:{error}"))],
            tables: Vec::new(),
        }
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        // A template without loops over foreign code cannot fail to write into a string.
        self.render().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_are_escaped() {
        let page = StatusPage {
            heading: "<b>中心</b>".to_owned(),
            facts: vec![Fact::new("待上传", "3")],
            tables: vec![Table {
                caption: "社区".to_owned(),
                headings: vec!["名称"],
                rows: vec![vec!["<script>alert(1)</script>".to_owned()]],
            }],
        };
        let html = page.html();
        assert!(
            !html.contains("<b>") && !html.contains("<script>"),
            "{html}"
        );
        assert!(
            html.contains("待上传") && html.contains("<dd>3</dd>"),
            "{html}"
        );
        assert!(html.contains("alert(1)"), "{html}");
    }
}
