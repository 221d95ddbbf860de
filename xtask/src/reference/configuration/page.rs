//! The page: a section for each type, by the path at which it stands first.

use std::collections::HashMap;
use std::fmt::Write;

use syn::Type;

use super::defaults::{self, Given};
use super::example::{self, Step, entry};
use super::limits::Limit;
use super::types::{Body, Choice, ChoiceFields, Member, Readable, Shape, Types, shape};
use super::{words, yaml};

const HEAD: &str = "\
# Configuration

Written by `cargo xtask reference` from the types that read the files. Each section is named after the place in the
file, as error messages name it: `<name>` stands for a name of your own, `[]` for an item of a list. *required* means
that the field has to be given; *absent* that it may be left out, and then means what its description says.

Layers of the fleet file, later ones win: the file, variables such as `SPARRING_SERVICE__PORT=9000` (`__` goes one
level down), flags. Unknown fields are errors. Every example is a whole file that `sparring check` takes, or for a
drill that `sparring drill` reads.
";

/// A type at its place.
struct Section {
    at: usize,
    path: String,
    steps: Vec<Step>,
}

/// A type, and the path of its section.
#[derive(Clone, Copy)]
struct Placed<'a> {
    owner: &'a Readable,
    path: &'a str,
}

/// The place of a value in a file.
struct Place {
    path: String,
    steps: Vec<Step>,
}

impl Place {
    fn below(mut self, suffix: &str, step: Step) -> Self {
        self.path.push_str(suffix);
        self.steps.push(step);
        self
    }
}

struct Page<'a> {
    types: &'a Types,
    /// The path of each type's section.
    places: HashMap<usize, String>,
}

/// The whole page.
pub fn page(types: &Types, roots: &[(&str, &str, &str, &str)]) -> String {
    let mut text = HEAD.to_owned();
    let mut page = Page {
        types,
        places: HashMap::new(),
    };
    for (title, about, name, file) in roots {
        let Some(at) = types.named(name, file) else {
            continue;
        };
        let mut sections = Vec::new();
        let top = Section {
            at,
            path: title.to_string(),
            steps: Vec::new(),
        };
        page.walk(top, "", &mut sections);
        let _ = write!(text, "\n## {title}\n\n{about}\n");
        for (place, section) in sections.iter().enumerate() {
            page.section(&mut text, section, place == 0);
        }
    }
    text
}

