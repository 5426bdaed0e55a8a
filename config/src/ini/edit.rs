//! Changing one key in the text of an INI file; every other line, comments included, stays as it is.

use std::fmt::Write;

use zeroize::Zeroizing;

/// The text with `key` of `section` set to `value`, or commented out.
///
/// The line of the key is replaced, in whichever of equal sections it is. Without one, the comment in its place is, as `init`
/// writes it; without that, a new line follows the last header of the section.
pub fn with_key(text: &str, section: &str, key: &str, value: Option<&str>) -> Zeroizing<String> {
    let lines: Vec<&str> = text.lines().collect();
    let line = match value {
        Some(value) => format!("{key} = {value}"),
        None => format!("# {key} ="),
    };
    let line = Zeroizing::new(line);
    let Some(header) = lines.iter().rposition(|line| is_header(line, section)) else {
        let mut output = Zeroizing::new(text.to_owned());
        if !text.is_empty() && !text.ends_with('\n') {
            output.push('\n');
        }
        let _ = writeln!(output, "\n[{section}]\n{}", line.as_str());
        return output;
    };
    let find = |key_of: fn(&str) -> Option<&str>| find_in_section(&lines, section, |line| key_of(line) == Some(key));
    let found = find(key_of).or_else(|| find(commented_key_of));
    let mut output = Zeroizing::new(String::with_capacity(text.len() + line.len() + 1));
    for (index, old) in lines.iter().enumerate() {
        let _ = writeln!(output, "{}", if found == Some(index) { line.as_str() } else { old });
        if index == header && found.is_none() {
            let _ = writeln!(output, "{}", line.as_str());
        }
    }
    output
}

/// The first line like this in any part of the section.
fn find_in_section(lines: &[&str], section: &str, is_meant: impl Fn(&str) -> bool) -> Option<usize> {
    let mut inside = false;
    lines.iter().position(|line| {
        if line.trim_start().starts_with('[') {
            inside = is_header(line, section);
        }
        inside && is_meant(line)
    })
}

fn is_header(line: &str, section: &str) -> bool {
    let name = line.trim_start_matches('\u{feff}').trim().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    name.is_some_and(|(name, _)| name.trim() == section)
}

fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    (!line.starts_with(['#', ';'])).then(|| line.split(['=', ':']).next().unwrap_or_default().trim())
}

fn commented_key_of(line: &str) -> Option<&str> {
    let (key, _) = line.trim_start().strip_prefix('#')?.split_once(['=', ':'])?;
    Some(key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_that_counts_changes() {
        let cases = [
            ("[AUTH]\nnew: on\nkey: old\nother: 1\n", "[AUTH]\nnew: on\nkey = new\nother: 1\n"),
            ("[AUTH]\n# key = old\n[OTHER]\nkey = x\n", "[AUTH]\nkey = new\n[OTHER]\nkey = x\n"),
            ("[AUTH]\n# about the key = it\n\n", "[AUTH]\nkey = new\n# about the key = it\n\n"),
            ("[AUTH]\nkey=1\n[B]\nkey=2\n[AUTH]\nnew: on", "[AUTH]\nkey = new\n[B]\nkey=2\n[AUTH]\nnew: on\n"),
            (
                "[AUTH]\n# key = old\n[B]\n[AUTH]\n key = 2 \n; end",
                "[AUTH]\n# key = old\n[B]\n[AUTH]\nkey = new\n; end\n",
            ),
            ("[AUTH]\nnew: on\n[B]\n[AUTH]\n; end", "[AUTH]\nnew: on\n[B]\n[AUTH]\nkey = new\n; end\n"),
            ("[B]\nkey = x", "[B]\nkey = x\n\n[AUTH]\nkey = new\n"),
            ("", "\n[AUTH]\nkey = new\n"),
        ];
        for (before, after) in cases {
            assert_eq!(*with_key(before, "AUTH", "key", Some("new")), after);
        }
        assert_eq!(*with_key("[AUTH]\nkey = old\n", "AUTH", "key", None), "[AUTH]\n# key =\n");
    }
}
