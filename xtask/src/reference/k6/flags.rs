//! The flags of a command, from the source of its arguments.

/// A flag, and the text of its doc comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// The name with its dashes.
    pub(super) name: String,
    pub(super) said: String,
}

/// The flags that the fields of this code declare.
pub(super) fn read(code: &str) -> Vec<Flag> {
    let mut flags = Vec::new();
    let (mut doc, mut attribute) = (Vec::new(), String::new());
    let mut lines = code.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("///") {
            doc.push(said.trim());
        } else if line.starts_with("#[") {
            // Attributes of several lines end with the first line that closes them.
            let rest = lines.by_ref().take_while(|line| !line.ends_with(")]"));
            let is_open = !line.ends_with(']');
            attribute.push_str(line);
            if is_open {
                attribute.extend(rest.map(|line| format!(" {line}")));
            }
        } else {
            let field = line
                .strip_prefix("pub ")
                .and_then(|line| line.split_once(": "));
            let is_flag = attribute.contains("long") && !attribute.contains("flatten");
            if let (Some((field, _)), true) = (field, is_flag) {
                let named = attribute.split_once("long = \"").map(|(_, rest)| rest);
                let named = named.and_then(|rest| rest.split('"').next());
                let name = named.map_or_else(|| field.replace('_', "-"), str::to_owned);
                flags.push(Flag {
                    name: format!("--{name}"),
                    said: doc.join(" "),
                });
            }
            doc.clear();
            attribute.clear();
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_with_their_names_and_whole_comments() {
        let code = r#"
            /// What is executed.
            #[derive(Debug, ClapArgs)]
            pub struct LoadFlags {
                /// The script
                #[arg(value_name = "SCRIPT")]
                pub script: String,
                #[command(flatten)]
                pub load: LoadFlags,
                /// Number of users
                #[arg(short = 'u', long, value_name = "N")]
                pub vus: Option<i64>,
                /// Add a stage,
                /// as 30s:10
                #[arg(
                    short = 's',
                    long = "stage",
                    value_name = "STAGE"
                )]
                pub stages: Vec<String>,
                /// Show no banner
                #[arg(short, long, action = ArgAction::Set)]
                pub no_banner: bool,
            }
            /// How
            pub enum Mode {}
        "#;
        let flag = |name: &str, said: &str| Flag {
            name: name.to_owned(),
            said: said.to_owned(),
        };
        let expected = [
            flag("--vus", "Number of users"),
            flag("--stage", "Add a stage, as 30s:10"),
            flag("--no-banner", "Show no banner"),
        ];
        assert_eq!(read(code), expected);
    }
}