impl Page<'_> {
    /// The type's section, then those of its fields, each where it stands first.
    fn walk(&mut self, section: Section, prefix: &str, found: &mut Vec<Section>) {
        if self.places.contains_key(&section.at) {
            return;
        }
        self.places.insert(section.at, section.path.clone());
        let next = self.next(section.at, prefix, &section.steps);
        found.push(section);
        for section in next {
            let prefix = section.path.clone();
            self.walk(section, &prefix, found);
        }
    }

    /// The types of the fields of a type, with their places.
    fn next(&self, at: usize, prefix: &str, steps: &[Step]) -> Vec<Section> {
        let of = &self.types.all[at];
        let mut found = Vec::new();
        let mut add = |choice: Option<&Choice>, member: &Member| {
            let step = Step::Field {
                owner: at,
                choice: choice.map(|choice| choice.name.clone()),
                field: member.name.clone(),
            };
            let parts = [
                Some(prefix),
                choice.map(|one| one.name.as_str()),
                Some(&member.name),
            ];
            let parts: Vec<&str> = parts
                .into_iter()
                .flatten()
                .filter(|part| !part.is_empty())
                .collect();
            let place = Place {
                path: parts.join("."),
                steps: [steps, &[step]].concat(),
            };
            found.extend(self.peeled(of, &member.name, &member.of, place));
        };
        match &of.body {
            Body::Struct(members) => members.iter().for_each(|member| add(None, member)),
            Body::Enum(choices) => {
                for choice in choices {
                    if let ChoiceFields::Named(members) = &choice.fields {
                        members.iter().for_each(|member| add(Some(choice), member));
                    }
                }
                for choice in choices {
                    if let ChoiceFields::One(inner) = &choice.fields {
                        let place = Place {
                            path: format!("{prefix}.{}", choice.name),
                            steps: [steps, &[Step::Choice(choice.name.clone())]].concat(),
                        };
                        found.extend(self.peeled(of, &choice.name, inner, place));
                    }
                }
            }
            Body::Value | Body::Short(_) => {}
        }
        // The fields of a test name the same types as those of its parts.
        found.sort_by_key(|section| section.path.ends_with("parts.<name>"));
        found
    }

    /// The type behind options, lists and maps, with the place of one value of it.
    fn peeled(&self, owner: &Readable, name: &str, of: &Type, place: Place) -> Option<Section> {
        match shape(of) {
            Shape::Option(inner) | Shape::Box(inner) => self.peeled(owner, name, inner, place),
            Shape::List(inner) => {
                let place = place.below("[]", Step::Item);
                self.peeled(owner, name, inner, place)
            }
            Shape::Map(inner) => {
                let place = place.below(".<name>", Step::Entry(entry(name)));
                self.peeled(owner, &format!("{name}."), inner, place)
            }
            Shape::Plain(_) => {
                let at = self.types.find(owner, of)?;
                let one = &self.types.all[at];
                match &one.body {
                    Body::Value => None,
                    Body::Short(reader) => self.peeled(one, name, reader.long.as_ref()?, place),
                    _ => {
                        let Place { path, steps } = place;
                        Some(Section { at, path, steps })
                    }
                }
            }
        }
    }

    fn section(&self, text: &mut String, section: &Section, is_top: bool) {
        let of = &self.types.all[section.at];
        let placed = Placed {
            owner: of,
            path: &section.path,
        };
        if !is_top {
            let _ = write!(text, "\n### `{}`\n", section.path);
        }
        if !of.doc.is_empty() && !is_top {
            let _ = write!(text, "\n{}\n", of.doc);
        }
        match &of.body {
            Body::Struct(members) => {
                text.push_str("\n| field | type | default | meaning |\n|---|---|---|---|\n");
                for member in members {
                    self.row(text, placed, member, None);
                }
            }
            Body::Enum(choices) => self.choices(text, placed, choices),
            Body::Value | Body::Short(_) => {}
        }
        let files = example::files(self.types, section.at, &section.steps);
        match files.as_slice() {
            [] => {}
            [one] => {
                let _ = write!(text, "\n```yaml\n{}```\n", yaml::block(one));
            }
            several => {
                text.push_str("\nEach line is a file of its own:\n\n```yaml\n");
                for file in several {
                    let flow = yaml::flow(file);
                    // Without the outermost braces.
                    let _ = writeln!(text, "{}", one_line(&flow));
                }
                text.push_str("```\n");
            }
        }
    }

    fn choices(&self, text: &mut String, placed: Placed<'_>, choices: &[Choice]) {
        let of = placed.owner;
        text.push_str("\nOne of these; those with fields or a value are maps with one key.\n");
        text.push_str("\n| choice | type | default | meaning |\n|---|---|---|---|\n");
        for choice in choices {
            let kind = match &choice.fields {
                ChoiceFields::None => "alone".to_owned(),
                ChoiceFields::One(inner) => {
                    let limit = self.limit(placed, &choice.name);
                    words::kind(&choice.name, inner, limit, &|of_one| self.link(of, of_one))
                }
                ChoiceFields::Named(members) if members.is_empty() => "`{}`".to_owned(),
                ChoiceFields::Named(_) => "fields".to_owned(),
            };
            let name = match of.serde.untagged {
                true => "*without a key*".to_owned(),
                false => format!("`{}`", choice.name),
            };
            let mark = if choice.is_default { "the default" } else { "" };
            let _ = writeln!(text, "| {name} | {kind} | {mark} | {} |", cell(&choice.doc));
            if let ChoiceFields::Named(members) = &choice.fields {
                for member in members {
                    self.row(text, placed, member, Some(&choice.name));
                }
            }
        }
    }

    /// The limit of a number in the type at this path.
    fn limit(&self, placed: Placed<'_>, name: &str) -> Option<&Limit> {
        let path = format!("{}.{name}", placed.path);
        self.types.limits.of(&path, &placed.owner.file)
    }

    fn row(&self, text: &mut String, placed: Placed<'_>, member: &Member, choice: Option<&str>) {
        let owner = placed.owner;
        let name = match choice {
            Some(choice) => format!("{choice}.{}", member.name),
            None => member.name.clone(),
        };
        let limit = self.limit(placed, &name);
        let kind = words::kind(&member.name, &member.of, limit, &|of| self.link(owner, of));
        let default = match defaults::of(self.types, owner, member, choice.is_some()) {
            Given::Required => "*required*".to_owned(),
            Given::Absent => "*absent*".to_owned(),
            Given::Value(value) => format!("`{}`", yaml::flow(&value)),
            Given::Own(set) if set.is_empty() => "its own".to_owned(),
            Given::Own(set) => {
                let set: Vec<String> = set
                    .iter()
                    .map(|(name, value)| format!("`{name}: {}`", yaml::flow(value)))
                    .collect();
                format!("its own, but {}", set.join(", "))
            }
            Given::Code(_) => "see its meaning".to_owned(),
        };
        let doc = match member.doc.as_str() {
            "" => self.about(owner, &member.of),
            own => own.to_owned(),
        };
        let _ = writeln!(text, "| `{name}` | {kind} | {default} | {} |", cell(&doc));
    }

    /// The first sentence on a type of these files.
    fn about(&self, owner: &Readable, of: &Type) -> String {
        match shape(of) {
            Shape::Option(inner) | Shape::Box(inner) | Shape::List(inner) | Shape::Map(inner) => {
                self.about(owner, inner)
            }
            Shape::Plain(_) => {
                let at = self.types.find(owner, of);
                let doc = at.map_or("", |at| self.types.all[at].doc.as_str());
                doc.split_inclusive(". ")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            }
        }
    }

    /// A type of these files by its section; a list of words by its words.
    fn link(&self, owner: &Readable, of: &Type) -> Option<String> {
        let Shape::Plain(_) = shape(of) else {
            return None;
        };
        let at = self.types.find(owner, of)?;
        if let Body::Short(reader) = &self.types.all[at].body {
            let long = reader.long.as_ref();
            let long = long.and_then(|long| self.link(&self.types.all[at], long));
            let long = long.map_or_else(String::new, |link| format!("; {link}"));
            return Some(format!("{}{long}", reader.told()));
        }
        let path = self.places.get(&at)?;
        let link = format!("[`{path}`](#{})", slug(path));
        match &self.types.all[at].body {
            Body::Enum(choices) if choices.iter().all(is_word) => {
                let names: Vec<String> = choices
                    .iter()
                    .map(|one| format!("`{}`", one.name))
                    .collect();
                Some(format!("{}: {link}", names.join(", ")))
            }
            Body::Enum(_) => Some(format!("a choice: {link}")),
            _ => Some(link),
        }
    }
}

fn is_word(choice: &Choice) -> bool {
    matches!(choice.fields, ChoiceFields::None)
}

/// `{ a: 1 }` as `a: 1`.
fn one_line(flow: &str) -> &str {
    let inner = flow
        .strip_prefix("{ ")
        .and_then(|flow| flow.strip_suffix(" }"));
    inner.filter(|inner| is_one_pair(inner)).unwrap_or(flow)
}

/// Whether there is no comma outside brackets.
fn is_one_pair(text: &str) -> bool {
    let mut depth = 0;
    let mut quoted = false;
    text.chars().all(|c| {
        match c {
            '"' => quoted = !quoted,
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        c != ',' || depth > 0 || quoted
    })
}

/// What a heading is called in a link.
fn slug(path: &str) -> String {
    let kept = path
        .chars()
        .filter(|c| c.is_alphanumeric() || "_- ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
