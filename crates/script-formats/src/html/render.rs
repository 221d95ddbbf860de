//! Renders a [`Document`] to source text, with the escapes of Go's `html.Render`.

use super::document::{Document, ElementData, NodeData, NodeId, Step};

const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "keygen", "link", "meta", "param",
    "source", "track", "wbr",
];

/// Elements whose text is written unescaped.
const RAW: &[&str] = &[
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "plaintext",
    "script",
    "style",
    "xmp",
];

impl Document {
    /// The markup between the tags of `id`.
    #[must_use]
    pub fn inner_html(&self, id: NodeId) -> String {
        let mut writer = Writer {
            document: self,
            out: String::new(),
            closed: false,
        };
        for child in self.children(id) {
            writer.tree(child);
        }
        writer.out
    }
}

struct Writer<'d> {
    document: &'d Document,
    out: String,
    /// `plaintext` has no end tag: nothing follows it.
    closed: bool,
}

impl Writer<'_> {
    fn tree(&mut self, top: NodeId) {
        for step in self.document.traverse(top) {
            if self.closed {
                return;
            }
            match step {
                Step::Enter(id) => self.open(id, id == top),
                Step::Leave(id) => self.close(id),
            }
        }
    }

    fn open(&mut self, id: NodeId, is_top: bool) {
        match self.document.data(id) {
            NodeData::Document => {}
            NodeData::Doctype {
                name,
                public_id,
                system_id,
            } => self.doctype(name, public_id, system_id),
            NodeData::Comment(text) => {
                self.out.push_str("<!--");
                self.out.push_str(text);
                self.out.push_str("-->");
            }
            NodeData::Text(text) => {
                // Rendered without its element, raw text is escaped like any other.
                let parent = self.document.parent(id).filter(|_| !is_top);
                if parent.is_some_and(|parent| RAW.contains(&self.document.tag(parent))) {
                    self.out.push_str(text);
                } else {
                    escape(&mut self.out, text);
                }
            }
            NodeData::Element(element) => self.start_tag(id, element),
        }
    }

    fn start_tag(&mut self, id: NodeId, element: &ElementData) {
        self.out.push('<');
        self.out.push_str(&element.name);
        for attribute in &element.attributes {
            self.out.push(' ');
            if let Some(prefix) = attribute
                .prefix
                .as_deref()
                .filter(|prefix| !prefix.is_empty())
            {
                self.out.push_str(prefix);
                self.out.push(':');
            }
            self.out.push_str(&attribute.name);
            self.out.push_str("=\"");
            escape(&mut self.out, &attribute.value);
            self.out.push('"');
        }
        if VOID.contains(&element.name.as_str()) {
            self.out.push_str("/>");
            return;
        }
        self.out.push('>');
        // The parser drops a leading line end in these.
        if matches!(element.name.as_str(), "pre" | "listing" | "textarea")
            && let Some(first) = self.document.first_child(id)
            && matches!(self.document.data(first), NodeData::Text(text) if text.starts_with('\n'))
        {
            self.out.push('\n');
        }
    }

    fn close(&mut self, id: NodeId) {
        let tag = self.document.tag(id);
        if tag == "plaintext" {
            self.closed = true;
        } else if !tag.is_empty() && !VOID.contains(&tag) {
            self.out.push_str("</");
            self.out.push_str(tag);
            self.out.push('>');
        }
    }

    fn doctype(&mut self, name: &str, public_id: &str, system_id: &str) {
        self.out.push_str("<!DOCTYPE ");
        escape(&mut self.out, name);
        if !public_id.is_empty() {
            self.out.push_str(&format!(" PUBLIC {}", quoted(public_id)));
        }
        if !system_id.is_empty() {
            let keyword = if public_id.is_empty() { " SYSTEM" } else { "" };
            self.out
                .push_str(&format!("{keyword} {}", quoted(system_id)));
        }
        self.out.push('>');
    }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('"') { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}
