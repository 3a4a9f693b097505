//! A page of headings, texts, items and tables, as Markdown or HTML.

use std::fmt::Write as _;

enum Piece {
    Heading(String),
    Text(String),
    Item(String),
    Table(Vec<String>, Vec<Vec<String>>),
}

/// The page.
pub(super) struct Page {
    title: String,
    pieces: Vec<Piece>,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            pieces: Vec::new(),
        }
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.pieces.push(Piece::Heading(text.to_owned()));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.pieces.push(Piece::Text(text.to_owned()));
    }

    pub(super) fn item(&mut self, text: &str) {
        self.pieces.push(Piece::Item(text.to_owned()));
    }

    /// Lines written by hand: items begin with a dash and go on in lines that are set in.
    pub(super) fn lines(&mut self, lines: &str) {
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            match (line.strip_prefix("- "), self.pieces.last_mut()) {
                (Some(item), _) => self.item(item),
                (None, Some(Piece::Item(before) | Piece::Text(before))) => {
                    before.push(' ');
                    before.push_str(line.trim());
                }
                (None, _) => self.text(line),
            }
        }
    }

    pub(super) fn table(&mut self, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let head = head.iter().map(|&name| name.to_owned()).collect();
        self.pieces.push(Piece::Table(head, rows.collect()));
    }

    // Writing to a String cannot fail.
    pub(super) fn markdown(&self) -> String {
        let mut out = format!("# {}\n", self.title);
        let mut was_item = false;
        for piece in &self.pieces {
            let is_item = matches!(piece, Piece::Item(_));
            if !(is_item && was_item) {
                out.push('\n');
            }
            was_item = is_item;
            match piece {
                Piece::Heading(text) => _ = writeln!(out, "## {text}"),
                Piece::Text(text) => _ = writeln!(out, "{text}"),
                Piece::Item(text) => _ = writeln!(out, "- {text}"),
                Piece::Table(head, rows) => {
                    let line = |cells: &[String]| {
                        let cells: Vec<_> =
                            cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
                        format!("| {} |\n", cells.join(" | "))
                    };
                    out.push_str(&line(head));
                    out.push_str(&line(&vec!["---".to_owned(); head.len()]));
                    for row in rows {
                        out.push_str(&line(row));
                    }
                }
            }
        }
        out
    }

    pub(super) fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n\
             <style>body{{font:16px/1.5 sans-serif;max-width:64em;margin:2em auto;padding:0 1em}}\
             table{{border-collapse:collapse}}td,th{{border:1px solid #bbb;padding:.2em .6em;text-align:left;\
             vertical-align:top}}</style>\n<h1>{0}</h1>\n",
            escaped(&self.title)
        );
        let mut is_in_list = false;
        for piece in &self.pieces {
            let is_item = matches!(piece, Piece::Item(_));
            if is_item != is_in_list {
                out.push_str(if is_item { "<ul>\n" } else { "</ul>\n" });
            }
            is_in_list = is_item;
            match piece {
                Piece::Heading(text) => _ = writeln!(out, "<h2>{}</h2>", escaped(text)),
                Piece::Text(text) => _ = writeln!(out, "<p>{}</p>", escaped(text)),
                Piece::Item(text) => _ = writeln!(out, "<li>{}</li>", escaped(text)),
                Piece::Table(head, rows) => {
                    let line = |cells: &[String], tag: &str| {
                        let cells = cells.iter();
                        let cells = cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
                        format!("<tr>{}</tr>\n", cells.collect::<String>())
                    };
                    out.push_str("<table>\n");
                    out.push_str(&line(head, "th"));
                    for row in rows {
                        out.push_str(&line(row, "td"));
                    }
                    out.push_str("</table>\n");
                }
            }
        }
        if is_in_list {
            out.push_str("</ul>\n");
        }
        out
    }
}

fn escaped(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    // Pieces of code.
    let mut out = String::new();
    for (place, part) in text.split('`').enumerate() {
        match place {
            0 => {}
            place if place % 2 == 1 => out.push_str("<code>"),
            _ => out.push_str("</code>"),
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_in_two_forms() {
        let mut page = Page::new("A & B");
        page.heading("Part");
        page.lines("- one <x>\n  goes on\n- `two`\n");
        page.table(
            &["a", "b"],
            [vec!["1|2".to_owned(), "3".to_owned()]].into_iter(),
        );
        let markdown = page.markdown();
        assert!(
            markdown.contains("- one <x> goes on\n- `two`\n"),
            "{markdown}"
        );
        assert!(markdown.contains("| 1\\|2 | 3 |"), "{markdown}");
        let html = page.html();
        assert!(html.contains("<li>one &lt;x&gt; goes on</li>"), "{html}");
        assert!(html.contains("<li><code>two</code></li>\n</ul>"), "{html}");
    }
}
